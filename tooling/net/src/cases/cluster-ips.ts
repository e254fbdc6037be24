import { deepStrictEqual as same } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Case } from '@tulle/interop/suite';
import type { Answer, Mesh } from '../mesh.ts';

/** Two Services with addresses of their own, one an address of IPv6; a route of each rewrites one path, and takes no other. */
const SERVICES = [
  ['four', '10.96.0.10'],
  ['six', 'fd77::96'],
].map(
  ([name, address]) => `apiVersion: v1
kind: Service
metadata: { name: ${name}, annotations: { tulle.dev/service-accounts: pod } }
spec: { selector: { app: pod }, clusterIP: '${address}', ports: [{ name: http, port: 80, targetPort: 8080 }, { name: tcp, port: 25, targetPort: 2525 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec:
  parentRefs: [{ group: '', kind: Service, name: ${name}, port: 80 }]
  rules:
    - matches: [{ path: { type: Exact, value: /asked } }]
      filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplaceFullPath, replaceFullPath: /rewritten } } }]
      backendRefs: [{ name: ${name}, port: 80 }]
`,
);

export const clusterIps: readonly Case<Mesh>[] = [
  {
    name: 'a call to the clusterIP of a Service obeys its routes, as one by name does',
    async run(mesh) {
      const file = join(mesh.directory, 'cluster-ips.yaml');
      writeFileSync(file, SERVICES.join('---\n'));
      await mesh.toEnd(['apply', '-f', file]);
      try {
        const hosts = ['four', '10.96.0.10', 'fd77::96'];
        const heard = await mesh.askFromHost([
          ...hosts.map((host) => ['http', host, '80', '/asked'] as const),
          ...hosts.map((host) => ['http', host, '80', '/else'] as const),
        ]);
        const said = ({ name, url, status, body }: Answer): unknown[] =>
          [name, url, status, body].filter((one) => one !== undefined);
        same(heard.slice(0, 3).map(said), Array(3).fill(['pod', '/rewritten', 200]));
        same(
          heard.slice(3).map(({ status }) => status),
          [404, 404, 404],
          JSON.stringify(heard.slice(3)),
        );
        // Over mutual TLS, as calls of the mesh are.
        for (const { caller } of heard.slice(0, 3))
          same(/sa\/caller\d+$/.test(String(caller)), true, String(caller));
      } finally {
        await mesh.toEnd(['delete', '-f', file]);
      }
    },
  },
];
