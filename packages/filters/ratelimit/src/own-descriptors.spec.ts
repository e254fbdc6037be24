import { loadCelEngine } from '@tulle/cel';
import type { DescriptorLimits, OwnRateLimitActions, RateLimitAction, RateLimitActions } from '@tulle/model';
import { runChain, type TestRequest } from '@tulle/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { rateLimit } from './index.ts';

const bucket = (capacity: number, intervalMs = 600_000) => ({ capacity, tokens: 1, intervalMs });
const user: RateLimitAction = { kind: 'header', name: 'x-user', key: 'user' };
const generic = (value: string): RateLimitAction => ({ kind: 'generic', value });
const listed = (value: string, capacity: number, more: object = {}) => ({
  entries: [{ key: 'user', value }],
  bucket: bucket(capacity),
  ...more,
});
const by = (name: string): TestRequest => ({ headers: { 'x-user': name } });

/** What callers are told, request after request: status and limit and rest, where they are. */
async function told(
  limits: Partial<DescriptorLimits>,
  request: readonly TestRequest[],
  onRoute: readonly RateLimitActions[] = [],
): Promise<readonly string[]> {
  const descriptors = { name: 'd', bucket: bucket(100), rateHeaders: true, ...limits };
  const { responses } = await runChain({
    filters: [rateLimit({ limits: [], descriptors }, { name: 'limit' })],
    routes: [
      {
        name: 'r',
        match: { path: { kind: 'prefix', value: '/' } },
        action: { kind: 'forward', clusters: [{ name: 'service' }], rateLimits: onRoute },
      },
    ],
    request,
  });
  return responses.map((one) =>
    [one.status, one.header('x-ratelimit-limit'), one.header('x-ratelimit-remaining')]
      .filter((part) => part !== undefined)
      .join(' '),
  );
}

describe('what a filter says of requests', () => {
  const rateLimits = [{ actions: [user] }];

  it('holds in place of what routes say', async () => {
    const buckets = [listed('ann', 1), { entries: [{ key: 'generic_key', value: 'r' }], bucket: bucket(1) }];
    const onRoute = [{ actions: [generic('r')] }];
    expect(await told({ rateLimits, buckets }, [by('ann'), by('ann'), by('bob')], onRoute)).toEqual([
      '200 1 0',
      '429 1 0',
      '200 100 98',
    ]);
    expect(await told({ rateLimits: [], buckets }, [by('ann'), by('ann')], onRoute)).toEqual([
      '200 100 99',
      '200 100 98',
    ]);
  });

  it('has no stage, and describes the requests of any', async () => {
    expect(await told({ rateLimits, buckets: [listed('ann', 1)], stage: 3 }, [by('ann'), by('ann')])).toEqual(
      ['200 1 0', '429 1 0'],
    );
  });

  it('is not told of at the end, which is for services; what a route says so counts as it begins', async () => {
    const buckets = [listed('ann', 1)];
    const atEnd = [{ actions: [user], atEnd: true }];
    expect(await told({ rateLimits: atEnd, buckets }, [by('ann'), by('ann')])).toEqual([
      '200 100 99',
      '200 100 98',
    ]);
    expect(await told({ buckets }, [by('ann'), by('ann')], atEnd)).toEqual(['200 1 0', '429 1 0']);
  });

  it('is refused when the filter is made where an operator or an expression is wrong', async () => {
    const wrong = (actions: readonly RateLimitAction[], hits?: OwnRateLimitActions['hits']) =>
      told({ rateLimits: [{ actions, ...(hits !== undefined && { hits }) }], buckets: [listed('ann', 1)] }, [
        {},
      ]);
    await expect(
      wrong([{ kind: 'address-match', value: '%NONE%', format: true, cidrs: ['10.0.0.0/8'] }]),
    ).rejects.toThrow('/0/actions/0/value column 1');
    await expect(wrong([{ kind: 'cel', key: 'k', cel: 'request.(' }])).rejects.toThrow(
      '/0/actions/0/cel column',
    );
    await expect(wrong([user], { format: '%REQ(a)%%REQ(b)%' })).rejects.toThrow('must be one operator');
  });
});

