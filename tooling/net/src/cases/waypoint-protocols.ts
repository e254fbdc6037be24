import { deepStrictEqual as same, match, ok, strictEqual as is } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { namedCertificate } from '@tulle/interop/certificate';
import type { Case } from '@tulle/interop/suite';
import type { Running } from '@tulle/processes';
import type { Answer, Question } from '../mesh.ts';
import { podOf } from '../node-questions.ts';
import type { Nodes, Pod } from '../nodes.ts';
import { until } from '../until.ts';

const SERVER = fileURLToPath(new URL('../programs/server.ts', import.meta.url));
/** Ports of the server program that callers of the mesh know. */
const PORTS = [8081, 8082, 8443, 2525, 3306, 8091] as const;

/** Two programs that speak everything: one has an address of IPv4, the other of IPv6. Their waypoint is in another namespace. */
const service = (name: string, clusterIP: string): string => `apiVersion: v1
kind: Service
metadata:
  name: ${name}
  labels: { tulle.dev/use-waypoint: far, tulle.dev/use-waypoint-namespace: edge }
spec:
  clusterIP: '${clusterIP}'
  selector: { app: ${name} }
  ports:
    - { name: http, port: 80, targetPort: 8080, appProtocol: http }
    - { name: grpc, port: 81, targetPort: 8081, appProtocol: grpc }
    - { name: h2, port: 82, targetPort: 8082, appProtocol: http2 }
    - { name: tls, port: 443, targetPort: 8443, appProtocol: tcp }
    - { name: smtp, port: 25, targetPort: 2525, appProtocol: tcp }
    - { name: any, port: 3306, targetPort: 3306 }
    - { name: some, port: 91, targetPort: 8091 }
---
`;
const RESOURCES = `${service('every', '10.96.8.8')}${service('every6', 'fd96::8')}apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: far, namespace: edge }
spec:
  gatewayClassName: tulle-waypoint
  listeners: [{ name: mesh, port: 15008, protocol: HBONE, allowedRoutes: { namespaces: { from: All } } }]
---
apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: nothing-said-by-b }
spec:
  targetRefs: [{ group: '', kind: Service, name: every }]
  action: DENY
  rules: [{ from: { serviceAccounts: [b] }, to: { ports: [8081], paths: [/test.Echo/Say] } }] # the other ports are asked nothing of requests
`;

/** Everything that the program speaks. */
const questions = (host: string): readonly Question[] => [
  ['http', host, '80', '/path'],
  ['http2', host, '82'],
  ['grpc', host, '81', 'hello'],
  ['websocket', host, '80', 'over'],
  ['tls', host, '443'],
  ['silent', host, '25', '3'],
  ['silent', host, '3306', '3'],
  ['http', host, '91'],
  ['websocket', host, '91', 'over'],
];

/** What of the answers does not depend on the moment. */
const said = (answers: readonly Answer[]): unknown[] =>
  answers.map(({ firstByteMs: _moment, caller, ...rest }) => ({
    ...rest,
    ...(typeof caller === 'string' ? { caller: /sa\/[\w-]+$/.exec(caller)?.[0] } : {}),
  }));

const expected = (name: string, caller: string): unknown[] => [
  { status: 200, name, url: '/path', caller, proxied: true },
  { status: 200, name, version: '2.0', caller },
  { heard: `${name} heard hello` },
  { heard: 'over' },
  { heard: `over TLS by ${name}`, subject: 'origin' },
  { greeting: `220 ${name} ready\r\n`, echo: 'EHLO\r\n' },
  { greeting: `J\0\0\0\n${name}`, echo: 'EHLO\r\n' },
  { status: 200, name, url: '/', caller, proxied: true },
  { heard: 'over' },
];

const PROCESSES = ['far-1', 'far-2'] as const;
const running = new Map<string, Running>();

/** Tunnels that a process of the waypoint took. */
async function tunnelsOf(nodes: Nodes, as: string): Promise<number> {
  const page = await nodes.gatewayAdmin(as, '/stats/prometheus');
  return [...page.matchAll(/^tulle_hbone_tunnels_total\{[^}]*side="inbound"[^}]*\} (\d+)$/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
}

