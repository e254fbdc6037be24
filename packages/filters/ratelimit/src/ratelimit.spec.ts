import { RATE_LIMIT_FILTER, type RateLimitFilterConfig } from '@tulle/model';
import { testProxy, type Caller, type TestProxy } from '@tulle/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { TokenBank } from '@tulle/time';
import { rateLimit, sharedRateLimit } from './index.ts';

let test: TestProxy | undefined;
afterEach(async () => {
  await test?.stop();
  test = undefined;
});

/** A proxy with the filter; routes `/a`, `/b` and the rest, of which `/b` may have limits of its own. */
async function proxy(
  config: RateLimitFilterConfig,
  ofRouteB?: unknown,
  filter = rateLimit,
): Promise<TestProxy> {
  const route = (name: string, value: string, own?: unknown) => ({
    name,
    match: { path: { kind: 'prefix' as const, value } },
    action: { kind: 'forward' as const, clusters: [{ name: 'service' }] },
    ...(own === undefined ? {} : { filterConfigs: { limits: own } }),
  });
  test = await testProxy({
    listeners: [
      {
        name: 'test',
        address: { host: '127.0.0.1', port: 8080 },
        filterChains: [
          {
            name: 'all',
            tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' }, clientCertificate: 'accept' },
            handler: {
              kind: 'http',
              filters: [{ name: 'limits', filter: RATE_LIMIT_FILTER, config }],
              routes: {
                name: 'routes',
                virtualHosts: [
                  {
                    name: 'all',
                    domains: ['*'],
                    routes: [route('a', '/a'), route('b', '/b', ofRouteB), route('rest', '/')],
                  },
                ],
              },
            },
          },
        ],
      },
    ],
    registry: [filter],
    clusters: [
      {
        name: 'service',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
      },
    ],
    upstreams: { '10.0.0.1:80': () => ({ body: 'ok' }) },
  });
  return test;
}

async function statuses(
  count: number,
  path = '/a',
  caller: Caller = {},
  headers: Record<string, string> = {},
): Promise<number[]> {
  const client = (test as TestProxy).client({ tls: {}, ...caller });
  const seen: number[] = [];
  for (let request = 0; request < count; request += 1)
    seen.push((await client.request({ path, headers })).status);
  return seen;
}

describe('a limit', () => {
  it('lets a burst pass, refuses the rest with retry-after, and refills evenly', async () => {
    const { clock, client, records, meter } = await proxy({
      limits: [{ name: 'all', requests: 2, intervalMs: 10_000, burst: 3 }],
    });
    expect(await statuses(4)).toEqual([200, 200, 200, 429]);
    const refused = await client({ tls: {} }).request({ path: '/a' });
    expect([refused.status, refused.header('retry-after')]).toEqual([429, '5']);
    expect(records.at(-1)).toMatchObject({
      code: 'TULLE_RATE_LIMITED',
      details: 'request_rate_limited[all]',
      flags: ['RL'],
    });
    expect(meter.value('tulle_filter_ratelimit_refused_total', { limit: 'all', filter: 'limits' })).toBe(2);
    await clock.advance(4_500);
    expect((await client({ tls: {} }).request({ path: '/a' })).header('retry-after')).toBe('1');
    await clock.advance(500);
    expect(await statuses(2)).toEqual([200, 429]);
    await clock.advance(1_000_000);
    expect(await statuses(4)).toEqual([200, 200, 200, 429]);
  });

  it('does what retry-after says: a caller who waits so long is let pass', async () => {
    const { clock, client } = await proxy({
      limits: [{ name: 'all', requests: 7, intervalMs: 60_000, burst: 1 }],
    });
    await statuses(1);
    const seconds = Number((await client({ tls: {} }).request({ path: '/a' })).header('retry-after'));
    expect(seconds).toBe(9);
    await clock.advance(seconds * 1_000);
    expect(await statuses(1)).toEqual([200]);
  });

  it('of less than one request an interval still lets single ones pass', async () => {
    await proxy({ limits: [{ name: 'all', requests: 0.5, intervalMs: 1_000 }] });
    expect(await statuses(2)).toEqual([200, 429]);
  });
});

