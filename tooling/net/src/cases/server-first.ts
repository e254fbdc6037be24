import { match, ok, strictEqual as is } from 'node:assert/strict';
import type { Case } from '@tulle/interop/suite';
import type { Answer, Mesh, Question } from '../mesh.ts';

const CONNECTIONS = 30;
/** Far more than two handshakes of TLS take; a wait for bytes of the client would show in every connection, also in the quickest. */
const NO_WAIT_MS = 100;

function times(answer: Answer | undefined): { readonly leastMs: number; readonly medianMs: number } {
  const all = (answer?.['firstByteMs'] as number[] | undefined)?.toSorted((a, b) => a - b) ?? [];
  is(all.length, CONNECTIONS, JSON.stringify(answer));
  return { leastMs: all[0] as number, medianMs: all[CONNECTIONS / 2] as number };
}

/** Asks a server that speaks first, both ways. @returns what two proxies add until the first byte */
async function greetings(mesh: Mesh, port: string, greeting: (name: string) => string): Promise<string> {
  const count = String(CONNECTIONS);
  const [direct] = await mesh.askUncaptured([['silent', '10.77.0.2', '2526', count]]);
  const [toPod] = await mesh.askFromHost([['silent', 'pod', port, count]]);
  const [toPlain] = await mesh.askFromPod([['silent', 'plain', port, count]]);
  is(toPod?.['greeting'], greeting('pod'), JSON.stringify(toPod));
  is(toPlain?.['greeting'], greeting('plain'), JSON.stringify(toPlain));
  is(toPod['echo'], 'EHLO\r\n');
  const without = times(direct);
  const added = [toPod, toPlain].map((answer) => {
    const { leastMs, medianMs } = times(answer);
    ok(leastMs < NO_WAIT_MS, `the quickest first byte took ${leastMs} ms`);
    return `${(medianMs - without.medianMs).toFixed(1)} ms`;
  });
  return `first byte after ${without.medianMs.toFixed(1)} ms direct; added by two proxies and a new mutual TLS connection ${added.join(' and ')} (medians of ${CONNECTIONS})`;
}

const GARBAGE = '\0\x01garbage\xff\r\n';

export const serverFirst: readonly Case<Mesh>[] = [
  {
    name: 'a server that speaks first, both ways: its greeting comes without a wait',
    run: (mesh) => greetings(mesh, '25', (name) => `220 ${name} ready\r\n`),
  },
  {
    name: 'a server that speaks first on a port that declares nothing, both ways: its greeting comes without a wait',
    async run(mesh) {
      const said = await greetings(mesh, '3306', (name) => `J\0\0\0\n${name}`);
      const detected = await mesh.detected();
      ok((detected['bytes by endpoint'] ?? 0) >= CONNECTIONS, JSON.stringify(detected));
      return said;
    },
  },
  {
    name: 'HTTP on a port that declares nothing, both ways, whatever others send there: garbage teaches nothing',
    async run(mesh) {
      for (const [ask, to] of [
        [mesh.askFromHost.bind(mesh), 'pod'],
        [mesh.askFromPod.bind(mesh), 'plain'],
      ] as const) {
        const attack = Array.from({ length: 10 }, (): Question => ['raw', to, '91', GARBAGE]);
        const heard = await ask([
          ['http', to, '91'],
          ...attack,
          ['http', to, '91'],
          ['websocket', to, '91', 'over'],
        ]);
        for (const answer of [heard[0], heard.at(-2)]) {
          is(answer?.['name'], to, JSON.stringify(heard));
          // It came as requests: the proxy said who calls.
          match(String(answer['caller']), /^.*spiffe:/);
        }
        is(heard.at(-1)?.['heard'], 'over');
      }
      const detected = await mesh.detected();
      ok(
        (detected['http1 by caller'] ?? 0) > 0 && (detected['bytes by caller'] ?? 0) >= 10,
        JSON.stringify(detected),
      );
    },
  },
  {
    name: 'garbage never turns a port opaque that declares HTTP: a server behind it that speaks first is not heard',
    async run(mesh) {
      for (const [ask, to] of [
        [mesh.askFromHost.bind(mesh), 'pod'],
        [mesh.askFromPod.bind(mesh), 'plain'],
      ] as const) {
        const heard = await ask(Array.from({ length: 10 }, (): Question => ['raw', to, '92', GARBAGE]));
        for (const answer of heard)
          match(String(answer['heard']), /^HTTP\/1\.1 400 /, JSON.stringify(answer));
      }
    },
  },
];
