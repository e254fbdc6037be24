import type { JwtProvider, JwtRemoteKeys } from '@tulle/model';
import type { TestProxy, Upstream } from '@tulle/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { proxyWith } from '../tests/chain.ts';
import { provider, testIssuer } from '../tests/issuer.ts';
import { jwt } from './index.ts';

const first = await testIssuer('first');
const second = await testIssuer('second');
const rsa = await testIssuer('rsa', 'RS256');
const shared = { kty: 'oct', k: Buffer.alloc(32).toString('base64url'), kid: 'secret' };
const setOf = (...jwks: readonly object[]): { body: string } => ({ body: JSON.stringify({ keys: jwks }) });
const URL = 'http://127.0.0.1:9000/jwks';
const ADDRESS = '127.0.0.1:9000';

let running: TestProxy | undefined;
afterEach(async () => running?.stop());

async function start(
  answer: Upstream['answer'],
  remote: Partial<JwtRemoteKeys> = {},
  change: Partial<JwtProvider> = {},
) {
  const test = (running = await proxyWith(
    [jwt({ providers: [provider(first, { jwks: { url: URL, ...remote }, ...change })] }, { name: 'jwt' })],
    { [ADDRESS]: answer },
    { issuer: ADDRESS },
  ));
  await test.clock.settle();
  const send = (token: string): Promise<number> =>
    test
      .client()
      .request({ headers: { authorization: `Bearer ${token}` } })
      .then(({ status }) => status);
  const issuer = test.upstream(ADDRESS);
  return {
    test,
    issuer,
    send,
    ask: async (token: string): Promise<number> => {
      const status = send(token);
      await test.clock.settle();
      return status;
    },
    refused: (reason: string): number => test.meter.value('tulle_filter_jwt_refused_total', { reason }),
    warnings: (): string =>
      test.log.lines
        .filter(({ level }) => level === 'warn')
        .map(({ message }) => message)
        .join('\n'),
  };
}

