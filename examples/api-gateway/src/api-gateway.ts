import { authz } from '@tulle/filter-authz';
import { compression } from '@tulle/filter-compression';
import { cors } from '@tulle/filter-cors';
import { extAuthz } from '@tulle/filter-ext-authz';
import { ipAllow } from '@tulle/filter-ip-allow';
import { jwt } from '@tulle/filter-jwt';
import { cluster, createProxy, httpListener, route, type Proxy } from '@tulle/proxy';

/** What the gateway stands between. */
export interface GatewayOptions {
  readonly port: number;
  /** The API, `host:port`. */
  readonly api: string;
  /** Who is asked about every request, `host:port`. */
  readonly authorizer: string;
  /** The issuer of tokens: its name, and its keys behind TLS by this root (PEM). */
  readonly issuer: { readonly name: string; readonly address: string; readonly caPem: string };
}

/**
 * The edge of an API, in the order in which a request meets it: who may connect, pages of the shop, a token of the issuer, its
 * claims, and last what a service of one's own says. Answers are compressed.
 */
export function apiGateway({ port, api, authorizer, issuer }: GatewayOptions): Proxy {
  return createProxy({
    listeners: [
      httpListener({
        name: 'edge',
        host: '127.0.0.1',
        port,
        connectionFilters: [ipAllow({ deny: ['192.0.2.0/24'] })],
        filters: [
          compression({}),
          cors({
            allowOrigins: ['https://shop.example'],
            allowMethods: ['PUT'],
            allowHeaders: ['authorization'],
          }),
          jwt({
            providers: [
              {
                name: 'issuer',
                issuer: issuer.name,
                audiences: ['api'],
                jwks: { url: `https://localhost/jwks`, cluster: 'issuer' },
                claimsToHeaders: [{ claim: 'sub', header: 'x-user' }],
              },
            ],
          }),
          authz({
            policies: [
              {
                name: 'admins-only',
                action: 'DENY',
                rules: [
                  {
                    to: { paths: ['/admin*'] },
                    when: [{ key: 'request.auth.claims[groups]', notValues: ['admin'] }],
                  },
                ],
              },
            ],
          }),
          extAuthz({
            service: {
              http: { url: 'http://authorizer/check', cluster: 'authorizer', requestHeaders: ['x-user'] },
            },
            timeoutMs: 1_000,
          }),
        ],
        routes: [route('/', 'api')],
      }),
    ],
    clusters: [
      cluster('api', [api]),
      cluster('authorizer', [authorizer]),
      cluster('issuer', [issuer.address], {
        tls: {
          trust: { kind: 'inline', caPem: issuer.caPem },
          serverName: 'localhost',
          minVersion: 'TLSv1.2',
        },
      }),
    ],
  });
}