describe('buckets', () => {
  it('are told apart by proven identity, not by what a header claims', async () => {
    await proxy({ limits: [{ name: 'each', requests: 1, by: ['identity'] }] });
    const web = { tls: { identity: 'spiffe://mesh.local/ns/default/sa/web' } };
    const api = { tls: { identity: 'spiffe://mesh.local/ns/default/sa/api' } };
    expect([
      await statuses(2, '/a', web),
      await statuses(2, '/a', api, { 'x-forwarded-client-cert': 'URI=other' }),
    ]).toEqual([
      [200, 429],
      [200, 429],
    ]);
    expect([await statuses(1, '/a', { tls: {} }), await statuses(1, '/a', { tls: {} })]).toEqual([
      [200],
      [429],
    ]);
  });

  it('are told apart by address, header, and several together', async () => {
    await proxy({ limits: [{ name: 'each', requests: 1, by: ['address', { header: 'X-User' }] }] });
    expect(await statuses(2, '/a', { host: '192.0.2.1' }, { 'x-user': 'ann' })).toEqual([200, 429]);
    expect(await statuses(1, '/a', { host: '192.0.2.2' }, { 'x-user': 'ann' })).toEqual([200]);
    expect(await statuses(2, '/a', { host: '192.0.2.1' }, { 'x-user': 'bob' })).toEqual([200, 429]);
    expect(await statuses(2, '/a', { host: '192.0.2.1' })).toEqual([200, 429]);
  });

  it('do not run into each other however long a value is', async () => {
    await proxy({ limits: [{ name: 'each', requests: 1, by: [{ header: 'authorization' }] }] });
    const token = `Bearer ${'e'.repeat(5_000)}`;
    expect(await statuses(2, '/a', {}, { authorization: `${token}1` })).toEqual([200, 429]);
    expect(await statuses(2, '/a', {}, { authorization: `${token}2` })).toEqual([200, 429]);
  });

  it('are bounded: the one unused longest gives way, and is counted', async () => {
    const { meter } = await proxy({
      limits: [{ name: 'each', requests: 1, by: [{ header: 'x-user' }], maxKeys: 2 }],
    });
    const user = async (name: string): Promise<number[]> => statuses(1, '/a', {}, { 'x-user': name });
    expect([await user('a'), await user('b'), await user('a')]).toEqual([[200], [200], [429]]);
    expect([await user('c'), await user('a'), await user('b')]).toEqual([[200], [429], [200]]);
    expect(meter.value('tulle_filter_ratelimit_keys_evicted_total', { limit: 'each' })).toBe(2);
  });

  it('of a route that has limits are its own; other routes share those of the chain', async () => {
    await proxy({ limits: [{ name: 'chain', requests: 1 }] }, { limits: [{ name: 'route', requests: 2 }] });
    expect([await statuses(1, '/a'), await statuses(1, '/c'), await statuses(3, '/b')]).toEqual([
      [200],
      [429],
      [200, 200, 429],
    ]);
  });
});

describe('several limits', () => {
  it('must all have a token, and a refusal costs none', async () => {
    const { meter } = await proxy({
      limits: [
        { name: 'many', requests: 3 },
        { name: 'few', requests: 1, by: [{ header: 'x-user' }] },
      ],
    });
    expect(await statuses(3, '/a', {}, { 'x-user': 'ann' })).toEqual([200, 429, 429]);
    expect(await statuses(1, '/a', {}, { 'x-user': 'bob' })).toEqual([200]);
    expect(await statuses(1, '/a', {}, { 'x-user': 'cid' })).toEqual([200]);
    expect(await statuses(1, '/a', {}, { 'x-user': 'dan' })).toEqual([429]);
    expect([
      meter.value('tulle_filter_ratelimit_refused_total', { limit: 'few' }),
      meter.value('tulle_filter_ratelimit_refused_total', { limit: 'many' }),
    ]).toEqual([2, 1]);
  });
});

describe('a limit of the whole proxy', () => {
  const limit = { name: 'all', requests: 3, intervalMs: 60_000, scope: 'proxy' } as const;
  const lent = (bank: TokenBank): typeof rateLimit =>
    sharedRateLimit({
      parties: 2,
      borrow: async (of, key, want) => bank.lend(of, key, want, 0),
      giveBack: (of, key, tokens) => bank.giveBack(of, key, tokens, 0),
    });

  it('takes its tokens where other processes take them, at every place that has it', async () => {
    const bank = new TokenBank();
    const { meter } = await proxy({ limits: [limit] }, { limits: [limit] }, lent(bank));
    expect([await statuses(1, '/a'), await statuses(1, '/b')]).toEqual([[200], [200]]);
    const first = test;
    await proxy({ limits: [limit] }, undefined, lent(bank)); // another process
    expect(await statuses(2)).toEqual([200, 429]);
    expect(
      (await (test as TestProxy).client({ tls: {} }).request({ path: '/a' })).header('retry-after'),
    ).toBe('20');
    expect(meter.value('tulle_filter_ratelimit_refused_total', { limit: 'all', filter: 'limits' })).toBe(0);
    await first?.stop();
  });

  it('and others must all have a token, and a refusal costs none', async () => {
    const bank = new TokenBank();
    await proxy(
      { limits: [limit, { name: 'few', requests: 1, by: [{ header: 'x-user' }] }] },
      undefined,
      lent(bank),
    );
    expect(await statuses(3, '/a', {}, { 'x-user': 'ann' })).toEqual([200, 429, 429]);
    expect(await statuses(1, '/a', {}, { 'x-user': 'bob' })).toEqual([200]);
    expect(await statuses(1, '/a', {}, { 'x-user': 'cid' })).toEqual([200]);
    expect(await statuses(1, '/a', {}, { 'x-user': 'dan' })).toEqual([429]);
  });

  it('is each process’s own where there is one only', async () => {
    await proxy({ limits: [limit] });
    expect(await statuses(4)).toEqual([200, 200, 200, 429]);
  });
});
