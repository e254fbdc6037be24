import { deepStrictEqual as same, strictEqual as is } from 'node:assert/strict';
import type { Case } from '@tulle/interop/suite';
import type { Mesh } from '../mesh.ts';

/** Of both machines, over both families. */
const ADDRESSES = {
  host: ['10.77.0.1', 'fd77::1'],
  pod: ['10.77.0.2', 'fd77::2'],
} as const;

export const families: readonly Case<Mesh>[] = [
  {
    name: 'IPv4 and IPv6 to whom the mesh does not know pass through the proxy',
    run: async (mesh) =>
      mesh.besideOutsider(async () => {
        const before = await mesh.passedThrough('PassthroughCluster');
        const heard = await mesh.askFromPod(
          ADDRESSES.host.map((host) => ['raw', host, '7070', 'hello'] as const),
        );
        same(
          heard.map(({ heard: said }) => said),
          ['10.77.0.2 said hello', 'fd77::2 said hello'],
        );
        is(
          (await mesh.passedThrough('PassthroughCluster')) - before,
          2,
          'connections of the pass-through cluster',
        );
      }),
  },
  {
    name: 'IPv4 and IPv6 of others to a port of the program are led to the proxy',
    async run(mesh) {
      for (const [place, name] of [
        ['pod', 'pod'],
        ['host', 'plain'],
      ] as const) {
        const heard = await mesh.askUncaptured(
          ADDRESSES[place].map((host) => ['http', host, '8090'] as const),
        );
        // A permissive port: in plain text, and through the proxy all the same.
        same(
          heard.map(({ name: who, proxied, caller }) => [who, proxied, caller]),
          ADDRESSES[place].map(() => [name, true, undefined]),
        );
      }
    },
  },
];
