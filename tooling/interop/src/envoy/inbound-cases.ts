import { strict as assert } from 'node:assert';
import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { freePort } from '@tulle/processes';
import type { IdentityPaths } from '../mesh.ts';
import type { Case } from '../suite.ts';
import { until } from '../until.ts';
import { kindsOf, type Mesh, service, WARM_MS } from './mesh.ts';
import { signedToken } from './signed-token.ts';

/** Port at which Envoy takes calls of the mesh for the workload `server`. */
let inboundPort = 0;

interface Call {
  readonly method?: string;
  /** As it goes over the wire. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

/** Calls Envoy over mutual TLS. @returns the status */
async function callAs(
  caller: IdentityPaths,
  { method = 'GET', path = '/', headers = {} }: Call,
): Promise<number> {
  const [cert, key, ca] = await Promise.all([
    readFile(caller.certificate),
    readFile(caller.key),
    readFile(caller.roots),
  ]);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...{ host: '127.0.0.1', port: inboundPort, method, path, agent: false, timeout: 5000 },
        headers: { host: 'server', ...headers },
        ...{ cert, key, ca, checkServerIdentity: () => undefined },
      },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

const policy = (name: string, spec: object): string =>
  `---\napiVersion: tulle.dev/v1alpha1\nkind: AuthorizationPolicy\nmetadata: { name: ${name} }\nspec: ${JSON.stringify({ selector: { matchLabels: { app: 'server' } }, ...spec })}\n`;

/** Spellings that some origin takes for /admin, as the authorization filter's own test has them. */
const ADMIN: readonly string[] = [
  ...[
    '/admin',
    '//admin',
    '/./admin',
    '/x/../admin',
    '/%61dmin',
    '/ADMIN',
    '/Admin',
    '/admin/',
    '/admin;x=1',
  ],
  ...['/admin.', '/admin./', '/admin%20', '/admin%23x', '/admin%3Fx=1', '/admin;', '/admin%3Bx', '/;x/admin'],
  ...[
    '/x;y/../admin',
    '/ADMIN;a/',
    '/admin/.',
    '/admin/x/..',
    '/\\admin',
    '/%2fadmin',
    '/%5cadmin',
    '/admin%00',
  ],
  ...['/..;/admin', '/%2e%2e/admin', '/x/%2e%2e/admin', '/admin%3bx'],
];

/** Envoy as the proxy of a service. */
export const inboundCases: readonly Case<Mesh>[] = [
  {
    name: 'Envoy takes calls of the mesh, and only of the mesh',
    async run(mesh) {
      inboundPort = await freePort();
      await mesh.apply(service('server'));
      await mesh.startEnvoy('server', await freePort(), {
        labels: { app: 'server' },
        // Asked who may pass.
        upstreams: [{ service: 'web', localPort: await freePort() }],
        ports: [{ name: 'http', port: mesh.origins[0] }],
        inbound: { port: inboundPort },
      });
      const caller = await mesh.identityOf('caller');
      await until('an answer', async () => assert.equal(await callAs(caller, {}), 200), WARM_MS);
      const stranger = { ...caller, certificate: caller.roots };
      await assert.rejects(callAs(stranger, {}));
      assert.equal(kindsOf(mesh, 'server')['listener']?.nacked, 0);
    },
  },
  {
    name: 'an AuthorizationPolicy allows whom it names, for what it names, and nobody else',
    async run(mesh) {
      const [caller, other] = await Promise.all([mesh.identityOf('caller'), mesh.identityOf('other')]);
      await mesh.apply(
        policy('callers', {
          action: 'ALLOW',
          rules: [
            {
              from: { serviceAccounts: ['caller'] },
              to: { methods: ['GET'], paths: ['/shop', '/shop/*', '*.css'] },
            },
            {
              from: { serviceAccounts: ['other'] },
              to: { headers: [{ name: 'x-role', match: { kind: 'exact', value: 'guest' }, invert: true }] },
            },
          ],
        }),
      );
      await until('a refusal', async () => assert.equal(await callAs(caller, { path: '/else' }), 403));
      const calls: readonly [IdentityPaths, Call, number][] = [
        [caller, { path: '/shop' }, 200],
        [caller, { path: '/shop/a?b=1' }, 200],
        [caller, { path: '/a.css' }, 200],
        [caller, { path: '/admin;.css' }, 403],
        [caller, { path: '/shopping' }, 403],
        [caller, { path: '/shop/../admin' }, 403],
        [caller, { path: '/SHOP' }, 403],
        [caller, { path: '/shop/..;/admin' }, 403],
        [caller, { path: '/shop/%2e%2e;x=1/admin' }, 403],
        [caller, { path: '/shop/..%3b/admin' }, 403],
        [caller, { path: '/shop/%252e%252e/admin' }, 403],
        [caller, { path: '/shop/a;v=1' }, 200],
        [caller, { path: '/shop', method: 'POST' }, 403],
        [other, {}, 200],
        [other, { headers: { 'x-role': 'guest' } }, 403],
        [other, { headers: { 'x-role': ['boss', 'guest'] } }, 403],
        [other, { headers: { 'x-role': ['boss', 'guests'] } }, 200],
      ];
      for (const [who, call, status] of calls)
        assert.equal(await callAs(who, call), status, JSON.stringify(call));
      await mesh.remove('/api/v1/resources/authorizationpolicies/default/callers');
      await until('an answer', async () => assert.equal(await callAs(caller, { path: '/else' }), 200));
    },
  },
  {
    name: 'a denied path is denied or refused in every spelling, a header in every line; others pass',
    async run(mesh) {
      const caller = await mesh.identityOf('caller');
      await mesh.apply(
        policy('denied', {
          action: 'DENY',
          rules: [
            { to: { paths: ['/admin'] } },
            { to: { headers: [{ name: 'x-role', match: { kind: 'exact', value: 'guest' } }] } },
          ],
        }),
      );
      await until('a refusal', async () => assert.equal(await callAs(caller, { path: '/admin' }), 403));
      for (const path of ADMIN) {
        const status = await callAs(caller, { path });
        assert(status === 403 || status === 400, `${path}: ${status}`);
      }
      for (const path of ['/administrator', '/x/admin', '/adm', '/admin/users', '/admin.txt'])
        assert.equal(await callAs(caller, { path }), 200, path);
      assert.equal(await callAs(caller, { headers: { 'x-role': ['boss', 'guest'] } }), 403);
      assert.equal(await callAs(caller, { headers: { 'x-role': 'guests' } }), 200);
      await mesh.remove('/api/v1/resources/authorizationpolicies/default/denied');
      await until('an answer', async () => assert.equal(await callAs(caller, { path: '/admin' }), 200));
    },
  },
  {
    name: 'a policy in shadow mode is counted by Envoy and changes nothing',
    async run(mesh) {
      const caller = await mesh.identityOf('caller');
      await mesh.apply(policy('watched', { action: 'DENY', shadow: true, rules: [{}] }));
      await until('a count', async () => {
        assert.equal(await callAs(caller, {}), 200);
        assert.match(
          await mesh.adminOf('server', '/stats?filter=rbac.shadow_denied'),
          /shadow_denied: [1-9]/,
        );
      });
      await mesh.remove('/api/v1/resources/authorizationpolicies/default/watched');
    },
  },
  {
    name: 'bearer tokens pass by subject, by lifetime and by what is asked of a path',
    async run(mesh) {
      const caller = await mesh.identityOf('caller');
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const provider = {
        name: 'login',
        issuer: 'https://login.test',
        jwks: { keys: [publicKey.export({ format: 'jwk' })] },
        subjects: { kind: 'prefix', value: 'al' },
        maxLifetimeMs: 3_600_000,
        metadata: { payload: 'login' },
        maxCachedTokens: 10,
      };
      const under = (path: string, requires: object): object => ({
        match: { path: { kind: 'prefix', value: path } },
        requires,
      });
      await mesh.apply(
        inboundPolicy('tokens', 'authn', 'tulle.http.jwt', {
          providers: [provider],
          rules: [
            under('/open', { ignore: true }),
            under('/maybe', { any: [{ provider: 'login' }, { allowMissing: true }] }),
            under('/whatever', { any: [{ provider: 'login' }, { allowFailed: true }] }),
          ],
          requirements: { users: { provider: 'login' } },
          silentRefusals: true,
        }),
      );
      await until('a refusal without a token', async () => assert.equal(await callAs(caller, {}), 401));
      await until('what Envoy took', () =>
        assert.equal(kindsOf(mesh, 'server')['listener']?.state, 'SYNCED'),
      );
      const now = Math.floor(Date.now() / 1000);
      const claims = { iss: 'https://login.test', sub: 'alice', iat: now - 60, exp: now + 600 };
      const status = (path: string, own?: object): Promise<number> =>
        callAs(caller, {
          path,
          headers: {
            ...(own !== undefined && {
              authorization: `Bearer ${signedToken({ ...claims, ...own }, privateKey)}`,
            }),
          },
        });
      assert.equal(await status('/', {}), 200);
      // What is left of a token counts, not what it had.
      assert.equal(await status('/', { iat: now - 7_200 }), 200);
      const refused: readonly object[] = [
        { sub: 'bob' },
        { sub: undefined },
        { exp: now + 7_200 },
        { exp: undefined },
      ];
      for (const bad of refused) assert.equal(await status('/', bad), 401, JSON.stringify(bad));
      for (const [path, none, bad] of [
        ['/open', 200, 200],
        ['/maybe', 200, 401],
        ['/whatever', 200, 200],
      ] as const) {
        assert.equal(await status(path), none, path);
        assert.equal(await status(path, { sub: 'bob' }), bad, path);
        assert.equal(await status(path, {}), 200, path);
      }
      await mesh.remove('/api/v1/resources/filterpolicies/default/tokens');
      await until('an answer without a token', async () => assert.equal(await callAs(caller, {}), 200));
    },
  },
  {
    name: 'bearer tokens and external authorization decide at the proxy of the service who passes',
    async run(mesh) {
      const caller = await mesh.identityOf('caller');
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const provider = {
        name: 'login',
        issuer: 'https://login.test',
        jwks: { keys: [publicKey.export({ format: 'jwk' })] },
      };
      const bearer = (issuer: string): Call => ({
        headers: { authorization: `Bearer ${signedToken({ iss: issuer, exp: 4_000_000_000 }, privateKey)}` },
      });
      await mesh.apply(inboundPolicy('tokens', 'authn', 'tulle.http.jwt', { providers: [provider] }));
      await until('a refusal without a token', async () => assert.equal(await callAs(caller, {}), 401));
      assert.equal(await callAs(caller, bearer('https://login.test')), 200);
      assert.equal(await callAs(caller, bearer('https://other.test')), 401);
      // What Envoy has no words for is refused, by its reason; what is in force stays, so that nobody passes without a token.
      const claimsToHeaders = [{ claim: 'sub', header: 'x-user' }];
      await mesh.apply(
        inboundPolicy('tokens', 'authn', 'tulle.http.jwt', { providers: [{ ...provider, claimsToHeaders }] }),
      );
      await until('the refusal in the status', () => {
        const { state, error } = kindsOf(mesh, 'server')['listener'] ?? {};
        assert.equal(state, 'NACKED');
        assert.match(error ?? '', /default\/tokens/);
      });
      assert.equal(await callAs(caller, {}), 401);
      assert.equal(await callAs(caller, bearer('https://login.test')), 200);
      await mesh.remove('/api/v1/resources/filterpolicies/default/tokens');
      await until('an answer without a token', async () => assert.equal(await callAs(caller, {}), 200));
      assert.equal(kindsOf(mesh, 'server')['listener']?.state, 'SYNCED');

      const check = (path: string): string =>
        inboundPolicy('check', 'authz', 'tulle.http.ext-authz', {
          service: {
            http: { url: `http://check${path}`, cluster: 'outbound|80||web.default.svc.mesh.local' },
          },
          timeoutMs: 5000,
        });
      await mesh.apply(check('/refuse'));
      await until('a refusal of the service', async () => assert.equal(await callAs(caller, {}), 402));
      await mesh.apply(check('/allow'));
      await until('an answer', async () => assert.equal(await callAs(caller, {}), 200));
      await mesh.remove('/api/v1/resources/filterpolicies/default/check');
      assert.equal(kindsOf(mesh, 'server')['listener']?.state, 'SYNCED');
    },
  },
];

/** A filter before the workload `server`. */
const inboundPolicy = (name: string, phase: string, filter: string, config: object): string =>
  `---\napiVersion: tulle.dev/v1alpha1\nkind: FilterPolicy\nmetadata: { name: ${name} }\nspec: { targetRefs: [{ group: '', kind: Service, name: server }], phase: ${phase}, filter: ${filter}, config: ${JSON.stringify(config)} }\n`;
