import { deepStrictEqual as same, strictEqual as is } from 'node:assert/strict';
import type { Case } from '@tulle/interop/suite';
import type { Answer, Mesh, Question } from '../mesh.ts';

/** From the plain host to the namespace, and from there to the plain host: what each was answered, with who called whom. */
async function bothWays(
  mesh: Mesh,
  questions: (to: string) => readonly Question[],
): Promise<readonly { readonly to: string; readonly from: RegExp; readonly heard: readonly Answer[] }[]> {
  const [fromHost, fromPod] = [
    await mesh.askFromHost(questions('pod')),
    await mesh.askFromPod(questions('plain')),
  ];
  return [
    { to: 'pod', from: /sa\/caller\d+$/, heard: fromHost },
    { to: 'plain', from: /sa\/pod$/, heard: fromPod },
  ];
}

const matches = (value: unknown, pattern: RegExp): void =>
  is(pattern.test(String(value)), true, `${JSON.stringify(value)} is not ${pattern}`);

export const protocols: readonly Case<Mesh>[] = [
  {
    name: 'HTTP/1.1 by name, both ways, with the identity of who calls',
    async run(mesh) {
      for (const { to, from, heard } of await bothWays(mesh, (name) => [
        ['http', name, '80', '/by-name'],
        ['http', `${name}.default.svc.mesh.local`, '80', '/by-long-name'],
      ]))
        for (const answer of heard) {
          is(answer['name'], to, JSON.stringify(answer));
          matches(answer['caller'], from);
        }
    },
  },
  {
    name: 'HTTP/2 with prior knowledge, and gRPC, both ways',
    async run(mesh) {
      for (const { to, from, heard } of await bothWays(mesh, (name) => [
        ['http2', name, '82'],
        ['grpc', name, '81', 'hello'],
      ])) {
        const [http2, grpc] = heard as [Answer, Answer];
        same([http2['name'], http2['version']], [to, '2.0'], JSON.stringify(http2));
        matches(http2['caller'], from);
        same(grpc, { heard: `${to} heard hello` });
      }
    },
  },
  {
    name: 'WebSocket, both ways',
    async run(mesh) {
      for (const { heard } of await bothWays(mesh, (name) => [['websocket', name, '80', 'over']]))
        same(heard, [{ heard: 'over' }]);
    },
  },
  {
    name: 'TLS of the programs passes through, both ways',
    async run(mesh) {
      for (const { to, heard } of await bothWays(mesh, (name) => [['tls', name, '443']]))
        same(heard, [{ heard: `over TLS by ${to}`, subject: 'origin' }]);
    },
  },
];