describe('how much a request counts', () => {
  const buckets = [listed('ann', 10)];
  const hits = (count: OwnRateLimitActions['hits'], more: object = {}): Partial<DescriptorLimits> => ({
    rateLimits: [{ actions: [user], ...(count !== undefined && { hits: count }), ...more }],
    buckets,
  });
  const ann = by('ann');

  it('is taken from the bucket of its descriptor, all of it or nothing; everybody’s gives one', async () => {
    expect(await told(hits(3), [ann, ann, ann, ann])).toEqual([
      '200 10 7',
      '200 10 4',
      '200 10 1',
      '429 10 1',
    ]);
    expect(await told({ ...hits(30), buckets: [] }, [ann])).toEqual(['200 100 99']);
  });

  it('is refused where it is nothing, as by Envoy', async () => {
    expect(await told(hits(0), [ann])).toEqual(['429 10 10']);
  });

  it('may be said by the request, in the numbers that Envoy reads; others describe nothing', async () => {
    const costs = ['3', '2.9', '0x2', '1e0', ' 1', 'x', '', '-1', '1000000001', '0b1', 'nan'];
    const requests = costs.map((cost) => ({ headers: { 'x-user': 'ann', 'x-cost': cost } }));
    expect(await told(hits({ format: '%REQ(x-cost)%' }), [...requests, ann])).toEqual([
      '200 10 7',
      '200 10 5',
      '200 10 3',
      '200 10 2',
      '200 10 1',
      ...Array.from({ length: 7 }, (_, index) => `200 100 ${94 - index}`),
    ]);
  });

  it('may be given back, as far as there is room', async () => {
    const rateLimits = [
      { actions: [{ kind: 'header' as const, name: 'x-add', key: 'user' }], hits: 3 },
      { actions: [{ kind: 'header' as const, name: 'x-back', key: 'user' }], hits: 2, giveBack: true },
      { actions: [{ kind: 'header' as const, name: 'x-nothing', key: 'user' }], hits: 0, giveBack: true },
    ];
    const add = { headers: { 'x-add': 'ann' } };
    const back = { headers: { 'x-back': 'ann' } };
    const nothing = { headers: { 'x-nothing': 'ann' } };
    expect(await told({ rateLimits, buckets }, [back, add, add, back, back, add, nothing])).toEqual([
      '200 10 10',
      '200 10 7',
      '200 10 4',
      '200 10 6',
      '200 10 8',
      '200 10 5',
      '200 10 5',
    ]);
  });
});

describe('a descriptor that leaves values open', () => {
  const rateLimits = [
    { actions: [user, { kind: 'header' as const, name: 'x-tier', key: 'tier', optional: true }] },
  ];

  it('has a bucket for each value that comes, unless the value is listed', async () => {
    const buckets = [listed('', 2), listed('ann', 1)];
    expect(
      await told({ rateLimits, buckets }, [by('ann'), by('ann'), by('bob'), by('bob'), by('bob'), by('cy')]),
    ).toEqual(['200 1 0', '429 1 0', '200 2 1', '200 2 0', '429 2 0', '200 2 1']);
  });

  it('keeps the buckets that were used last, as many as it may', async () => {
    const requests = ['b', 'c', 'b', 'd', 'b', 'c'].map(by);
    const buckets = [listed('', 3)];
    expect(await told({ rateLimits, buckets, maxDynamic: 2 }, requests)).toEqual([
      '200 3 2',
      '200 3 2',
      '200 3 1',
      '200 3 2',
      '200 3 0',
      '200 3 2',
    ]);
    expect(await told({ rateLimits, buckets }, requests)).toEqual([
      '200 3 2',
      '200 3 2',
      '200 3 1',
      '200 3 2',
      '200 3 0',
      '200 3 1',
    ]);
  });

  it('fits descriptors of the same keys in the same order, the first of several that fit', async () => {
    const tier = (...keys: readonly (readonly [string, string])[]) =>
      keys.map(([key, value]) => ({ key, value }));
    const request = { headers: { 'x-user': 'ann', 'x-tier': 'gold' } };
    const of = async (...entries: readonly ReturnType<typeof tier>[]): Promise<string | undefined> =>
      (
        await told(
          {
            rateLimits,
            buckets: entries.map((list, index) => ({ entries: list, bucket: bucket(index + 1) })),
          },
          [request],
        )
      )[0];
    expect([
      await of(tier(['tier', 'gold'], ['user', ''])),
      await of(
        tier(['user', '']),
        tier(['user', ''], ['tier', 'silver']),
        tier(['user', ''], ['tier', 'gold']),
      ),
      await of(tier(['user', ''], ['tier', '']), tier(['user', 'ann'], ['tier', ''])),
      await of(tier(['user', ''], ['tier', '']), tier(['user', 'ann'], ['tier', 'gold'])),
    ]).toEqual(['200 100 99', '200 3 2', '200 1 0', '200 2 1']);
  });
});

