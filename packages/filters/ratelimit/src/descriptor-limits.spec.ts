import { addMetadata, CONTINUE, defineHttpFilter } from '@tulle/filter';
import type { DescriptorLimits, RateLimitAction, RateLimitActions, Route } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { runChain, testProxy, type ChainRun, type TestProxy } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { rateLimit } from './index.ts';

const HOUR = 3_600_000;
const bucket = (capacity: number) => ({ capacity, tokens: 1, intervalMs: HOUR });
const listed = (entries: Record<string, string>, capacity: number) => ({
  entries: Object.entries(entries).map(([key, value]) => ({ key, value })),
  bucket: bucket(capacity),
});
const route = (rateLimits?: readonly RateLimitActions[], more: object = {}): Route => ({
  name: 'r',
  match: { path: { kind: 'prefix', value: '/' } },
  action: { kind: 'forward', clusters: [{ name: 'service' }], ...(rateLimits && { rateLimits }), ...more },
});

/** Says something before limits are looked at. */
const says = defineHttpFilter<object>({
  apiVersion: 1,
  id: 'tulle-filter-says',
  config: jsonSchema<object>({ type: 'object' }),
  create: () => ({
    requestHeaders(stream) {
      addMetadata(stream, 'n', { a: { b: 'said' } });
      return CONTINUE;
    },
  }),
});

async function ask(
  limits: Partial<DescriptorLimits>,
  rateLimits: readonly RateLimitActions[] | undefined,
  run: Partial<ChainRun> = {},
) {
  const descriptors = { name: 'd', bucket: bucket(1_000), ...limits };
  const result = await runChain({
    filters: [says({}), rateLimit({ limits: [], descriptors }, { name: 'limit' })],
    routes: [route(rateLimits)],
    request: [{}, {}],
    ...run,
  });
  return { ...result, statuses: result.responses.map(({ status }) => status) };
}

describe('a request', () => {
  it.each<[string, RateLimitAction, Record<string, string>, Partial<ChainRun>?]>([
    ['a text', { kind: 'generic', value: 'a' }, { generic_key: 'a' }],
    ['a text under a key', { kind: 'generic', value: 'a', key: 'k' }, { k: 'a' }],
    ['its cluster', { kind: 'destination-cluster' }, { destination_cluster: 'service' }],
    [
      'a header',
      { kind: 'header', name: 'X-User', key: 'user' },
      { user: 'ann' },
      { request: [{ headers: { 'x-user': 'ann' } }, { headers: { 'x-user': 'ann' } }] },
    ],
    ['its path', { kind: 'header', name: ':path', key: 'path' }, { path: '/' }],
    [
      'the address of its caller',
      { kind: 'remote-address' },
      { remote_address: '192.0.2.7' },
      { caller: { host: '192.0.2.7' } },
    ],
    [
      'the network of its caller',
      { kind: 'masked-remote-address', v4Bits: 24 },
      { masked_remote_address: '192.0.2.0/24' },
      { caller: { host: '192.0.2.7' } },
    ],
    [
      'the network of a caller by IPv6',
      { kind: 'masked-remote-address', v6Bits: 64 },
      { masked_remote_address: '2001:db8:0:1::/64' },
      { caller: { host: '2001:db8:0:1:2:3:4:5' } },
    ],
    [
      'a condition on headers',
      {
        kind: 'header-match',
        value: 'get',
        headers: [{ name: ':method', match: { kind: 'exact', value: 'GET' } }],
      },
      { header_match: 'get' },
    ],
    [
      'a condition that does not hold',
      {
        kind: 'header-match',
        value: 'anonymous',
        key: 'k',
        expect: false,
        headers: [{ name: 'x-user', match: { kind: 'present' } }],
      },
      { k: 'anonymous' },
    ],
    [
      'a condition on its query',
      { kind: 'query-match', value: 'v1', query: [{ name: 'v', match: { kind: 'exact', value: '1' } }] },
      { query_match: 'v1' },
      { request: [{ path: '/?v=1' }, { path: '/?v=1' }] },
    ],
    [
      'a parameter of its query',
      { kind: 'query', name: 'v', key: 'version' },
      { version: '1' },
      { request: [{ path: '/?a=2&v=1&v=2' }, { path: '/?v=1' }] },
    ],
    [
      'a network that its caller is in',
      { kind: 'address-match', value: 'near', cidrs: ['10.0.0.0/8', '192.0.2.0/24'] },
      { remote_address_match: 'near' },
      { caller: { host: '192.0.2.7' } },
    ],
    [
      'networks that its caller is in none of',
      { kind: 'address-match', value: 'far', key: 'k', expect: false, cidrs: ['10.0.0.0/8'] },
      { k: 'far' },
      { caller: { host: '192.0.2.7' } },
    ],
    ['what a filter said', { kind: 'metadata', key: 'k', namespace: 'n', path: ['a', 'b'] }, { k: 'said' }],
    [
      'what is said otherwise',
      { kind: 'metadata', key: 'k', namespace: 'n', path: ['a', 'c'], fallback: 'other' },
      { k: 'other' },
    ],
  ])('is described by %s', async (_what, action, entries, run) => {
    const buckets = [listed(entries, 1)];
    expect((await ask({ buckets }, [{ actions: [action] }], run)).statuses).toEqual([200, 429]);
  });

  it('is described by all actions together, in order, or by none', async () => {
    const actions: RateLimitAction[] = [
      { kind: 'generic', value: 'a' },
      { kind: 'header', name: 'x', key: 'x' },
    ];
    const buckets = [listed({ generic_key: 'a' }, 1)];
    expect((await ask({ buckets }, [{ actions }])).statuses).toEqual([200, 200]);
    const optional: RateLimitAction[] = [
      { kind: 'generic', value: 'a' },
      { kind: 'header', name: 'x', key: 'x', optional: true },
    ];
    expect((await ask({ buckets }, [{ actions: optional }])).statuses).toEqual([200, 429]);
  });

  it('has no part that its query does not say', async () => {
    const query: RateLimitAction = { kind: 'query', name: 'v', key: 'v' };
    const buckets = [listed({ generic_key: 'a' }, 1)];
    const statuses = async (optional: boolean) =>
      (
        await ask({ buckets }, [
          {
            actions: [
              { kind: 'generic', value: 'a' },
              { ...query, optional },
            ],
          },
        ])
      ).statuses;
    expect([await statuses(false), await statuses(true)]).toEqual([
      [200, 200],
      [200, 429],
    ]);
  });

  it('is described for the stage of the filter alone', async () => {
    const buckets = [listed({ generic_key: 'a' }, 1)];
    const staged = [{ stage: 1, actions: [{ kind: 'generic', value: 'a' } as const] }];
    expect((await ask({ buckets }, staged)).statuses).toEqual([200, 200]);
    expect((await ask({ buckets, stage: 1 }, staged)).statuses).toEqual([200, 429]);
  });
});