/** Asks until all is answered as it should be: configuration is there within moments. */
async function hears(nodes: Nodes, from: Pod, host: string, wanted: unknown[]): Promise<Answer[]> {
  let answers: Answer[] = [];
  await until(
    () => {
      answers = nodes.askAll(from, questions(host));
      return JSON.stringify(said(answers)) === JSON.stringify(wanted);
    },
    'every protocol was answered',
    30_000,
  ).catch(() => same(said(answers), wanted));
  return answers;
}

/** Two nodes with node proxies alone, and a waypoint that has two processes of two workers each, one on each node. */
export const waypointProtocols: readonly Case<Nodes>[] = [
  {
    name: 'through a waypoint of another namespace, with several processes and workers: HTTP/1.1, HTTP/2, gRPC, WebSocket, TLS, servers that speak first',
    async run(nodes) {
      const { certificate, key } = await namedCertificate('origin');
      writeFileSync(join(nodes.directory, 'origin.pem'), certificate);
      writeFileSync(join(nodes.directory, 'origin.key'), key);
      await nodes.apply(RESOURCES);
      for (const [as, node, listen] of [
        [PROCESSES[0], nodes.one, '10.87.0.1'],
        [PROCESSES[1], nodes.two, 'fd87::2'],
      ] as const)
        running.set(
          as,
          await nodes.gateway('far', { node, listen, namespace: 'edge', as, more: ['--workers', '2'] }),
        );
      for (const name of ['every', 'every6']) {
        const pod = nodes.two.addPod(name);
        pod.place.start(process.execPath, [SERVER, name, nodes.directory]);
        const address = name === 'every' ? pod.address : pod.address6;
        await nodes.add(
          nodes.two,
          pod,
          address,
          PORTS.flatMap((port) => ['--port', String(port)]),
        );
      }
      await nodes.serving(nodes.two, 5);
      const [a, b] = [podOf(nodes, 'a'), podOf(nodes, 'b')];
      const answers = await hears(nodes, a, 'every', expected('every', 'sa/a'));
      // A rule for gRPC, by who calls, and its answer is one of gRPC.
      const [grpc] = nodes.askAll(b, [['grpc', 'every', '81', 'hello']]);
      match(String(grpc?.error), /^(?:7$|7 PERMISSION_DENIED)/);
      same(said(nodes.askAll(b, [['http2', 'every', '82']])), [
        { status: 200, name: 'every', version: '2.0', caller: 'sa/b' },
      ]);
      const least = (answer: Answer | undefined): string =>
        Math.min(...(answer?.['firstByteMs'] as number[])).toFixed(1);
      return `first byte of a greeting after ${least(answers[5])} ms, of one on a port that declares nothing ${least(answers[6])} ms`;
    },
  },
  {
    name: 'through a waypoint by IPv6: the address of the Service, the tunnel to a process of it, and the endpoint',
    async run(nodes) {
      const a = podOf(nodes, 'a');
      await hears(nodes, a, 'every6', expected('every6', 'sa/a'));
      await hears(nodes, a, 'fd96::8', expected('every6', 'sa/a'));
      // The process that listens at an address of IPv6 had its share.
      for (const as of PROCESSES) ok((await tunnelsOf(nodes, as)) > 0, `${as} was never called`);
      // Nobody gets around it by that family either.
      for (const from of [a, nodes.one.addPod('around6')])
        match(nodes.ask(from, podOf(nodes, 'every6').address6, 8080), /^error /);
    },
  },
  {
    name: 'a waypoint of which one process is killed: calls go on by the other',
    async run(nodes) {
      const [a, f] = [podOf(nodes, 'a'), podOf(nodes, 'f')];
      const victim = running.get(PROCESSES[1]) as Running;
      const before = await tunnelsOf(nodes, PROCESSES[0]);
      await victim.stop('SIGKILL');
      for (const from of [a, f]) await hears(nodes, from, 'every', expected('every', `sa/${from.name}`));
      ok((await tunnelsOf(nodes, PROCESSES[0])) > before);
      await running.get(PROCESSES[0])?.stop();
      // All of them: the Service is closed.
      for (const from of [a, f]) {
        const [answer] = nodes.askAll(from, [['http', 'every', '80']]);
        is(typeof answer?.error, 'string', JSON.stringify(answer));
      }
      for (const name of ['every', 'every6']) await nodes.toEnd(nodes.two, ['node-proxy', 'remove', name]);
      await nodes.remove(RESOURCES);
    },
  },
];