describe('a bucket that only counts', () => {
  it('lets requests go on to the other buckets, which may refuse', async () => {
    const rateLimits = [{ actions: [user] }, { actions: [generic('r')] }];
    const buckets = [
      { ...listed('ann', 1, { shadow: true }), bucket: bucket(1, 1_200_000) },
      { entries: [{ key: 'generic_key', value: 'r' }], bucket: bucket(3) },
    ];
    const { responses, meter } = await runChain({
      filters: [
        rateLimit(
          { limits: [], descriptors: { name: 'd', bucket: bucket(100), rateLimits, buckets } },
          { name: 'limit' },
        ),
      ],
      request: Array.from({ length: 5 }, () => by('ann')),
    });
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429]);
    expect(meter.value('tulle_filter_ratelimit_shadowed_total', { limit: 'd' })).toBe(4);
    expect(meter.value('tulle_filter_ratelimit_refused_total', { limit: 'd' })).toBe(2);
  });
});

describe('callers', () => {
  it('are told of the buckets of descriptors that say so, whatever the filter says of others', async () => {
    const limits = (rateHeaders: boolean): Partial<DescriptorLimits> => ({
      rateHeaders: !rateHeaders,
      rateLimits: [{ actions: [user], rateHeaders }],
      buckets: [listed('ann', 1)],
    });
    const requests = [by('ann'), by('ann'), by('bob')];
    expect([await told(limits(true), requests), await told(limits(false), requests)]).toEqual([
      ['200 1 0', '429 1 0', '200'],
      ['200', '429', '200 100 98'],
    ]);
  });

  it.each<[string, Partial<DescriptorLimits>, string | undefined]>([
    ['in whole seconds', { bucket: { capacity: 1, tokens: 2, intervalMs: 5_000 } }, '3'],
    ['of at least one', { bucket: { capacity: 1, tokens: 10, intervalMs: 5_000 } }, '1'],
    ['unless the answer has another status', { bucket: bucket(1), status: 503 }, undefined],
    [
      'unless it says so itself',
      { bucket: bucket(1), responseHeaders: { add: [{ name: 'retry-after', value: '99' }] } },
      '99',
    ],
  ])('are told when to come again, %s', async (_when, limits, wanted) => {
    const descriptors = { name: 'd', bucket: bucket(1), retryAfter: true, ...limits };
    const { responses } = await runChain({
      filters: [rateLimit({ limits: [], descriptors }, { name: 'limit' })],
      request: [{}, {}],
    });
    expect(responses.map((one) => one.header('retry-after'))).toEqual([undefined, wanted]);
  });
});

describe('a request', () => {
  beforeAll(async () => loadCelEngine());

  const near = { kind: 'address-match' as const, format: true, cidrs: ['0.0.0.0/0', '::/0'] };
  it.each<[string, RateLimitAction, readonly [string, string] | undefined]>([
    ['operators', { ...near, value: '%REQ(x-user)%-%REQ(:method)%' }, ['remote_address_match', 'ann-GET']],
    ['what stands for nothing', { ...near, value: '%REQ(x)%', fallback: 'f', key: 'k' }, ['k', 'f']],
    ['operators that come to nothing', { ...near, value: '%REQ(x)%' }, undefined],
    ['an expression', { kind: 'cel', key: 'k', cel: 'request.method + "!"' }, ['k', 'GET!']],
    ['the number of an expression', { kind: 'cel', key: 'k', cel: '1 + 2' }, ['k', '3']],
    ['an expression without result', { kind: 'cel', key: 'k', cel: 'request.headers["x"]' }, undefined],
    [
      'more than an expression without result',
      { kind: 'cel', key: 'k', cel: 'request.headers["x"]', optional: true },
      ['generic_key', 'g'],
    ],
  ])('is described by %s', async (_what, action, entry) => {
    const [key, value] = entry ?? ['k', 'never'];
    const more = action.kind === 'cel' && action.optional === true ? [generic('g')] : [];
    const limits = {
      rateLimits: [{ actions: [action, ...more] }],
      buckets: [{ entries: [{ key, value }], bucket: bucket(1) }],
    };
    expect(await told(limits, [by('ann')])).toEqual([entry === undefined ? '200 100 99' : '200 1 0']);
  });
});
