import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Field, Json } from '../configuration.ts';
import { typed } from '../resources.ts';
import {
  type Claims,
  type KeyName,
  keySet,
  signedByPublicKey,
  tampered,
  token,
  unsigned,
} from '../tokens.ts';
import { everyHost } from './vocabulary.ts';

const FILTER = 'envoy.filters.http.jwt_authn';

/** Bearer tokens: which are believed, what is asked for where, and what of them goes on. */
export const jwt: Area = {
  name: 'jwt',
  short: 50,
  make(chance): Configuration {
    const names = Object.keys(NAMED);
    return {
      httpFilters: [{ name: FILTER, typed_config: filterOf(chance) }],
      routes: everyHost([
        {
          match: { prefix: '/own' },
          route: { cluster: 'a' },
          ...(chance.maybe(0.6) && {
            typed_per_filter_config: {
              [FILTER]: typed(
                'envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig',
                chance.maybe(0.2) ? { disabled: true } : { requirement_name: chance.pick(names) },
              ),
            },
          }),
        },
        { match: { prefix: '/' }, route: { cluster: 'b' } },
      ]),
      exchanges: Array.from({ length: 8 }, () => request(chance)),
    };
  },
};

/** Requirements that routes and rules name. */
const NAMED: Readonly<Record<string, Json>> = {
  'by-one': { provider_name: 'one' },
  'by-two': { provider_name: 'two' },
  'for-admins': { provider_and_audiences: { provider_name: 'one', audiences: ['admins'] } },
  either: { requires_any: { requirements: [{ provider_name: 'one' }, { provider_name: 'two' }] } },
  'one-or-none': { requires_any: { requirements: [{ provider_name: 'one' }, { allow_missing: {} }] } },
  'one-or-bad': {
    requires_any: { requirements: [{ provider_name: 'one' }, { allow_missing_or_failed: {} }] },
  },
  both: { requires_all: { requirements: [{ provider_name: 'one' }, { provider_name: 'two' }] } },
};

function filterOf(chance: Chance): Json {
  const requirement = (): Json =>
    chance.maybe(0.3)
      ? { requirement_name: chance.pick(Object.keys(NAMED)) }
      : { requires: chance.pick(Object.values(NAMED)) };
  return typed('envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication', {
    providers: {
      one: providerOf(chance, 'one', false),
      two: providerOf(chance, 'two', true),
    },
    rules: [
      ...(chance.maybe(0.3) ? [{ match: { path: '/open' } }] : []),
      ...(chance.maybe(0.4) ? [{ match: { prefix: '/api' }, ...requirement() }] : []),
      ...(chance.maybe(0.2)
        ? [
            {
              match: { prefix: '/', headers: [{ name: ':method', string_match: { exact: 'POST' } }] },
              ...requirement(),
            },
          ]
        : []),
      ...(chance.maybe(0.8) ? [{ match: { prefix: '/' }, ...requirement() }] : []),
    ],
    requirement_map: NAMED,
    ...(chance.maybe(0.2) && { bypass_cors_preflight: true }),
    ...(chance.maybe(0.15) && { strip_failure_response: true }),
  });
}

/** @param elsewhere tokens of the other provider stand where none of this one's do, if they are told apart at all */
function providerOf(chance: Chance, name: KeyName, elsewhere: boolean): Json {
  return {
    issuer: issuerOf(name),
    local_jwks: { inline_string: keySet(name) },
    ...(chance.maybe(0.5) && {
      audiences: chance.pick([['users'], ['users', 'admins'], ['https://api.test/']]),
    }),
    ...(chance.maybe(0.4) && { forward: true }),
    ...(elsewhere && chance.maybe(0.6)
      ? chance.pick<Json>([
          { from_headers: [{ name: 'x-token' }] },
          { from_headers: [{ name: 'x-token', value_prefix: 'Token ' }] },
          { from_params: ['token'] },
          { from_cookies: ['token'] },
        ])
      : {}),
    ...(chance.maybe(0.4) && {
      claim_to_headers: chance.sample<Json>(
        [
          { header_name: 'x-sub', claim_name: 'sub' },
          { header_name: 'x-age', claim_name: 'age' },
          { header_name: 'x-nested', claim_name: 'profile.city' },
          { header_name: 'x-staff', claim_name: 'staff' },
          { header_name: 'x-groups', claim_name: 'groups' },
        ],
        chance.int(1, 3),
      ),
    }),
    ...(chance.maybe(0.3) && { forward_payload_header: `x-payload-${name}` }),
    ...(chance.maybe(0.2) && { pad_forward_payload_header: true }),
    ...(chance.maybe(0.2) && { require_expiration: true }),
    ...(chance.maybe(0.2) && { clock_skew_seconds: chance.pick([1, 600]) }),
    ...(chance.maybe(0.15) && { max_lifetime: chance.pick(['60s', '86400s']) }),
    ...(chance.maybe(0.2) && { subjects: { prefix: 'al' } }),
  };
}

