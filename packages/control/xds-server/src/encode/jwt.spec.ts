import { describe, expect, it } from 'vitest';
import { encodeJwt, encodeJwtRoute } from './jwt.ts';

const key = { kty: 'EC', crv: 'P-256', x: 'eA', y: 'eQ' };
const provider = (more: object = {}, name = 'a'): object => ({
  ...{ name, issuer: `https://${name}.test`, jwks: { keys: [key] } },
  ...more,
});
const said = (config: object) => encodeJwt({ providers: [provider()], ...config });
const both = [provider(), provider({}, 'b')];
const IGNORE = { ignore: true };

describe('bearer tokens in words of Envoy', () => {
  it('say who, how long and what of a token is told', () => {
    const one = said({
      providers: [
        provider({
          subjects: { kind: 'prefix', value: 'al' },
          maxLifetimeMs: 90_500,
          metadata: { payload: 'p', wordLists: ['scope'] },
          maxCachedTokens: 7,
        }),
      ],
      silentRefusals: true,
      bypassPreflight: true,
    });
    expect(one).toMatchObject({ stripFailureResponse: true, bypassCorsPreflight: true });
    expect(one?.providers['a']).toMatchObject({
      subjects: { matchPattern: { case: 'prefix', value: 'al' } },
      maxLifetime: { seconds: 90n, nanos: 500_000_000 },
      payloadInMetadata: 'p',
      normalizePayloadInMetadata: { spaceDelimitedClaims: ['scope'] },
      jwtCacheConfig: { jwtCacheSize: 7 },
    });
  });

  it('ask for nothing by a rule without requirement, and by none at the end', () => {
    const one = said({ rules: [{ match: { method: 'GET' }, requires: IGNORE }], requires: IGNORE });
    expect(one?.rules.map(({ requirementType }) => requirementType.case)).toEqual([undefined]);
    expect(said({ rules: [{ match: {}, requires: IGNORE }] })?.rules.length).toBe(2);
  });

  it('of one that must hold are that one', () => {
    expect(
      said({ requires: { any: [{ all: [{ provider: 'a' }] }] } })?.rules[0]?.requirementType,
    ).toMatchObject({
      value: { requiresType: { case: 'providerName', value: 'a' } },
    });
  });

  it('are named by routes, or are none there; no others are said by routes', () => {
    expect(said({ requirements: { users: { provider: 'a' } } })?.requirementMap['users']).toMatchObject({
      requiresType: { case: 'providerName', value: 'a' },
    });
    expect(encodeJwtRoute({ requirement: 'users' })?.requirementSpecifier).toEqual({
      case: 'requirementName',
      value: 'users',
    });
    expect(encodeJwtRoute({ requires: IGNORE })?.requirementSpecifier).toEqual({
      case: 'disabled',
      value: true,
    });
    for (const other of [{ requires: { provider: 'a' } }, { requirement: '' }, undefined])
      expect(encodeJwtRoute(other)).toBeUndefined();
  });

  it.each<[string, object]>([
    ['a subject that none is', { providers: [provider({ subjects: { kind: 'regex', value: '.*' } })] }],
    [
      'a subject by a pattern that is not read',
      { providers: [provider({ subjects: { kind: 'regex', value: '(?i)a' } })] },
    ],
    ['any subject that is there', { providers: [provider({ subjects: { kind: 'present' } })] }],
    ['a cache of none', { providers: [provider({ maxCachedTokens: 0 })] }],
    ['claims in headers', { providers: [provider({ claimsToHeaders: [{ claim: 'sub', header: 'x' }] })] }],
    [
      'whatever is there, deep within',
      { requires: { all: [{ any: [{ provider: 'a' }, { allowFailed: true }] }, { provider: 'a' }] } },
    ],
    ['nothing, within another', { requires: { any: [{ provider: 'a' }, IGNORE] } }],
    [
      'whatever is there of one alone',
      { providers: both, requires: { any: [{ provider: 'a' }, { allowFailed: true }] } },
    ],
  ])('have none for %s', (_what, config) => {
    expect(said(config)).toBeUndefined();
  });
});
