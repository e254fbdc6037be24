import type { HttpFilterUse, ConnFilterUse } from '@tulle/filter';
import { authz } from '@tulle/filter-authz';
import { cors } from '@tulle/filter-cors';
import { extAuthz } from '@tulle/filter-ext-authz';
import { headers } from '@tulle/filter-headers';
import { ipAllow } from '@tulle/filter-ip-allow';
import { jwt } from '@tulle/filter-jwt';
import { cluster, createProxy, httpListener, route } from '@tulle/proxy';
import type { Target } from '../client.ts';
import { startAuthorizer } from './authorizer.ts';
import type { Gate } from './policy-case.ts';
import { AUDIENCE, ISSUER, type Issuer } from './token-maker.ts';

/** A proxy with a listener for each policy. */
export interface GuardedProxy {
  readonly gates: Readonly<Record<Gate, Target>>;
  stop(): Promise<void>;
}

/** Long enough for a check on a busy machine, short enough to try many that never end. */
const CHECK_TIMEOUT_MS = 300;

/** What guards each gate. */
function guardsOf(
  issuer: Issuer,
): Readonly<Record<Gate, { filters?: HttpFilterUse[]; connectionFilters?: ConnFilterUse[] }>> {
  const deny = (to: object): HttpFilterUse =>
    authz({ policies: [{ name: 'test/deny', action: 'DENY', rules: [{ to }] }] });
  return {
    paths: { filters: [deny({ paths: ['/admin', '/admin/*'] })] },
    'paths-allow': {
      filters: [
        authz({
          policies: [
            { name: 'test/allow', action: 'ALLOW', rules: [{ to: { paths: ['/public', '/public/*'] } }] },
          ],
        }),
      ],
    },
    hosts: { filters: [deny({ hosts: ['admin.test'] })] },
    roles: {
      filters: [
        deny({ headers: [{ name: 'x-role', match: { kind: 'exact', value: 'admin', ignoreCase: true } }] }),
      ],
    },
    edge: {
      filters: [
        headers({
          request: { remove: ['x-user', 'x_user', 'x_gate'], set: [{ name: 'x-gate', value: 'passed' }] },
        }),
      ],
    },
    tokens: {
      filters: [
        jwt({
          providers: [
            {
              name: 'issuer',
              issuer: ISSUER,
              audiences: [AUDIENCE],
              jwks: { keys: issuer.jwks },
              from: [{ header: 'authorization' }, { query: 'token' }],
              claimsToHeaders: [{ claim: 'sub', header: 'x-user' }],
            },
          ],
        }),
        authz({
          policies: [
            {
              name: 'test/admins',
              action: 'DENY',
              rules: [
                {
                  to: { paths: ['/admin*'] },
                  when: [{ key: 'request.auth.claims[role]', notValues: ['admin'] }],
                },
              ],
            },
          ],
        }),
      ],
    },
    networks: { connectionFilters: [ipAllow({ allow: ['192.0.2.0/24', '2001:db8::/32'] })] },
    asked: {
      filters: [
        extAuthz({
          service: {
            http: { url: 'http://authorizer.test', cluster: 'authorizer', upstreamHeaders: ['x-verdict'] },
          },
          timeoutMs: CHECK_TIMEOUT_MS,
        }),
      ],
    },
    origins: {
      filters: [cors({ allowOrigins: ['https://shop.test'], allowMethods: ['PUT'], allowCredentials: true })],
    },
  };
}

/** No guard; pages of everybody may read. */
function weakenedGuard(name: Gate): Partial<Parameters<typeof httpListener>[0]> {
  return {
    identityHeaders: 'keep',
    ...(name === 'origins' ? { filters: [cors({ allowOrigins: ['*'], allowMethods: ['PUT'] })] } : {}),
  };
}

/** Starts the proxy before an origin. @param weakened no gate has its guard */
export async function startGuardedProxy(
  originPort: number,
  issuer: Issuer,
  weakened = false,
): Promise<GuardedProxy> {
  const authorizer = await startAuthorizer();
  const guards = guardsOf(issuer);
  const names = Object.keys(guards) as Gate[];
  const proxy = createProxy({
    listeners: names.map((name) =>
      httpListener({
        name,
        port: 0,
        routes: [route('/', 'origin')],
        ...(weakened ? weakenedGuard(name) : guards[name]),
      }),
    ),
    clusters: [
      cluster('origin', [`127.0.0.1:${originPort}`]),
      cluster('authorizer', [`127.0.0.1:${authorizer.port}`]),
    ],
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  await proxy.start();
  const addresses = proxy.addresses();
  const gates = Object.fromEntries(
    names.map((name): [Gate, Target] => {
      const address = addresses[name];
      if (address === undefined || !('port' in address)) throw new Error(`listener ${name} has no port`);
      return [name, { host: '127.0.0.1', port: address.port }];
    }),
  ) as Record<Gate, Target>;
  return {
    gates,
    async stop() {
      await proxy.stop();
      await authorizer.stop();
    },
  };
}
