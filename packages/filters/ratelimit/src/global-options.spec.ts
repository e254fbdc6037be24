import type { OwnRateLimitActions, RateLimitAction } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { ask, proxyWith, type Reply } from '../tests/limits-service.ts';
import {
  RateLimitResponse_Code as Code,
  RateLimitResponse_RateLimit_Unit as Unit,
  type RateLimitRequest,
} from './gen/envoy/service/ratelimit/v3/rls_pb.js';

const generic = (value: string): RateLimitAction => ({ kind: 'generic', value });
const OK = (): Reply => ({ overallCode: Code.OK });
/** Values of first entries, of each call. */
const valuesOf = (asked: readonly RateLimitRequest[]) =>
  asked.map(({ descriptors }) => descriptors.map(({ entries }) => entries[0]?.value));
/** Lets calls that nobody waits for arrive. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe('what the filter says of requests', () => {
  it('holds in place of what routes say, and that of the filter on a route in place of it', async () => {
    const own = { config: { stage: 2, rateLimits: [{ actions: [generic('filter')] }] } };
    const filter = await proxyWith(OK, own);
    const route = await proxyWith(OK, { ...own, onRoute: { rateLimits: [{ actions: [generic('route')] }] } });
    await ask(filter.proxy);
    await ask(route.proxy);
    expect([valuesOf(filter.asked), valuesOf(route.asked)]).toEqual([[['filter']], [['route']]]);
  });

  it('says how much they count, and which limit holds', async () => {
    const rateLimits: readonly OwnRateLimitActions[] = [
      { actions: [generic('a')], hits: 3, limit: { requestsPerUnit: 7, unit: 'YEAR' } },
      { actions: [generic('b')], hits: { format: '%REQ(x-cost)%' } },
      { actions: [generic('c')], hits: 2, giveBack: true },
      { actions: [generic('d')], hits: 0 },
      { actions: [generic('e')] },
    ];
    const { proxy, asked } = await proxyWith(OK, { config: { rateLimits } });
    await ask(proxy, { headers: { 'x-cost': '4' } });
    await ask(proxy);
    const seen = asked.map(({ descriptors }) =>
      descriptors.map(({ entries, hitsAddend, isNegativeHits, limit }) => [
        entries[0]?.value,
        hitsAddend === undefined ? undefined : Number(hitsAddend),
        isNegativeHits,
        limit && [limit.requestsPerUnit, limit.unit],
      ]),
    );
    const first = [
      ['a', 3, false, [7, 6]],
      ['b', 4, false, undefined],
      ['c', 2, true, undefined],
      ['d', 0, false, undefined],
      ['e', undefined, false, undefined],
    ];
    expect(seen).toEqual([first, first.filter(([name]) => name !== 'b')]);
  });

  it('is checked when the configuration is loaded, on routes too', async () => {
    const rateLimits = [{ actions: [generic('a')], hits: { format: '%NONE%' } }];
    await expect(proxyWith(OK, { config: { rateLimits } })).rejects.toThrow('/0/hits/format');
    await expect(proxyWith(OK, { onRoute: { rateLimits } })).rejects.toThrow('/0/hits/format');
  });
});

describe('the end of a request', () => {
  const atEnd = { atEnd: true, hits: { format: '%RESP(x-cost)%' } };

  it('is told with what is known by then, and what the service says of it is not heeded', async () => {
    const { proxy, asked } = await proxyWith(
      ({ descriptors }) => ({
        overallCode: descriptors[0]?.entries[0]?.value === 'cost' ? Code.OVER_LIMIT : Code.OK,
      }),
      {
        config: { rateLimits: [{ actions: [generic('now')] }, { actions: [generic('cost')], ...atEnd }] },
        headers: { 'x-cost': '7' },
      },
    );
    expect((await ask(proxy)).status).toBe(200);
    await settled();
    expect(valuesOf(asked)).toEqual([['now'], ['cost']]);
    expect(asked[1]?.descriptors[0]?.hitsAddend).toBe(7n);
    expect(proxy.meter.value('tulle_filter_global_ratelimit_calls_active')).toBe(0);
  });

  it('is told as a route says, too, and of requests that were refused', async () => {
    const { proxy, asked } = await proxyWith(() => ({ overallCode: Code.OVER_LIMIT }), {
      rateLimits: [{ actions: [generic('now')] }, { actions: [generic('end')], atEnd: true }],
    });
    expect((await ask(proxy)).status).toBe(429);
    await settled();
    expect(valuesOf(asked)).toEqual([['now'], ['end']]);
  });

  it('is not told where nothing describes it, where the request was not looked at', async () => {
    const later = { rateLimits: [{ actions: [generic('end')], ...atEnd }] };
    const undescribed = await proxyWith(OK, { config: later });
    const passed = await proxyWith(OK, {
      config: { percent: 0, rateLimits: [{ actions: [generic('end')], atEnd: true }] },
    });
    for (const { proxy } of [undescribed, passed]) expect((await ask(proxy)).status).toBe(200);
    await settled();
    expect([undescribed.asked, passed.asked]).toEqual([[], []]);
  });

  it('goes unheard where the service does not answer', async () => {
    const { proxy, asked } = await proxyWith(() => 'silence', {
      config: { failureMode: 'deny', rateLimits: [{ actions: [generic('end')], atEnd: true }] },
    });
    expect((await ask(proxy)).status).toBe(200);
    await settled();
    await proxy.clock.advance(25);
    await settled();
    expect(asked).toHaveLength(1);
    expect(proxy.meter.value('tulle_filter_global_ratelimit_calls_active')).toBe(0);
    expect(proxy.meter.value('tulle_filter_global_ratelimit_calls_total', { result: 'error' })).toBe(1);
  });
});

describe('requests', () => {
  it('are asked about as far as they come from inside or outside', async () => {
    const statuses = async (requests: 'internal' | 'external'): Promise<readonly number[]> => {
      const over = (): Reply => ({ overallCode: Code.OVER_LIMIT });
      const inside = await proxyWith(over, { config: { requests }, known: { internal: true } });
      const outside = await proxyWith(over, { config: { requests } });
      return [(await ask(inside.proxy)).status, (await ask(outside.proxy)).status];
    };
    expect([await statuses('internal'), await statuses('external')]).toEqual([
      [429, 200],
      [200, 429],
    ]);
  });

  it('over the limit that are not refused go on, with what the service says and without what the operator says of refusals', async () => {
    const { proxy } = await proxyWith(
      () => ({
        overallCode: Code.OVER_LIMIT,
        requestHeadersToAdd: [{ key: 'x-req', value: '1' }],
        responseHeadersToAdd: [{ key: 'x-resp', value: '1' }],
        statuses: [{ code: Code.OVER_LIMIT, durationUntilReset: { seconds: 5n } }],
      }),
      {
        config: {
          enforcedPercent: 0,
          retryAfter: true,
          responseHeaders: { set: [{ name: 'x-by', value: 'us' }] },
        },
      },
    );
    const response = await ask(proxy);
    expect(response.status).toBe(200);
    expect(
      ['x-resp', 'x-envoy-ratelimited', 'x-by', 'retry-after'].map((name) => response.header(name)),
    ).toEqual(['1', 'true', undefined, undefined]);
    expect(proxy.upstream('10.0.0.1:80').requests[0]?.header('x-req')).toBe('1');
    expect(proxy.meter.value('tulle_filter_global_ratelimit_calls_total', { result: 'over_limit' })).toBe(1);
  });

  it.each([
    [{ denyPercent: 100 }, 500],
    [{ failureMode: 'deny' as const, denyPercent: 0 }, 200],
  ])('without an answer are refused by the share that is said: %j', async (config, status) => {
    const { proxy } = await proxyWith(() => ({ grpcStatus: 13 }), { config });
    expect((await ask(proxy)).status).toBe(status);
  });
});

describe('callers', () => {
  const status = (limitRemaining: number, requestsPerUnit: number) => ({
    code: Code.OK,
    currentLimit: { requestsPerUnit, unit: Unit.MINUTE },
    limitRemaining,
  });
  const limitTold = async (
    filter: boolean,
    [first, second]: readonly (boolean | undefined)[],
    remaining: readonly [number, number],
  ): Promise<string | undefined> => {
    const option = (rateHeaders: boolean | undefined) => (rateHeaders === undefined ? {} : { rateHeaders });
    const { proxy } = await proxyWith(
      () => ({ overallCode: Code.OK, statuses: [status(remaining[0], 5), status(remaining[1], 9)] }),
      {
        config: { rateHeaders: filter },
        rateLimits: [
          { actions: [generic('a')], ...option(first) },
          { actions: [generic('b')], ...option(second) },
        ],
      },
    );
    return (await ask(proxy)).header('x-ratelimit-limit');
  };

  it('are told of the limit nearest to its end, where its descriptor or the filter says so', async () => {
    expect([
      await limitTold(false, [true, undefined], [1, 2]),
      await limitTold(false, [true, undefined], [2, 1]),
      await limitTold(true, [false, undefined], [1, 2]),
      await limitTold(true, [false, undefined], [2, 1]),
      await limitTold(true, [undefined, undefined], [2, 1]),
    ]).toEqual(['5, 5;w=60', undefined, undefined, '9, 9;w=60', '9, 5;w=60, 9;w=60']);
  });

  const over = (seconds: bigint, nanos = 0) => ({
    code: Code.OVER_LIMIT,
    durationUntilReset: { seconds, nanos },
  });
  it.each<[string, Exclude<Reply, 'silence'>, object, string | undefined]>([
    ['the longest', { statuses: [over(13n), { ...over(40n), code: Code.OK }, over(17n, 3e8)] }, {}, '17'],
    ['at least one second', { statuses: [over(0n, 3e6)] }, {}, '1'],
    ['nothing that is not said', { statuses: [{ code: Code.OVER_LIMIT }] }, {}, undefined],
    [
      'what the service says itself',
      { statuses: [over(9n)], responseHeadersToAdd: [{ key: 'retry-after', value: '5' }] },
      {},
      '5',
    ],
    ['nothing with another status', { statuses: [over(9n)] }, { status: 503 }, undefined],
    ['nothing unless that is asked for', { statuses: [over(9n)] }, { retryAfter: false }, undefined],
  ])('are told when to come again: %s', async (_what, reply, config, wanted) => {
    const { proxy } = await proxyWith(() => ({ overallCode: Code.OVER_LIMIT, ...reply }), {
      config: { retryAfter: true, ...config },
    });
    expect((await ask(proxy)).header('retry-after')).toBe(wanted);
  });
});

describe('metadata of an answer', () => {
  it.each([
    [{}, 'envoy.filters.http.ratelimit'],
    [{ metadataNamespace: 'ns' }, 'ns'],
  ])('is found by later filters: %j', async (config, namespace) => {
    const { proxy, learnt } = await proxyWith(
      () => ({ overallCode: Code.OK, dynamicMetadata: { tier: 'gold', n: 3 } }),
      { config },
    );
    await ask(proxy);
    expect(learnt).toEqual([{ [namespace]: { tier: 'gold', n: 3 } }]);
  });
});
