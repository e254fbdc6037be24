import type { AttemptInfo } from '@tulle/filter';
import type { RetryFilterConfig, RetryOn } from '@tulle/model';
import { runChain } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { retry } from './index.ts';

const ATTEMPT: AttemptInfo = {
  number: 1,
  endpoint: '10.0.0.1:80',
  endpointIdentity: undefined,
  status: 0,
  grpcStatus: -1,
  failure: undefined,
  unsent: false,
  repeatable: true,
  elapsedMs: 1,
  retryDelayMs: -1,
};

async function verdict(
  config: RetryFilterConfig,
  attempt: Partial<AttemptInfo>,
  random = 0.5,
): Promise<{ retry: boolean; delayMs: number }> {
  const hooks = await retry.definition.create({ random: () => random } as never, config);
  const ended = { ...ATTEMPT, ...attempt };
  return {
    retry: hooks.attemptEnd?.({ attempt: ended } as never, config, undefined) === 1,
    delayMs: ended.retryDelayMs,
  };
}

describe('the policy', () => {
  it.each<[RetryOn, Partial<AttemptInfo>, boolean]>([
    ['connect-failure', { failure: 'TULLE_UPSTREAM_CONNECT', unsent: true }, true],
    ['connect-failure', { failure: 'TULLE_UPSTREAM_TLS', unsent: true }, true],
    ['connect-failure', { failure: 'TULLE_UPSTREAM_RESET', unsent: true }, true],
    ['connect-failure', { failure: 'TULLE_UPSTREAM_RESET' }, false],
    ['connect-failure', { status: 503 }, false],
    ['reset', { failure: 'TULLE_UPSTREAM_RESET' }, true],
    ['reset', { failure: 'TULLE_PER_TRY_TIMEOUT' }, false],
    ['per-try-timeout', { failure: 'TULLE_PER_TRY_TIMEOUT' }, true],
    ['gateway-error', { status: 502 }, true],
    ['gateway-error', { status: 503 }, true],
    ['gateway-error', { status: 504 }, true],
    ['gateway-error', { status: 500 }, false],
    ['5xx', { status: 500 }, true],
    ['5xx', { status: 499 }, false],
    ['5xx', { failure: 'TULLE_UPSTREAM_RESET' }, false],
    ['status-codes', { status: 409 }, true],
    ['status-codes', { status: 408 }, false],
    // Its proxy tells that the request never left it (D5).
    ['connect-failure', { status: 503, unsent: true }, true],
    ['connect-failure', { status: 200, grpcStatus: 14, unsent: true }, true],
    ['cancelled', { status: 200, grpcStatus: 1 }, true],
    ['deadline-exceeded', { status: 200, grpcStatus: 4 }, true],
    ['resource-exhausted', { status: 200, grpcStatus: 8 }, true],
    ['internal', { status: 200, grpcStatus: 13 }, true],
    ['unavailable', { status: 200, grpcStatus: 14 }, true],
    ['unavailable', { status: 200, grpcStatus: 13 }, false],
    ['unavailable', { status: 503 }, false],
    ['5xx', { status: 200, grpcStatus: 14 }, false],
  ])('%s and %j: %s', async (condition, attempt, expected) => {
    expect((await verdict({ on: [condition], statusCodes: [409] }, attempt)).retry).toBe(expected);
  });

  it('never asks for what may not be repeated, or what the error table calls final', async () => {
    const everything: RetryFilterConfig = {
      on: ['connect-failure', 'reset', 'per-try-timeout', 'gateway-error', '5xx', 'status-codes'],
      statusCodes: [409],
    };
    for (const attempt of [
      { failure: 'TULLE_UPSTREAM_RESET' },
      { failure: 'TULLE_UPSTREAM_CONNECT' },
      { status: 503 },
      { status: 409 },
    ]) {
      expect((await verdict(everything, { ...attempt, repeatable: false })).retry).toBe(false);
      expect((await verdict(everything, attempt)).retry).toBe(true);
    }
    expect((await verdict(everything, { failure: 'TULLE_UPSTREAM_OVERFLOW', unsent: true })).retry).toBe(
      false,
    );
  });

  it('counts further attempts, and waits longer each time, with full jitter', async () => {
    const config: RetryFilterConfig = { retries: 5, on: ['5xx'], backoffBaseMs: 25, backoffMaxMs: 250 };
    const delays = await Promise.all(
      [1, 2, 3, 4, 5].map(async (number) => (await verdict(config, { number, status: 500 }, 0.5)).delayMs),
    );
    expect(delays).toEqual([12.5, 25, 50, 100, 125]);
    expect((await verdict(config, { number: 6, status: 500 })).retry).toBe(false);
    expect((await verdict(config, { number: 1, status: 500 }, 0)).delayMs).toBe(0);
  });

  it('waits by default at most ten times as long as at first', async () => {
    const longest = async (config: RetryFilterConfig): Promise<number | undefined> =>
      (await verdict({ ...config, retries: 9, on: ['5xx'] }, { number: 9, status: 500 }, 0.5)).delayMs;
    expect([await longest({}), await longest({ backoffBaseMs: 1_000 })]).toEqual([125, 5_000]);
  });

  it('waits at least as long as it is told, whatever chance says', async () => {
    const config: RetryFilterConfig = { retries: 5, on: ['5xx'], backoffBaseMs: 25, backoffMinMs: 20 };
    const delay = async (number: number, random: number): Promise<number | undefined> =>
      (await verdict(config, { number, status: 500 }, random)).delayMs;
    expect([await delay(1, 0), await delay(1, 0.9), await delay(3, 0.5)]).toEqual([20, 22.5, 50]);
  });

  it('is by default two retries of failed connections and resets', async () => {
    expect([
      (await verdict({}, { failure: 'TULLE_UPSTREAM_RESET', number: 2 })).retry,
      (await verdict({}, { failure: 'TULLE_UPSTREAM_RESET', number: 3 })).retry,
      (await verdict({}, { status: 503 })).retry,
    ]).toEqual([true, false, false]);
  });
});

