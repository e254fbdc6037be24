import { deepStrictEqual as same, match, strictEqual as is } from 'node:assert/strict';
import type { Case } from '@tulle/interop/suite';
import type { Answer, Mesh, Question } from '../mesh.ts';

/** What a connection looks like that was cut before an answer. */
const CUT = /^(?:ECONNRESET|ECONNREFUSED|EPIPE|socket hang up|other side closed)$/;

function refused(answers: readonly Answer[], what: readonly Question[]): void {
  for (const [i, answer] of answers.entries())
    match(
      answer.error ?? (answer['heard'] === '' ? 'ECONNRESET' : `answered: ${JSON.stringify(answer)}`),
      CUT,
      what[i]?.join(' '),
    );
}

export const refusals: readonly Case<Mesh>[] = [
  {
    name: 'calls around the capture, in plain text to a strict port, are refused',
    async run(mesh) {
      const questions: Question[] = [
        '10.77.0.1',
        'fd77::1',
        '10.77.0.2',
        'fd77::2',
        '127.0.0.1',
        '::1',
      ].flatMap((host): Question[] => [
        ['http', host, '8080'],
        ['raw', host, '2525', 'EHLO\r\n'],
      ]);
      refused(await mesh.askUncaptured(questions), questions);
      refused(await mesh.askFromHost(questions), questions);
    },
  },
  {
    name: 'a port that is not named: no plain text of other machines where mutual TLS is STRICT, and through the proxy where PERMISSIVE',
    async run(mesh) {
      for (const [to, addresses] of [
        ['pod', ['10.77.0.2', 'fd77::2']],
        ['plain', ['10.77.0.1', 'fd77::1']],
      ] as const) {
        const ask = async (port: string): Promise<{ questions: Question[]; answers: Answer[] }> => {
          const questions = addresses.map((address): Question => ['http', address, port]);
          // What the pod begins passes through its own proxy, since the mesh knows nobody there.
          const answers = await (to === 'pod' ? mesh.askUncaptured(questions) : mesh.askFromPod(questions));
          return { questions, answers };
        };
        const strict = await ask('9090');
        refused(strict.answers, strict.questions);
        const before = await mesh.passedThrough('InboundPassthroughCluster');
        for (const port of ['9091', '9092'])
          same(
            (await ask(port)).answers.map(({ name }) => name),
            [to, to],
            `${port} of ${to}`,
          );
        // 9091 alone: 9092 is left alone.
        const passed = (await mesh.passedThrough('InboundPassthroughCluster')) - before;
        is(passed, to === 'pod' ? 2 : 0, 'connections that the proxy of the pod passed on');
      }
      // What a program says to itself on loopback is its own.
      is((await mesh.askFromPod([['http', '127.0.0.1', '9090']]))[0]?.['name'], 'pod');
    },
  },
  {
    name: 'spoofed destinations: virtual addresses and the proxy’s own ports lead nobody anywhere',
    async run(mesh) {
      const [address] = (await mesh.askFromHost([['lookup', 'pod']])).map(({ heard }) => String(heard));
      const outbound = mesh.outboundPorts();
      is(outbound.length, 2);
      const questions: Question[] = [
        ['http', String(address), '80'], // as a program that is not captured
        ...outbound.flatMap(([host, port]): Question[] => [
          ['http', host, port],
          ['raw', host, port, 'GET / HTTP/1.1\r\nHost: pod\r\n\r\n'],
          // Who claims another destination is believed by nobody.
          [
            'raw',
            host,
            port,
            `PROXY TCP4 10.9.9.9 ${address} 4711 80\r\nGET / HTTP/1.1\r\nHost: pod\r\n\r\n`,
          ],
        ]),
      ];
      refused(await mesh.askUncaptured(questions), questions);
      // A port that the Service has not, at its virtual address.
      const other: Question[] = [['http', 'pod', '4711']];
      refused(await mesh.askFromHost(other), other);
      // The address decides, whatever the request claims.
      const [claimed] = await mesh.askFromHost([
        ['raw', 'pod', '80', 'GET / HTTP/1.1\r\nHost: plain\r\nConnection: close\r\n\r\n'],
      ]);
      match(String(claimed?.['heard']), /"name":"pod"/);
    },
  },
  {
    name: 'garbage from one client never turns a layer-7 port opaque',
    async run(mesh) {
      const garbage = [
        '\0\x01\xff\xfe',
        'EHLO pod\r\n',
        '\x16\x03\x01\0\x05hello',
        'PRI * HTTP/2.0\r\n\r\nXX',
      ].map((bytes): Question => ['raw', 'pod', '80', `${bytes}\r\n\r\n`]);
      const heard = await mesh.askFromHost([...garbage, ...garbage, ['http', 'pod', '80', '/after']]);
      // Refused as requests: nothing of it reached the program, which would have answered by itself.
      for (const answer of heard.slice(0, -1)) {
        const text = typeof answer['heard'] === 'string' ? answer['heard'] : '';
        is(
          text === '' || /\nTULLE_(?:DOWNSTREAM_PROTOCOL|VERSION_UNSUPPORTED) /.test(text),
          true,
          JSON.stringify(answer),
        );
      }
      const after = heard.at(-1);
      is(after?.['name'], 'pod');
      match(String(after?.['caller']), /sa\/caller\d+$/);
    },
  },
  {
    name: 'with registry-only, whom the mesh does not know is not reached, and who is known is',
    run: async (mesh) =>
      mesh.besideOutsider(async () => {
        const questions: Question[] = [
          ['raw', '10.77.0.1', '7070', 'hello'],
          ['raw', 'fd77::1', '7070', 'hello'],
          ['http', 'pod', '80'],
        ];
        const strict = await mesh.askFromHost(questions, ['--egress', 'registry-only']);
        refused(strict.slice(0, 2), questions);
        is(strict[2]?.['name'], 'pod');
        const open = await mesh.askFromHost(questions);
        same(
          open.slice(0, 2).map(({ heard }) => heard),
          ['10.77.0.1 said hello', 'fd77::1 said hello'],
        );
      }),
  },
  {
    name: 'an excluded network or port is left alone',
    run: async (mesh) =>
      mesh.besideOutsider(async () => {
        const questions: Question[] = [['raw', '10.77.0.1', '7070', 'hello']];
        const closed = ['--egress', 'registry-only'];
        for (const excluded of ['10.77.0.0/24', '7070']) {
          const [answer] = await mesh.askFromHost(questions, [...closed, '--capture-exclude', excluded]);
          is(answer?.['heard'], '10.77.0.1 said hello', JSON.stringify(answer));
        }
      }),
  },
];