const issuerOf = (name: string): string => `https://${name}.test/`;

/** @returns a token and what is told of it */
function tokenOf(chance: Chance): string {
  const key = chance.pick<KeyName>(['one', 'one', 'two']);
  const now = Math.floor(Date.now() / 1000);
  const claims: Claims = {
    iss: issuerOf(key),
    sub: chance.pick(['alice', 'bob']),
    aud: chance.pick<unknown>([
      'users',
      ['users', 'admins'],
      'other',
      ['admins'],
      'https://api.test',
      'https://api.test/',
    ]),
    iat: now - 1_000,
    exp: now + 3_600,
    age: chance.pick([7, 41]),
    staff: chance.maybe(0.5),
    profile: { city: 'Ghent' },
    groups: ['x', 'y'],
  };
  const { exp: _exp, ...endless } = claims;
  const { aud: _aud, ...audienceless } = claims;
  return chance.pick<() => string>([
    ...Array<() => string>(6).fill(() => token(key, claims)),
    () => token(key, { ...claims, exp: now - chance.pick([300, 90_000]) }),
    () => token(key, { ...claims, nbf: now + chance.pick([300, 90_000]) }),
    () => token(key, { ...claims, nbf: now - 10 }),
    () => token(key, endless),
    () => token(key, audienceless),
    () =>
      token(key, {
        ...claims,
        iss: chance.pick(['https://other.test/', issuerOf(key === 'one' ? 'two' : 'one')]),
      }),
    () => token('stranger', claims, { kid: key }),
    () => token('stranger', claims),
    () => token(key, claims, { kid: undefined }),
    () => unsigned(claims),
    () => signedByPublicKey(key, claims),
    () => tampered(key, claims, { ...claims, sub: 'root' }),
    () => chance.pick(['x', 'a.b', 'a.b.c', `${token(key, claims)}x`, `${token(key, claims)}.x`, '']),
  ])();
}

function request(chance: Chance): Exchange {
  const headers: Field[] = [];
  let query = '';
  const place = (text: string): void => {
    switch (chance.int(0, 9)) {
      case 0:
        headers.push(['x-token', chance.maybe(0.5) ? text : `Token ${text}`]);
        break;
      case 1:
        query = `?${chance.pick(['token', 'access_token'])}=${text}`;
        break;
      case 2:
        headers.push(['cookie', `token=${text}; other=1`]);
        break;
      case 3:
        headers.push(['authorization', chance.pick([`bearer ${text}`, `Basic ${text}`, text])]);
        break;
      default:
        headers.push(['authorization', `Bearer ${text}`]);
    }
  };
  if (chance.maybe(0.85)) place(tokenOf(chance));
  if (chance.maybe(0.1)) place(tokenOf(chance));
  if (chance.maybe(0.1)) headers.push(['x-sub', 'mine']);
  const preflight = chance.maybe(0.08);
  if (preflight) headers.push(['origin', 'https://one.test'], ['access-control-request-method', 'PUT']);
  return {
    method: preflight ? 'OPTIONS' : chance.pick(['GET', 'GET', 'POST']),
    path: chance.pick(['/', '/own', '/api/x', '/open']) + query,
    headers,
  };
}