describe('keys of an issuer', () => {
  it('are fetched when the filter is made, and every token is judged by them at once', async () => {
    const { ask, issuer, test } = await start(() => setOf(first.jwk));
    expect(issuer.requests).toHaveLength(1);
    expect(issuer.requests[0]?.header('accept')).toBe('application/jwk-set+json, application/json');
    expect([await ask(await first.token()), await ask(await second.token())]).toEqual([200, 401]);
    expect(test.meter.value('tulle_filter_jwt_jwks_keys', { provider: 'main' })).toBe(1);
  });

  it('may come through a cluster of the configuration', async () => {
    const { ask, issuer, warnings } = await start(() => setOf(first.jwk), {
      url: 'http://issuer.mesh/keys',
      cluster: 'issuer',
    });
    // The filter was made before the cluster; who comes first does not suffer for that.
    expect(await ask(await first.token())).toBe(200);
    expect(issuer.requests[0]?.header('host')).toBe('issuer.mesh');
    expect(warnings()).toBe('');
  });

  it('are asked for again and again while their cluster does not exist', async () => {
    const { ask, test, warnings } = await start(() => setOf(first.jwk), { cluster: 'isuer' });
    expect(await ask(await first.token())).toBe(503);
    await test.clock.advance(1_000);
    expect(warnings()).toContain('cluster_not_found{isuer}');
  });

  it('are refreshed in the background, never later than said, and rotate without a refused token', async () => {
    let keys = [first.jwk];
    const { ask, issuer, test } = await start(() => setOf(...keys), { refreshMs: 100_000 });
    const [old, fresh] = [await first.token({ exp: 2e9 }), await second.token({ exp: 2e9 })];
    expect(await ask(old)).toBe(200);
    keys = [first.jwk, second.jwk];
    await test.clock.advance(100_020);
    expect(issuer.requests).toHaveLength(2);
    expect([await ask(old), await ask(fresh)]).toEqual([200, 200]);
    expect(test.meter.value('tulle_filter_jwt_cache_hits_total')).toBe(1);
    keys = [second.jwk];
    await test.clock.advance(100_020);
    // A remembered token goes with its key.
    expect([await ask(old), await ask(fresh)]).toEqual([401, 200]);
    expect(issuer.requests.length).toBeLessThan(5);
  });

  it('are waited for by those who need them, with one fetch', async () => {
    let give: (answer: { body: string }) => void = () => {};
    const { send, issuer, test } = await start(() => new Promise((resolve) => (give = resolve)));
    const statuses = [send(await first.token()), send(await first.token()), send(await second.token())];
    await test.clock.advance(1_000);
    expect(issuer.requests).toHaveLength(1);
    give(setOf(first.jwk));
    await test.clock.settle();
    expect(await Promise.all(statuses)).toEqual([200, 200, 401]);
    expect(issuer.requests).toHaveLength(1);
  });

  it('that are slow are given up after the time-out, with 503; later ones come after a pause that grows', async () => {
    let answer: 'silence' | { body: string } = 'silence';
    const { send, ask, issuer, test, refused, warnings } = await start(() => answer, { timeoutMs: 1_000 });
    const waiting = send(await first.token());
    await test.clock.advance(1_020);
    expect(await waiting).toBe(503);
    expect(test.records.at(-1)).toMatchObject({
      code: 'TULLE_JWT_KEYS_UNAVAILABLE',
      details: 'jwt_authn_access_denied{Jwks_remote_fetch_is_failed}',
    });
    // Within the pause nobody waits and nobody is asked.
    expect(await ask(await first.token())).toBe(503);
    expect([issuer.requests.length, refused('keys-unavailable')]).toEqual([1, 2]);
    expect(warnings()).toMatch(/provider main, http:.*none are there yet.*response_timeout/);
    await test.clock.advance(20_000);
    expect(issuer.requests.length).toBeGreaterThan(2);
    expect(issuer.requests.length).toBeLessThan(8);
    answer = setOf(first.jwk);
    await test.clock.advance(60_000);
    expect(await ask(await first.token())).toBe(200);
  });

  it('a wait lasts no longer than its client: keys that come late harm nobody', async () => {
    let give: (answer: { body: string }) => void = () => {};
    const { issuer, test, ask } = await start(() => new Promise((resolve) => (give = resolve)));
    const client = test.client();
    client.send({ headers: { authorization: `Bearer ${await first.token()}` } });
    await test.clock.settle();
    client.connection.close(true);
    await test.clock.settle();
    give(setOf(first.jwk));
    await test.clock.settle();
    expect(await ask(await first.token())).toBe(200);
    expect(test.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    expect(test.meter.value('tulle_filter_errors_total')).toBe(0);
    expect(issuer.requests).toHaveLength(1);
  });

  const huge = { ...first.jwk, x5c: ['M'.repeat(300_000)] };
  it.each<[string, Awaited<ReturnType<Upstream['answer']>>, Partial<JwtRemoteKeys>, RegExp]>([
    ['huge', setOf(huge), {}, /payload_too_large/],
    [
      'huge in pieces',
      { chunks: Array.from({ length: 400 }, () => 'x'.repeat(1_000)) },
      {},
      /payload_too_large/,
    ],
    ['many', setOf(...Array.from({ length: 101 }, () => first.jwk)), {}, /101 keys, more than maxKeys 100/],
    [
      'elsewhere',
      { status: 302, headers: { location: 'http://127.0.0.1:9001/' } },
      {},
      /redirect \(302\).*not followed/,
    ],
    ['elsewhere for good', { status: 308, headers: { location: '/other' } }, {}, /redirect/],
    ['not there', { status: 404, body: 'no' }, {}, /status 404/],
    ['nothing', { status: 204 }, {}, /status 204/],
    ['no JSON', { body: '<html>' }, {}, /no JSON/],
    ['no set', { body: '[]' }, {}, /no JWK Set/],
    ['null', { body: 'null' }, {}, /no JWK Set/],
    ['a set that says keys twice', { body: '{"keys":[],"keys":[]}' }, {}, /names a member twice/],
    [
      'nested without end',
      { body: `{"keys":${'['.repeat(5_000)}${']'.repeat(5_000)}}` },
      {},
      /nested too deep/,
    ],
    ['an empty set', setOf(), {}, /it is empty/],
    [
      'private keys',
      setOf({ ...first.jwk, d: 'AAAA' }),
      {},
      /no key .* can be used: key 0: it is a private key/,
    ],
    ['shared secrets', setOf(shared), {}, /shared secret, which nobody may publish/],
    ['no objects', setOf(7 as never), {}, /key 0: it is no object/],
    [
      'other types',
      setOf({ kty: 'EC', crv: 'secp256k1', x: 'A', y: 'A' }),
      {},
      /fits none of the algorithms/,
    ],
    ['no HTTP', 'HTTP/9 hello\r\n\r\n', {}, /protocol/],
    ['cut off', 'reset', {}, /reset/],
  ])(
    'that are %s change nothing: those that were fetched keep working',
    async (_what, bad, remote, message) => {
      let answer: Awaited<ReturnType<Upstream['answer']>> = setOf(first.jwk);
      const { ask, test, warnings } = await start(() => answer, { refreshMs: 10_000, ...remote });
      expect(await ask(await first.token())).toBe(200);
      answer = bad;
      await test.clock.advance(60_000);
      expect(await ask(await first.token({ sub: 'bob' }))).toBe(200);
      expect(warnings()).toMatch(message);
      expect(warnings()).toContain('those fetched before stay in use');
      expect(test.meter.value('tulle_filter_jwt_jwks_fetches_total', { result: 'failure' })).toBeGreaterThan(
        0,
      );
      expect(test.meter.value('tulle_filter_jwt_jwks_keys')).toBe(1);
    },
  );

  it('that cannot be used are skipped, with why, and the others are used', async () => {
    const { ask, warnings } = await start(() =>
      setOf(shared, { ...second.jwk, use: 'enc' }, { ...rsa.jwk, alg: 'RS512' }, first.jwk),
    );
    expect(await ask(await first.token())).toBe(200);
    expect(await ask(await second.token())).toBe(401);
    // The key says what it is for.
    expect(await ask(await rsa.token())).toBe(401);
    expect(warnings()).toMatch(/key 0 of the set is not used: .*secret/);
    expect(warnings()).toMatch(/key 1 of the set is not used: its use is not sig/);
  });
});

describe('a token with an unknown key', () => {
  it('asks for the keys again, at most once in the cooldown, whoever asks and how often', async () => {
    let keys = [first.jwk];
    const { ask, issuer, test } = await start(() => setOf(...keys), { cooldownMs: 30_000 });
    expect(await ask(await second.token())).toBe(401);
    for (let n = 0; n < 20; n += 1) await ask(await second.token({}, { kid: `made-up-${n}` }));
    expect(issuer.requests).toHaveLength(1);
    await test.clock.advance(30_020);
    keys = [first.jwk, second.jwk];
    expect(await ask(await second.token())).toBe(200);
    expect(issuer.requests).toHaveLength(2);
    for (let n = 0; n < 20; n += 1) await ask(await second.token({}, { kid: `made-up-${n}` }));
    expect(issuer.requests).toHaveLength(2);
  });

  it('that is wrong otherwise asks for nothing', async () => {
    const { ask, issuer, test } = await start(() => setOf(first.jwk), { cooldownMs: 0 });
    await test.clock.advance(1_000);
    expect(await ask(await second.token({ exp: 1 }))).toBe(401);
    expect(await ask(await second.token({ aud: 'bank' }))).toBe(401);
    expect(await ask(await second.token({ iss: 'https://evil.example' }))).toBe(401);
    expect(issuer.requests).toHaveLength(1);
  });
});

it('a filter that is gone fetches nothing and says nothing', async () => {
  const { test, issuer, warnings } = await start(() => 'silence', { timeoutMs: 5_000 });
  const [listener] = test.proxy.config.listeners;
  const [chain] = listener?.filterChains ?? [];
  if (listener === undefined || chain?.handler.kind !== 'http') throw new Error('no chain');
  await test.proxy.update({
    ...test.proxy.config,
    version: '2',
    listeners: [{ ...listener, filterChains: [{ ...chain, handler: { ...chain.handler, filters: [] } }] }],
  });
  await test.clock.advance(600_000);
  expect(issuer.requests).toHaveLength(1);
  expect(warnings()).toBe('');
});