describe('a bucket', () => {
  const actions = [{ actions: [{ kind: 'generic', value: 'a' } as const] }];
  const buckets = [listed({ generic_key: 'a' }, 5)];

  it('is one of everybody where no descriptor is listed', async () => {
    expect((await ask({ bucket: bucket(1) }, undefined)).statuses).toEqual([200, 429]);
  });

  it('of everybody counts beside that of a descriptor, unless it is told not to', async () => {
    expect((await ask({ bucket: bucket(1), buckets }, actions)).statuses).toEqual([200, 429]);
    expect((await ask({ bucket: bucket(1), buckets, alwaysDefault: false }, actions)).statuses).toEqual([
      200, 200,
    ]);
  });

  it('fills again', async () => {
    const proxy = await proxyWith({ name: 'd', bucket: { capacity: 1, tokens: 1, intervalMs: 50 } }, route());
    const client = proxy.client();
    const status = async () => (await client.request({})).status;
    const statuses = [await status(), await status()];
    await proxy.clock.advance(50);
    expect([...statuses, await status()]).toEqual([200, 429, 200]);
    await proxy.stop();
  });

  it('is told of in headers where that is asked for', async () => {
    const { responses } = await ask({ bucket: bucket(9), buckets, rateHeaders: true }, actions);
    expect(responses.map((one) => one.header('x-ratelimit-limit'))).toEqual(['5', '5']);
    expect(responses.map((one) => one.header('x-ratelimit-remaining'))).toEqual(['4', '3']);
  });

  it('is told of as that of the descriptor that fills slowest, or as the one that is empty', async () => {
    const two = [
      { actions: [{ kind: 'generic', value: 'fast' } as const] },
      { actions: [{ kind: 'generic', value: 'slow' } as const] },
    ];
    const filling = (value: string, capacity: number, intervalMs: number) => ({
      entries: [{ key: 'generic_key', value }],
      bucket: { capacity, tokens: 1, intervalMs },
    });
    const told = async (standard: number, fast: number, slow: number) => {
      const of = {
        bucket: bucket(standard),
        buckets: [filling('fast', fast, 60_000), filling('slow', slow, 600_000)],
      };
      const { responses } = await ask({ ...of, rateHeaders: true }, two);
      return responses.map((one) => `${one.status} ${one.header('x-ratelimit-limit')}`);
    };
    expect(await told(2, 3, 4)).toEqual(['200 4', '200 4']);
    expect(await told(1, 3, 4)).toEqual(['200 4', '429 1']);
    expect(await told(2, 1, 4)).toEqual(['200 4', '429 1']);
    // The slowest comes first, also where another is empty.
    expect(await told(2, 1, 1)).toEqual(['200 1', '429 1']);
    expect(await told(9, 3, 1)).toEqual(['200 1', '429 1']);
  });
});

