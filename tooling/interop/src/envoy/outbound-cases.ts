import { strict as assert } from 'node:assert';
import { generateKeyPairSync } from 'node:crypto';
import type { Case } from '../suite.ts';
import { until } from '../until.ts';
import { ask, kindsOf, type Mesh, meshWorkload, outboundPolicy, service, WARM_MS, workload } from './mesh.ts';
import { signedToken } from './signed-token.ts';

/** Envoy as the proxy of a caller. */
export const outboundCases: readonly Case<Mesh>[] = [
  {
    name: 'a request goes through Envoy to the endpoint that the control plane told it',
    run: (mesh) =>
      until(
        'an answer of origin one',
        async () => assert.equal(await ask(`${mesh.local}/a?b=1`), '200 one /a?b=1 undefined'),
        WARM_MS,
      ),
  },
  {
    name: 'Envoy acknowledges listeners, routes, clusters and endpoints; the status says so',
    run: (mesh) =>
      until('every kind SYNCED', () => {
        const kinds = kindsOf(mesh, 'caller');
        for (const kind of ['listener', 'route', 'cluster', 'endpoint']) {
          assert.equal(kinds[kind]?.state, 'SYNCED', `${kind}: ${JSON.stringify(kinds[kind])}`);
          assert.equal(kinds[kind].nacked, 0, kind);
          assert(kinds[kind].acked > 0, kind);
        }
      }),
  },
  {
    name: 'Envoy calls an endpoint of the mesh that proves the id of its workload',
    run: (mesh) =>
      until(
        'an answer over TLS',
        async () => assert.equal(await ask(`${mesh.secure}/`), '200 caller calls secure'),
        WARM_MS,
      ),
  },
  {
    name: 'Envoy does not believe an endpoint that proves another id of the same mesh',
    async run(mesh) {
      await mesh.become('impostor');
      await until('a refusal', async () => assert.match(await ask(`${mesh.secure}/`), /^503/));
      assert.match(
        await mesh.adminOf('caller', '/stats?filter=secure.*ssl.fail_verify_san'),
        /fail_verify_san: [1-9]/,
      );
      await mesh.become('secure');
      await until('an answer over TLS', async () =>
        assert.equal(await ask(`${mesh.secure}/`), '200 caller calls secure'),
      );
    },
  },
  {
    name: 'an endpoint of another account is believed as soon as the control plane names it, in time for its first call',
    async run(mesh) {
      const patched = meshWorkload('secure-1', 'secure', mesh.securePort).replace(
        'serviceAccount: secure',
        'serviceAccount: moved',
      );
      await mesh.become('moved');
      await mesh.apply(patched);
      await until(
        'an answer of the other account',
        async () => assert.equal(await ask(`${mesh.secure}/`), '200 caller calls moved'),
        WARM_MS,
      );
    },
  },
  {
    name: 'a root that is added is with Envoy at once',
    async run(mesh) {
      const roots = async (): Promise<number> =>
        (await mesh.adminOf('caller', '/config_dump?resource=dynamic_active_secrets')).split(
          'BEGIN CERTIFICATE',
        ).length - 1;
      assert.equal(await roots(), 1);
      await mesh.controlPlane.ca.rotateRoot();
      await until('two roots', async () => assert.equal(await roots(), 2), WARM_MS);
      assert.equal(await ask(`${mesh.secure}/`), '200 caller calls moved');
    },
  },
  {
    name: 'a Workload that is added takes a share of the calls, one that is removed gets none any more',
    async run(mesh) {
      await mesh.apply(workload('web-2', 'web', mesh.origins[1]));
      await until('an answer of origin two', async () =>
        assert.match(await ask(`${mesh.local}/`), /^200 two/),
      );
      await mesh.remove('/api/v1/resources/workloads/default/web-1');
      await until('twenty answers of origin two', async () => {
        for (let i = 0; i < 20; i++) assert.match(await ask(`${mesh.local}/`), /^200 two/);
      });
      await mesh.apply(workload('web-1', 'web', mesh.origins[0]));
      await mesh.remove('/api/v1/resources/workloads/default/web-2');
      await until('an answer of origin one', async () =>
        assert.match(await ask(`${mesh.local}/`), /^200 one/),
      );
    },
  },
  {
    name: 'an HTTPRoute splits paths between Services, edits fields and redirects',
    async run(mesh) {
      await mesh.apply(`${service('beta')}${workload('beta-1', 'beta', mesh.origins[1])}---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ kind: Service, group: '', name: web }]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /beta } }]
      filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-added, value: by-route }] } }]
      backendRefs: [{ name: beta, port: 80 }]
    - matches: [{ path: { type: Exact, value: /old } }]
      filters: [{ type: RequestRedirect, requestRedirect: { path: { type: ReplaceFullPath, replaceFullPath: /new }, statusCode: 301 } }]
    - backendRefs: [{ name: web, port: 80 }]
`);
      await until(
        'an answer of the Service beta',
        async () => assert.equal(await ask(`${mesh.local}/beta/x`), '200 two /beta/x by-route'),
        WARM_MS,
      );
      assert.equal(await ask(`${mesh.local}/betamax`), '200 one /betamax undefined');
      const redirect = await fetch(`${mesh.local}/old`, { redirect: 'manual' });
      assert.equal(redirect.status, 301);
      assert.equal(new URL(redirect.headers.get('location') ?? '').pathname, '/new');
    },
  },
  {
    name: 'a rate limit, an injected fault and header edits of FilterPolicies do in Envoy what they say',
    async run(mesh) {
      await mesh.apply(
        outboundPolicy('edits', 'transform', 'tulle.http.headers', {
          request: { set: [{ name: 'x-added', value: 'by-policy' }] },
        }),
      );
      await until('a header of the policy', async () =>
        assert.equal(await ask(`${mesh.local}/`), '200 one / by-policy'),
      );
      await mesh.remove('/api/v1/resources/filterpolicies/default/edits');
      await mesh.apply(
        outboundPolicy('broken', 'fault', 'tulle.http.fault', {
          abort: { status: 418 },
          headers: { 'x-break': 'yes' },
        }),
      );
      await until('an injected fault', async () =>
        assert.match(await ask(`${mesh.local}/`, { 'x-break': 'yes' }), /^418/),
      );
      assert.match(await ask(`${mesh.local}/`), /^200 one/);
      await mesh.remove('/api/v1/resources/filterpolicies/default/broken');
      await mesh.apply(
        outboundPolicy('limit', 'limit', 'tulle.http.ratelimit', {
          limits: [{ name: 'all', requests: 2, intervalMs: 3_600_000 }],
        }),
      );
      await until('a refusal by the limit', async () => assert.match(await ask(`${mesh.local}/`), /^429/));
      assert.equal(kindsOf(mesh, 'caller')['listener']?.nacked, 0);
      await mesh.remove('/api/v1/resources/filterpolicies/default/limit');
      await until('an answer again', async () => assert.match(await ask(`${mesh.local}/`), /^200 one/));
    },
  },
  {
    name: 'adaptive concurrency and admission control of FilterPolicies hold back in Envoy as they say',
    async run(mesh) {
      // As long as it measures, one at a time goes on.
      await mesh.apply(
        outboundPolicy('adaptive', 'limit', 'tulle.http.adaptive-concurrency', {
          minRtt: { requests: 1_000_000, minConcurrency: 1 },
          status: 429,
        }),
      );
      await until('a refusal of one of many', async () => {
        const answers = await Promise.all(Array.from({ length: 20 }, () => ask(`${mesh.local}/`)));
        assert.ok(answers.some((answer) => answer.startsWith('429')));
        assert.ok(answers.some((answer) => answer.startsWith('200 one')));
      });
      await mesh.remove('/api/v1/resources/filterpolicies/default/adaptive');
      await mesh.apply(
        outboundPolicy('admission', 'limit', 'tulle.http.admission-control', {
          maxRejectionPercent: 100,
          success: { httpStatuses: [{ from: 599, to: 599 }] },
        }),
      );
      await until('a refusal since what was asked failed', async () =>
        assert.match(await ask(`${mesh.local}/`), /^503/),
      );
      assert.equal(kindsOf(mesh, 'caller')['listener']?.nacked, 0);
      await mesh.remove('/api/v1/resources/filterpolicies/default/admission');
      await until('an answer again', async () => assert.match(await ask(`${mesh.local}/`), /^200 one/));
    },
  },
  {
    name: 'bearer tokens and external authorization of FilterPolicies decide in Envoy who passes',
    async run(mesh) {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const provider = {
        name: 'login',
        issuer: 'https://login.test',
        jwks: { keys: [publicKey.export({ format: 'jwk' })] },
      };
      await mesh.apply(outboundPolicy('tokens', 'authn', 'tulle.http.jwt', { providers: [provider] }));
      await until('a refusal without a token', async () => assert.match(await ask(`${mesh.local}/`), /^401/));
      const token = (issuer: string): string => signedToken({ iss: issuer, exp: 4_000_000_000 }, privateKey);
      const bearer = (issuer: string): { authorization: string } => ({
        authorization: `Bearer ${token(issuer)}`,
      });
      assert.match(await ask(`${mesh.local}/`, bearer('https://login.test')), /^200 one/);
      assert.match(await ask(`${mesh.local}/`, bearer('https://other.test')), /^401/);
      await mesh.remove('/api/v1/resources/filterpolicies/default/tokens');
      const check = (path: string): string =>
        outboundPolicy('check', 'authz', 'tulle.http.ext-authz', {
          service: {
            http: { url: `http://check${path}`, cluster: 'outbound|80||web.default.svc.mesh.local' },
          },
          timeoutMs: 5000,
        });
      await mesh.apply(check('/refuse'));
      // Not 403, which is Envoy's own answer when it cannot ask.
      await until('a refusal of the service', async () => assert.match(await ask(`${mesh.local}/`), /^402/));
      await mesh.apply(check('/allow'));
      await until('an answer', async () => assert.match(await ask(`${mesh.local}/`), /^200 one/));
      assert.equal(kindsOf(mesh, 'caller')['listener']?.nacked, 0);
      await mesh.remove('/api/v1/resources/filterpolicies/default/check');
    },
  },
  {
    name: 'the ExternalAuth filter of a rule asks in Envoy who may pass there, by no answer nobody, and elsewhere nobody is asked',
    async run(mesh) {
      const route = (path: string, name = 'beta'): string => `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ kind: Service, group: '', name: web }]
  rules:
    - matches: [{ path: { value: /asked } }]
      filters: [{ type: ExternalAuth, externalAuth: { protocol: HTTP, backendRef: { name: ${name}, port: 80 }, http: { path: ${path} } } }]
      backendRefs: [{ name: web, port: 80 }]
    - backendRefs: [{ name: web, port: 80 }]
`;
      const post = async (): Promise<string> => {
        const answer = await fetch(`${mesh.local}/asked`, {
          method: 'POST',
          body: '12345',
          headers: { connection: 'close' },
          signal: AbortSignal.timeout(5_000),
        });
        return `${answer.status} ${await answer.text()}`;
      };
      await mesh.apply(service('beta') + workload('beta-1', 'beta', mesh.origins[1]) + route('/refuse'));
      await until(
        'a refusal',
        async () => assert.match(await ask(`${mesh.local}/asked`), /^402 two/),
        WARM_MS,
      );
      assert.equal(await ask(`${mesh.local}/`), '200 one / undefined');
      await mesh.apply(route('/allow'));
      // Every header of the answer is given on, but not its length: the body of the request would not fit.
      await until('an answer', async () => assert.equal(await post(), '200 one /asked by-two'));
      await mesh.apply(service('silent') + route('/allow', 'silent'));
      await until('a refusal since nobody answers', async () =>
        assert.match(await ask(`${mesh.local}/asked`), /^403/),
      );
      await mesh.apply(route('/allow', 'gone'));
      await until('a refusal since nobody is there', async () =>
        assert.match(await ask(`${mesh.local}/asked`), /^500/),
      );
      assert.equal(await ask(`${mesh.local}/`), '200 one / undefined');
      for (const kind of ['listener', 'route']) assert.equal(kindsOf(mesh, 'caller')[kind]?.nacked, 0, kind);
      await mesh.remove('/api/v1/resources/httproutes/default/web');
    },
  },
  {
    name: 'a path that Envoy would read differently is refused, not passed on',
    async run(mesh) {
      assert.match(await ask(`${mesh.local}/x%2fy`), /^400/);
    },
  },
];
