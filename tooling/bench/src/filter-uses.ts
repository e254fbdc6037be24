import { authz } from '@tulle/filter-authz';
import { compression } from '@tulle/filter-compression';
import { cors } from '@tulle/filter-cors';
import { extAuthz } from '@tulle/filter-ext-authz';
import { fault } from '@tulle/filter-fault';
import { headers } from '@tulle/filter-headers';
import { ipAllow } from '@tulle/filter-ip-allow';
import { jwt } from '@tulle/filter-jwt';
import { rateLimit } from '@tulle/filter-ratelimit';
import { retry } from '@tulle/filter-retry';
import type { ConnFilterUse, HttpFilterUse } from '@tulle/filter';

/** Which filter a run has. */
export interface FilterChoice {
  readonly name: FilterName | 'none';
  /** The keys that `jwt` believes. */
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

export type FilterName = keyof typeof FILTER_ABOUT;

/** Each filter as a usual configuration has it, doing what it does for requests that pass. */
export const FILTER_ABOUT = {
  'ip-allow': 'one network allowed, once a connection',
  cors: 'one origin, the request comes from it',
  jwt: 'ES256, verified once and then known, one claim to a header',
  authz: 'a DENY and an ALLOW policy on method, path and header',
  'ext-authz': 'a service over HTTP asked for every request, which answers at once',
  ratelimit: 'a bucket for each caller address, never empty',
  fault: 'for requests with a header that this one lacks',
  headers: 'one request and one response header set',
  retry: 'two retries with their budget, none needed',
  compression: 'gzip, the caller does not accept it',
} as const;

/** The filter for the engine's lists. */
export function filterUse({ name, keys }: FilterChoice): {
  http?: readonly HttpFilterUse[];
  connection?: readonly ConnFilterUse[];
} {
  switch (name) {
    case 'none':
      return {};
    case 'ip-allow':
      return { connection: [ipAllow({ allow: ['127.0.0.0/8'] })] };
    case 'cors':
      return { http: [cors({ allowOrigins: ['https://shop.example'], allowCredentials: true })] };
    case 'jwt':
      return {
        http: [
          jwt({
            providers: [
              {
                name: 'bench',
                issuer: 'https://login.example/',
                audiences: ['shop'],
                jwks: { keys },
                claimsToHeaders: [{ claim: 'sub', header: 'x-user' }],
              },
            ],
          }),
        ],
      };
    case 'authz':
      return {
        http: [
          authz({
            policies: [
              {
                name: 'bench/no-forbidden',
                action: 'DENY',
                rules: [{ to: { headers: [{ name: 'x-forbidden', match: { kind: 'present' } }] } }],
              },
              {
                name: 'bench/shop',
                action: 'ALLOW',
                rules: [{ to: { methods: ['GET', 'POST'], paths: ['/items*', '/orders*'] } }],
              },
            ],
          }),
        ],
      };
    case 'ext-authz':
      return {
        http: [extAuthz({ service: { http: { url: 'http://auth.example/check', cluster: 'origin' } } })],
      };
    case 'ratelimit':
      return {
        http: [
          rateLimit({
            limits: [{ name: 'per-caller', requests: 1_000_000_000, burst: 1_000_000_000, by: ['address'] }],
          }),
        ],
      };
    case 'fault':
      return {
        http: [fault({ abort: { status: 503, percent: 100 }, headers: { 'x-test': 'chaos' } })],
      };
    case 'headers':
      return {
        http: [
          headers({
            request: { set: [{ name: 'x-mesh-hop', value: 'bench' }] },
            response: { set: [{ name: 'x-frame-options', value: 'DENY' }] },
          }),
        ],
      };
    case 'retry':
      return { http: [retry({})] };
    case 'compression':
      return { http: [compression({ codings: ['gzip'] })] };
  }
}
