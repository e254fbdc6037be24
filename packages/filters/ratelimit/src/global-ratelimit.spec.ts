import { describe, expect, it } from 'vitest';
import {
  RateLimitResponse_Code as Code,
  RateLimitResponse_RateLimit_Unit as Unit,
} from './gen/envoy/service/ratelimit/v3/rls_pb.js';
import { ask, proxyWith, type Reply } from '../tests/limits-service.ts';

describe('the service', () => {
  it('is asked about what the route says of a request, in its domain, as gRPC', async () => {
    const { proxy, asked, service } = await proxyWith(() => ({ overallCode: Code.OK }));
    const response = await ask(proxy, { headers: { 'x-user': 'ann' } });
    expect(response.status).toBe(200);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ domain: 'shop', hitsAddend: 1 });
    expect(asked[0]?.descriptors.map(({ entries }) => entries.map(({ key, value }) => [key, value]))).toEqual(
      [
        [
          ['generic_key', 'all'],
          ['user', 'ann'],
        ],
      ],
    );
    const [call] = service.requests;
    expect([call?.method, call?.target]).toEqual([
      'POST',
      '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit',
    ]);
    expect(Object.fromEntries(call?.headers ?? [])).toMatchObject({
      host: 'limits',
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': '20m',
    });
  });

  it('is told the limit that an earlier filter says, where it says one', async () => {
    const limit = { namespace: 'own', path: ['limits', 'all'] };
    const told = async (all: unknown): Promise<unknown> => {
      const { proxy, asked } = await proxyWith(() => ({ overallCode: Code.OK }), {
        rateLimits: [{ actions: [{ kind: 'generic', value: 'all' }], limit }],
        known: { limits: { all } },
      });
      await ask(proxy);
      const said = asked[0]?.descriptors[0]?.limit;
      return said && [said.requestsPerUnit, said.unit];
    };
    expect([
      await told({ requests_per_unit: 42, unit: 'HOUR' }),
      await told({ requests_per_unit: 0, unit: 'SECOND' }),
      await told({ requests_per_unit: '42', unit: 'HOUR' }),
      await told({ requests_per_unit: 4.2, unit: 'HOUR' }),
      await told({ requests_per_unit: 42, unit: 'constructor' }),
      await told('42 per hour'),
      await told(null),
    ]).toEqual([[42, 3], [0, 1], undefined, undefined, undefined, undefined, undefined]);
  });

  it('is not asked about what no route describes', async () => {
    const { proxy, asked } = await proxyWith(() => ({ overallCode: Code.OVER_LIMIT }), { rateLimits: [] });
    expect((await ask(proxy)).status).toBe(200);
    expect(asked).toEqual([]);
  });

  it('is asked what a route says by itself, in a domain of its own', async () => {
    const { proxy, asked } = await proxyWith(() => ({ overallCode: Code.OK }), {
      onRoute: { domain: 'other', rateLimits: [{ actions: [{ kind: 'generic', value: 'own' }] }] },
    });
    await ask(proxy);
    expect(asked[0]).toMatchObject({ domain: 'other' });
    expect(asked[0]?.descriptors[0]?.entries[0]).toMatchObject({ key: 'generic_key', value: 'own' });
  });

  it('says what requests and responses carry', async () => {
    const { proxy } = await proxyWith(
      () => ({
        overallCode: Code.OK,
        requestHeadersToAdd: [{ key: 'X-Tier', value: 'gold' }],
        responseHeadersToAdd: [{ key: 'x-seen', value: 'yes' }],
        statuses: [
          { code: Code.OK, currentLimit: { requestsPerUnit: 10, unit: Unit.MINUTE }, limitRemaining: 4 },
          {
            code: Code.OK,
            currentLimit: { requestsPerUnit: 5, unit: Unit.SECOND, name: 'user' },
            limitRemaining: 2,
            durationUntilReset: { seconds: 1n },
          },
        ],
      }),
      { config: { rateHeaders: true } },
    );
    const response = await ask(proxy);
    expect(proxy.upstream('10.0.0.1:80').requests[0]?.header('x-tier')).toBe('gold');
    expect(response.header('x-seen')).toBe('yes');
    expect(response.header('x-ratelimit-limit')).toBe('5, 10;w=60, 5;w=1;name="user"');
    expect(response.header('x-ratelimit-remaining')).toBe('2');
    expect(response.header('x-ratelimit-reset')).toBe('1');
    expect(response.header('x-envoy-ratelimited')).toBeUndefined();
  });
});

describe('a request over the limit', () => {
  it('is refused, in the words of the service', async () => {
    const { proxy } = await proxyWith(() => ({
      overallCode: Code.OVER_LIMIT,
      responseHeadersToAdd: [{ key: 'retry-after', value: '7' }],
      rawBody: Buffer.from('slow down'),
    }));
    const response = await ask(proxy);
    expect([response.status, response.body]).toEqual([429, 'slow down']);
    expect(response.header('retry-after')).toBe('7');
    expect(response.header('x-envoy-ratelimited')).toBe('true');
    expect(proxy.upstream('10.0.0.1:80').requests).toEqual([]);
    expect(proxy.records[0]).toMatchObject({ code: 'TULLE_RATE_LIMITED', details: 'request_rate_limited' });
  });

  it('is refused as the operator says', async () => {
    const { proxy } = await proxyWith(() => ({ overallCode: Code.OVER_LIMIT }), {
      config: { status: 503, mark: false, responseHeaders: { set: [{ name: 'x-by', value: 'us' }] } },
    });
    const response = await ask(proxy);
    expect([response.status, response.header('x-by')]).toEqual([503, 'us']);
    expect(response.header('x-envoy-ratelimited')).toBeUndefined();
  });
});

describe('without an answer', () => {
  const answers: readonly (readonly [string, Reply])[] = [
    ['in time', 'silence'],
    ['that is OK', { grpcStatus: 14 }],
    ['that says anything', {}],
  ];

  it.each(answers)('%s requests go on, and are counted', async (_what, reply) => {
    const { proxy } = await proxyWith(() => reply);
    const pending = ask(proxy);
    await proxy.clock.advance(25);
    expect((await pending).status).toBe(200);
    expect(proxy.meter.value('tulle_filter_global_ratelimit_calls_total', { result: 'error' })).toBe(1);
    expect(proxy.meter.value('tulle_filter_global_ratelimit_failure_mode_allowed_total')).toBe(1);
    expect(proxy.log.lines.map(({ message }) => message).join()).toContain('gives no answer');
  });

  it.each(answers)('%s requests are refused where that is asked for', async (_what, reply) => {
    const { proxy } = await proxyWith(() => reply, { config: { failureMode: 'deny', statusOnError: 503 } });
    const pending = ask(proxy);
    await proxy.clock.advance(25);
    expect((await pending).status).toBe(503);
    expect(proxy.records[0]?.details).toBe('rate_limiter_error');
  });
});
