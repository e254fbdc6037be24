import {
  CONTINUE,
  defineHttpFilter,
  VERIFIED_TOKENS,
  type HttpFilterUse,
  type VerifiedToken,
} from '@tulle/filter';
import type { AuthzCondition, AuthzFilterConfig } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { runChain, type ChainRun } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { authz } from './index.ts';

const token = (
  claims: Readonly<Record<string, unknown>>,
  rest: Partial<VerifiedToken> = {},
): VerifiedToken => ({
  provider: 'main',
  issuer: 'https://issuer.example',
  subject: 'alice',
  principal: 'https://issuer.example/alice',
  audiences: ['shop', 'api'],
  presenter: 'app',
  claims,
  ...rest,
});

/** Stands for whatever verifies tokens. */
function verified(tokens: readonly VerifiedToken[]): HttpFilterUse {
  return defineHttpFilter({
    apiVersion: 1,
    id: 'verified',
    config: jsonSchema<object>({ type: 'object' }),
    provides: [VERIFIED_TOKENS],
    unrouted: true,
    create: () => ({
      requestHeaders(stream) {
        if (tokens.length > 0) stream.set(VERIFIED_TOKENS, tokens);
        return CONTINUE;
      },
    }),
  })({});
}

const policies = (action: 'ALLOW' | 'DENY', when: readonly AuthzCondition[]): AuthzFilterConfig => ({
  policies: [{ name: 'default/p', action, rules: [{ when }] }],
});

async function status(
  config: AuthzFilterConfig,
  tokens: readonly VerifiedToken[],
  run: Partial<ChainRun> = {},
) {
  const { response } = await runChain({
    filters: [verified(tokens), authz(config, { name: 'authz' })],
    ...run,
  });
  return response?.status;
}

/** What an ALLOW and a DENY of the same conditions do with tokens: `a` the one lets pass, `d` the other denies. */
async function both(when: readonly AuthzCondition[], ...tokens: readonly VerifiedToken[]): Promise<string> {
  const allow = await status(policies('ALLOW', when), tokens);
  const deny = await status(policies('DENY', when), tokens);
  return `${allow === 200 ? 'a' : '-'}${deny === 403 ? 'd' : '-'}`;
}

const claims = (name: string, more: Omit<AuthzCondition, 'key'>): AuthzCondition[] => [
  { key: `request.auth.claims[${name}]`, ...more },
];

