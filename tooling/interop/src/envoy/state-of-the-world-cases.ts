import { strict as assert } from 'node:assert';
import { freePort } from '@tulle/processes';
import type { Case } from '../suite.ts';
import { until } from '../until.ts';
import { ask, kindsOf, type Mesh, outboundPolicy, service, WARM_MS, workload } from './mesh.ts';

/** Where the Envoy that speaks the state of the world takes calls. */
let local = '';
let secure = '';

/** Envoy with `api_type: GRPC`, from the port of the others. */
export const stateOfTheWorldCases: readonly Case<Mesh>[] = [
  {
    name: 'an Envoy that speaks the state of the world calls plain and mesh endpoints, and acknowledges everything',
    async run(mesh) {
      const [plain, tls] = [await freePort(), await freePort()];
      [local, secure] = [`http://127.0.0.1:${plain}`, `http://127.0.0.1:${tls}`];
      const upstreams = [
        { service: 'web', localPort: plain },
        { service: 'secure', localPort: tls },
      ];
      await mesh.startEnvoy('sotw', plain, { upstreams }, 'GRPC');
      await until('an answer', async () => assert.match(await ask(`${local}/`), /^200 one/), WARM_MS);
      await until(
        'an answer over TLS',
        async () => assert.equal(await ask(`${secure}/`), '200 sotw calls moved'),
        WARM_MS,
      );
      await until('every kind SYNCED', () => {
        for (const [kind, { state, nacked }] of Object.entries(kindsOf(mesh, 'sotw')))
          assert.deepEqual([state, nacked], ['SYNCED', 0], kind);
      });
    },
  },
  {
    name: 'it follows endpoints, new clusters, routes and filters, and lets go what is gone',
    async run(mesh) {
      await mesh.apply(workload('web-3', 'web', mesh.origins[1]));
      await until('an answer of origin two', async () => assert.match(await ask(`${local}/`), /^200 two/));
      await mesh.remove('/api/v1/resources/workloads/default/web-3');
      await mesh.apply(`${service('gamma')}${workload('gamma-1', 'gamma', mesh.origins[1])}---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ kind: Service, group: '', name: web }]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /gamma } }]
      backendRefs: [{ name: gamma, port: 80 }]
    - backendRefs: [{ name: web, port: 80 }]
`);
      await until(
        'an answer of the Service gamma',
        async () => assert.match(await ask(`${local}/gamma`), /^200 two/),
        WARM_MS,
      );
      await mesh.apply(outboundPolicy('broken', 'fault', 'tulle.http.fault', { abort: { status: 418 } }));
      await until('an injected fault', async () => assert.match(await ask(`${local}/`), /^418/));
      await mesh.remove('/api/v1/resources/filterpolicies/default/broken');
      await until('an answer', async () => assert.match(await ask(`${local}/`), /^200 one/));
      await mesh.remove('/api/v1/resources/httproutes/default/web');
      await until('no cluster gamma', async () =>
        assert.doesNotMatch(await mesh.adminOf('sotw', '/clusters'), /gamma/),
      );
      await until('every kind SYNCED', () => {
        for (const [kind, { state, nacked }] of Object.entries(kindsOf(mesh, 'sotw')))
          assert.deepEqual([state, nacked], ['SYNCED', 0], kind);
      });
    },
  },
];