describe('in the engine', () => {
  it('answers are judged by their fields, and requests by theirs', async () => {
    const attempts = async (
      config: RetryFilterConfig,
      headers: Record<string, string>,
      request: Record<string, string> = {},
    ): Promise<number> =>
      (
        await runChain({
          filters: [retry({ retries: 1, ...config })],
          request: { headers: request },
          upstream: () => ({ status: 409, headers, body: '' }),
        })
      ).upstreamRequests.length;
    const busy = {
      on: ['response-headers'],
      responseHeaders: [{ name: 'X-Busy', match: { kind: 'present' } }],
    } as const;
    const some = {
      on: ['retriable-4xx'],
      requestHeaders: [{ name: 'x-again', match: { kind: 'exact', value: '1' } }],
    } as const;
    expect([
      await attempts(busy, { 'x-busy': '' }),
      await attempts(busy, {}),
      await attempts({ on: ['rate-limited'] }, { 'x-envoy-ratelimited': 'true' }),
      await attempts({ on: ['rate-limited'] }, {}),
      await attempts(some, {}, { 'x-again': '1' }),
      await attempts(some, {}, { 'x-again': '2' }),
    ]).toEqual([2, 1, 2, 1, 2, 1]);
  });

  it('an attempt that failed has no answer whose fields could be asked for, and is judged by the rest', async () => {
    let asked = 0;
    const { response } = await runChain({
      filters: [
        retry({
          retries: 2,
          on: ['reset', 'response-headers'],
          responseHeaders: [{ name: 'x-busy', match: { kind: 'present' } }],
        }),
      ],
      upstream: () => (++asked < 3 ? 'reset' : { body: 'ok' }),
    });
    expect([response?.status, asked]).toEqual([200, 3]);
  });

  it('waits as long as an answer says, unless that is too long', async () => {
    const waited = async (headers: Record<string, string>): Promise<number> => {
      const { record } = await runChain({
        filters: [
          retry({
            retries: 1,
            on: ['5xx'],
            resetBackoff: {
              headers: [
                { name: 'retry-after', format: 'seconds' },
                { name: 'x-reset', format: 'unix-timestamp' },
              ],
              maxMs: 10_000,
            },
          }),
        ],
        upstream: () => ({ status: 503, headers, body: '' }),
        random: () => 0,
      });
      return Math.round((record?.durationMs ?? 0) / 1000);
    };
    expect([
      await waited({ 'retry-after': '3' }),
      await waited({ 'retry-after': '30' }),
      await waited({ 'retry-after': 'soon', 'x-reset': '1' }),
    ]).toEqual([3, 0, 0]);
  });

  it('a reset is hidden from the caller of an idempotent request', async () => {
    let calls = 0;
    const { response, upstreamRequests, record } = await runChain({
      filters: [retry({})],
      endpoints: ['10.0.0.1:80', '10.0.0.2:80'],
      upstream: () => (++calls === 1 ? 'reset' : { body: 'ok' }),
    });
    expect([response?.status, response?.body, upstreamRequests.length, record?.attempts.length]).toEqual([
      200,
      'ok',
      2,
      2,
    ]);
  });

  it('a POST that was sent is never sent twice', async () => {
    const { response, upstreamRequests } = await runChain({
      filters: [retry({ retries: 5, on: ['connect-failure', 'reset', '5xx', 'gateway-error'] })],
      request: { method: 'POST', body: 'x' },
      endpoints: ['10.0.0.1:80', '10.0.0.2:80'],
      upstream: () => 'reset',
    });
    expect([response?.status, upstreamRequests.length]).toEqual([503, 1]);
  });

  it('a status is tried again as often as said, then delivered', async () => {
    const { response, upstreamRequests } = await runChain({
      filters: [retry({ retries: 3, on: ['status-codes'], statusCodes: [503] })],
      upstream: () => ({ status: 503, body: 'busy' }),
    });
    expect([response?.status, response?.body, upstreamRequests.length]).toEqual([503, 'busy', 4]);
  });

  it('a gRPC call is made again after a status that is named, body and all, and not after others', async () => {
    const call = {
      method: 'POST',
      path: '/a.B/C',
      headers: { 'content-type': 'application/grpc' },
      chunks: ['first', 'second'],
    };
    const run = async (
      on: readonly RetryOn[],
      refusals: readonly string[],
      request: object = call,
    ): Promise<unknown[]> => {
      let calls = 0;
      const { response, upstreamRequests, record } = await runChain({
        filters: [retry({ retries: 3, on })],
        request,
        upstream: () => {
          const refusal = refusals[calls++];
          const headers = { 'content-type': 'application/grpc' };
          return refusal === undefined
            ? { headers, chunks: ['answer'], trailers: { 'grpc-status': '0' } }
            : { headers: { ...headers, 'grpc-status': refusal } };
        },
      });
      return [
        upstreamRequests.map(({ body }) => body),
        record?.grpcStatus,
        response?.body,
        record?.retryRefused,
      ];
    };
    const sent = 'firstsecond';
    expect(await run(['unavailable'], ['14', '14'])).toEqual([[sent, sent, sent], 0, 'answer', '']);
    expect(await run(['unavailable', 'cancelled'], ['1', '13', '14'])).toEqual([[sent, sent], 13, '', '']);
    expect(await run(['unavailable'], ['13'])).toEqual([[sent], 13, '', '']);
    expect(await run(['connect-failure', 'reset', '5xx', 'gateway-error'], ['14'])).toEqual([
      [sent],
      14,
      '',
      '',
    ]);
    // What is no call says nothing by such a field.
    expect(await run(['unavailable'], ['14'], { ...call, headers: {} })).toEqual([[sent], -1, '', '']);
  });

  it('a call that was answered is not made again, whatever its trailers say', async () => {
    const { upstreamRequests, record } = await runChain({
      filters: [retry({ on: ['unavailable', 'internal'] })],
      request: { method: 'POST', headers: { 'content-type': 'application/grpc' }, body: 'x' },
      upstream: () => ({
        headers: { 'content-type': 'application/grpc' },
        chunks: ['part'],
        trailers: { 'grpc-status': '14' },
      }),
    });
    expect([upstreamRequests.length, record?.grpcStatus]).toEqual([1, 14]);
  });

  it('a route changes what it names and keeps the rest', async () => {
    const chain = retry({ retries: 3, on: ['5xx'] }, { name: 'retry' });
    const attempts = async (filterConfigs: Record<string, unknown>): Promise<number> =>
      (await runChain({ filters: [chain], filterConfigs, upstream: () => ({ status: 500 }) }))
        .upstreamRequests.length;
    expect([
      await attempts({ retry: { retries: 1 } }),
      await attempts({ retry: { retries: 0 } }),
      await attempts({ retry: null }),
      await attempts({}),
    ]).toEqual([2, 1, 1, 4]);
  });
});