describe('a refusal', () => {
  const full = { bucket: bucket(1) };

  it('has the status and headers that are said, and its code', async () => {
    const { responses, records } = await ask(
      { ...full, status: 503, responseHeaders: { add: [{ name: 'X-Limited', value: 'yes' }] } },
      undefined,
    );
    expect(responses.map((one) => [one.status, one.header('x-limited')])).toEqual([
      [200, undefined],
      [503, 'yes'],
    ]);
    expect(records[1]).toMatchObject({ code: 'TULLE_RATE_LIMITED', details: 'local_rate_limited[d]' });
  });

  it('tells gRPC calls that a resource is exhausted where that is asked for', async () => {
    const call = { method: 'POST', headers: { 'content-type': 'application/grpc' }, body: 'x' };
    const run = { request: [call, call] };
    const status = async (limits: Partial<DescriptorLimits>) =>
      (await ask({ ...full, ...limits }, undefined, run)).responses[1]?.header('grpc-status');
    expect([await status({}), await status({ resourceExhausted: true })]).toEqual(['14', '8']);
  });

  it('hits its share; the others go on, marked', async () => {
    const { statuses, upstreamRequests, meter } = await ask(
      { ...full, enforcedPercent: 0, unenforcedHeaders: { set: [{ name: 'x-over', value: '1' }] } },
      undefined,
    );
    expect(statuses).toEqual([200, 200]);
    expect(upstreamRequests.map((one) => one.header('x-over'))).toEqual([undefined, '1']);
    expect(meter.value('tulle_filter_ratelimit_unenforced_total', { limit: 'd' })).toBe(1);
    expect((await ask({ ...full, percent: 0 }, undefined)).statuses).toEqual([200, 200]);
  });
});

/** A proxy with one host of one route. */
const proxyWith = (
  limits: DescriptorLimits,
  own: Route,
  rateLimits?: readonly RateLimitActions[],
): Promise<TestProxy> =>
  testProxy({
    listeners: [
      {
        name: 'test',
        address: { host: '127.0.0.1', port: 8080 },
        filterChains: [
          {
            name: 'http',
            handler: {
              kind: 'http',
              filters: [rateLimit({ limits: [], descriptors: limits })],
              routes: {
                name: 'all',
                virtualHosts: [
                  { name: 'all', domains: ['*'], routes: [own], ...(rateLimits && { rateLimits }) },
                ],
              },
            },
          },
        ],
      },
    ],
    clusters: [
      {
        name: 'service',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
      },
    ],
    upstreams: { '10.0.0.1:80': () => ({}) },
  });

it('each connection has buckets of its own where that is asked for', async () => {
  const proxy = await proxyWith({ name: 'd', bucket: bucket(1), perConnection: true }, route());
  const [one, other] = [proxy.client(), proxy.client()];
  const status = async (client: typeof one) => (await client.request({})).status;
  expect([await status(one), await status(one), await status(other)]).toEqual([200, 429, 200]);
  await proxy.stop();
});

describe('limits of which something is wrong', () => {
  const matches = (cidr: string): readonly RateLimitActions[] => [
    {
      actions: [
        { kind: 'generic', value: 'a' },
        { kind: 'address-match', value: 'near', cidrs: ['10.0.0.0/8', cidr] },
      ],
    },
  ];
  const limits = { name: 'd', bucket: bucket(1) };

  it('are refused with the configuration, by their place, not with the first request', async () => {
    await expect(proxyWith(limits, route(matches('nowhere')))).rejects.toThrow(
      /routes\/0\/action\/rateLimits\/0\/actions\/1\/cidrs\/1/,
    );
    await expect(proxyWith(limits, route(), matches('10.0.0.0/40'))).rejects.toThrow(
      /virtualHosts\/0\/rateLimits\/0\/actions\/1\/cidrs\/1/,
    );
    await (await proxyWith(limits, route(matches('192.0.2.0/24')), matches('2001:db8::/32'))).stop();
  });
});

describe("a host's actions", () => {
  const actions = (value: string) => [{ actions: [{ kind: 'generic', value } as const] }];

  async function statuses(host: DescriptorLimits['host'], own: Route): Promise<number[]> {
    const buckets = [listed({ generic_key: 'host' }, 1)];
    const proxy = await proxyWith(
      { name: 'd', bucket: bucket(100), buckets, ...(host && { host }) },
      own,
      actions('host'),
    );
    const client = proxy.client();
    const statuses = [(await client.request({})).status, (await client.request({})).status];
    await proxy.stop();
    return statuses;
  }

  it.each<[string, DescriptorLimits['host'], Route, number[]]>([
    ['where the route has none', undefined, route(), [200, 429]],
    ['not where the route has its own', undefined, route(actions('route')), [200, 200]],
    [
      'where the route includes them',
      undefined,
      route(actions('route'), { includeHostRateLimits: true }),
      [200, 429],
    ],
    ['where the filter includes them', 'include', route(actions('route')), [200, 429]],
    ['nowhere where the filter ignores them', 'ignore', route(), [200, 200]],
  ])('count %s', async (_what, host, own, expected) => {
    expect(await statuses(host, own)).toEqual(expected);
  });
});