describe('a condition on a token', () => {
  const groups = token({ groups: ['dev', 'ops'] });
  it.each<[string, readonly AuthzCondition[], readonly VerifiedToken[], string]>([
    ['one of the values', claims('groups', { values: ['ops', 'x'] }), [groups], 'ad'],
    ['none of the values', claims('groups', { values: ['op', 'dev ops'] }), [groups], '--'],
    ['a text', claims('role', { values: ['admin'] }), [token({ role: 'admin' })], 'ad'],
    [
      'a text with words is one value',
      claims('name', { values: ['admin'] }),
      [token({ name: 'admin user' })],
      '--',
    ],
    ['the words of scope', claims('scope', { values: ['write'] }), [token({ scope: 'read write' })], 'ad'],
    [
      'the words of scp in a list',
      claims('scp', { values: ['write'] }),
      [token({ scp: ['read', 'write'] })],
      'ad',
    ],
    ['a number', claims('level', { values: ['3'] }), [token({ level: 3 })], 'ad'],
    ['a truth value', claims('admin', { values: ['true'] }), [token({ admin: true })], 'ad'],
    ['an object is no value', claims('o', { values: ['*'] }), [token({ o: {} })], '--'],
    ['an absent claim', claims('role', { values: ['*'] }), [token({})], '--'],
    ['an empty claim', claims('role', { values: ['*'] }), [token({ role: '' })], '--'],
    ['any value', claims('role', { values: ['*'] }), [token({ role: 'x' })], 'ad'],
    ['a prefix', claims('role', { values: ['ad*'] }), [token({ role: 'admin' })], 'ad'],
    ['a suffix', claims('mail', { values: ['*@example.com'] }), [token({ mail: 'a@example.com' })], 'ad'],
    [
      'a suffix that is not',
      claims('mail', { values: ['*@example.com'] }),
      [token({ mail: 'a@example.com.evil' })],
      '--',
    ],
    ['within objects', claims('realm][roles', { values: ['a'] }), [token({ realm: { roles: ['a'] } })], 'ad'],
    ['within no object', claims('realm][length', { values: ['*'] }), [token({ realm: 'text' })], '--'],
    ['a claim of the prototype', claims('constructor][name', { values: ['*'] }), [token({})], '--'],
    [
      'a claim named by a URL',
      claims('https://a.example/g', { values: ['x'] }),
      [token({ 'https://a.example/g': 'x' })],
      'ad',
    ],
    [
      'the principal',
      [{ key: 'request.auth.principal', values: ['https://issuer.example/*'] }],
      [groups],
      'ad',
    ],
    [
      'no principal',
      [{ key: 'request.auth.principal', values: ['*'] }],
      [token({}, { principal: undefined })],
      '--',
    ],
    ['an audience', [{ key: 'request.auth.audiences', values: ['api'] }], [groups], 'ad'],
    ['the presenter', [{ key: 'request.auth.presenter', values: ['app'] }], [groups], 'ad'],
    ['not a value', claims('groups', { notValues: ['qa'] }), [groups], 'ad'],
    ['not a value, and it is there', claims('groups', { notValues: ['dev'] }), [groups], '--'],
    ['not a value of an absent claim', claims('role', { notValues: ['x'] }), [groups], 'ad'],
    ['a value and not another', claims('groups', { values: ['dev'], notValues: ['ops'] }), [groups], '--'],
    [
      'two conditions',
      [...claims('groups', { values: ['dev'] }), ...claims('role', { values: ['x'] })],
      [groups],
      '--',
    ],
    // Nobody proved anything: not enough to allow, enough to deny what is not excluded.
    ['no token, a value', claims('groups', { values: ['dev'] }), [], '--'],
    ['no token, not a value', claims('groups', { notValues: ['dev'] }), [], '-d'],
    ['no token, both', claims('groups', { values: ['a'], notValues: ['dev'] }), [], '--'],
    // Two tokens.
    [
      'two halves of two tokens',
      [...claims('a', { values: ['1'] }), ...claims('b', { values: ['1'] })],
      [token({ a: '1' }), token({ b: '1' })],
      '--',
    ],
    ['the second token', claims('b', { values: ['1'] }), [token({ a: '1' }), token({ b: '1' })], 'ad'],
    [
      'not a value that one of two has',
      claims('a', { notValues: ['1'] }),
      [token({ a: '1' }), token({ b: '1' })],
      '-d',
    ],
  ])('%s', async (_what, when, tokens, expected) => {
    expect(await both(when, ...tokens)).toBe(expected);
  });

  it('stands beside who calls and what is called', async () => {
    const config: AuthzFilterConfig = {
      policies: [
        {
          name: 'default/p',
          action: 'ALLOW',
          rules: [
            {
              from: { identities: ['spiffe://mesh.local/*'] },
              to: { methods: ['GET'] },
              when: claims('role', { values: ['admin'] }),
            },
          ],
        },
      ],
    };
    const admin = [token({ role: 'admin' })];
    const caller = { tls: { identity: 'spiffe://mesh.local/ns/default/sa/web' } };
    expect(await status(config, admin, { caller })).toBe(200);
    expect(await status(config, admin)).toBe(403);
    expect(await status(config, admin, { caller, request: { method: 'POST' } })).toBe(403);
    expect(await status(config, [], { caller })).toBe(403);
  });

  it('needs a filter that verifies tokens, on the chain and on each route', async () => {
    const config = policies('DENY', claims('role', { values: ['x'] }));
    await expect(runChain({ filters: [authz(config, { name: 'authz' })] })).rejects.toThrow(
      /requires the slot tulle.authn.tokens, which no earlier filter provides/,
    );
    await expect(
      runChain({
        filters: [authz({ policies: [] }, { name: 'authz' })],
        filterConfigs: { authz: config },
      }),
    ).rejects.toThrow(/requires the slot tulle.authn.tokens/);
    expect((await runChain({ filters: [authz({ policies: [] })] })).response?.status).toBe(200);
  });

  it.each<[AuthzCondition, RegExp]>([
    [{ key: 'request.auth.claim[a]', values: ['x'] }, /\/when\/0\/key/],
    [{ key: 'request.auth.claims', values: ['x'] }, /\/when\/0\/key/],
    [{ key: 'request.auth.claims[]', values: ['x'] }, /\/when\/0\/key/],
    [{ key: 'source.ip', values: ['x'] }, /\/when\/0\/key/],
    [{ key: 'request.auth.principal' }, /\/when\/0/],
    [{ key: 'request.auth.principal', values: [] }, /\/when\/0\/values/],
    [{ key: 'request.auth.principal', values: ['a*b'] }, /\/when\/0\/values\/0 .* one \* only/],
    [{ key: 'request.auth.principal', notValues: ['*b*'] }, /\/when\/0\/notValues\/0 .* one \* only/],
  ])('that means nothing is refused: %o', async (condition, message) => {
    await expect(status(policies('ALLOW', [condition]), [])).rejects.toThrow(message);
  });
});
