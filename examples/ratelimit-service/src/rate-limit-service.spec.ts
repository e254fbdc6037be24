import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { globalRateLimit } from '@tulle/filter-ratelimit';
import { cluster, createProxy, httpListener, route } from '@tulle/proxy';
import {
  RateLimitRequestSchema,
  RateLimitResponse_Code as Code,
  RateLimitService,
  type RateLimitResponse,
} from '@tulle/xds-proto/envoy/service/ratelimit/v3/rls';
import { grpcService } from '@tulle/xds-proto/grpc';
import { afterEach, describe, expect, it } from 'vitest';
import { memoryCounters, type Counters } from './counters.ts';
import { readLimits } from './limits-file.ts';
import { startRateLimitService, type RateLimitServiceOptions } from './rate-limit-service.ts';

const LIMITS = `
domain: shop
descriptors:
  - { key: generic_key, value: checkout, rate_limit: { unit: minute, requests_per_unit: 2 } }
  - { key: user, rate_limit: { unit: hour, requests_per_unit: 3 } }
`;
/** Twenty seconds into a minute, a minute into an hour. */
const START_MS = Date.UTC(2026, 0, 1, 12, 1, 20);
let nowMs = START_MS;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  nowMs = START_MS;
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

async function service(options: Partial<RateLimitServiceOptions> = {}): Promise<string> {
  const { domain, limits } = readLimits('limits.yaml', LIMITS);
  const running = await startRateLimitService({
    listen: '127.0.0.1:0',
    domains: new Map([[domain, limits]]),
    counters: memoryCounters({ nowMs: () => nowMs }),
    headers: true,
    nowMs: () => nowMs,
    ...options,
  });
  cleanups.push(() => running.close(0));
  return `127.0.0.1:${running.port}`;
}

type Ask = (
  request: MessageInitShape<typeof RateLimitRequestSchema>,
) => Promise<RateLimitResponse | ServiceError>;

function client(address: string): Ask {
  const { path, requestSerialize, responseDeserialize } = grpcService(RateLimitService).shouldRateLimit;
  const grpc = new Client(address, credentials.createInsecure());
  cleanups.push(() => grpc.close());
  return (request) =>
    new Promise((resolve) => {
      grpc.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(RateLimitRequestSchema, request),
        (error, response) => resolve(error ?? (response as RateLimitResponse)),
      );
    });
}

const descriptor = (key: string, value: string) => ({ entries: [{ key, value }] });
const CHECKOUT = { domain: 'shop', descriptors: [descriptor('generic_key', 'checkout')] };

describe('through a proxy', () => {
  it('refuses the third request of a minute on every proxy, and lets the next minute begin anew', async () => {
    const limits = await service();
    const api = http.createServer((_request, response) => void response.end('ok'));
    api.listen(0, '127.0.0.1');
    await once(api, 'listening');
    cleanups.push(() => {
      api.closeAllConnections();
      api.close();
    });
    const edges = await Promise.all(
      [1, 2].map(async () => {
        const proxy = createProxy({
          listeners: [
            httpListener({
              port: 0,
              filters: [globalRateLimit({ domain: 'shop', cluster: 'limits', timeoutMs: 10_000 })],
              routes: [
                route('/', 'api', { rateLimits: [{ actions: [{ kind: 'generic', value: 'checkout' }] }] }),
              ],
            }),
          ],
          clusters: [
            cluster('api', [`127.0.0.1:${(api.address() as AddressInfo).port}`]),
            cluster('limits', [limits], { pool: { protocol: 'http2' } }),
          ],
        });
        await proxy.start();
        cleanups.push(() => proxy.stop());
        return `http://127.0.0.1:${(proxy.addresses()['http'] as { port: number }).port}/`;
      }),
    );
    const [here, there] = edges as [string, string];
    const ask = async (url: string): Promise<unknown[]> => {
      const { status, headers } = await fetch(url);
      return [status, ...['limit', 'remaining', 'reset'].map((name) => headers.get(`x-ratelimit-${name}`))];
    };
    expect(await ask(here)).toEqual([200, '2', '1', '40']);
    expect(await ask(there)).toEqual([200, '2', '0', '40']);
    expect(await ask(here)).toEqual([429, '2', '0', '40']);
    expect(await ask(there)).toEqual([429, '2', '0', '40']);
    nowMs += 40_000;
    expect(await ask(here)).toEqual([200, '2', '1', '60']);
  });
});

describe('an answer', () => {
  it('has a status for each descriptor, and is over the limit where one is', async () => {
    const ask = client(await service());
    const request = {
      domain: 'shop',
      hitsAddend: 3,
      descriptors: [
        descriptor('user', 'ann'),
        descriptor('generic_key', 'checkout'),
        descriptor('unknown', ''),
      ],
    };
    expect(await ask(request)).toMatchObject({
      overallCode: Code.OVER_LIMIT,
      statuses: [
        {
          code: Code.OK,
          currentLimit: { requestsPerUnit: 3, unit: 3 },
          limitRemaining: 0,
          durationUntilReset: { seconds: 3_520n },
        },
        {
          code: Code.OVER_LIMIT,
          currentLimit: { requestsPerUnit: 2, unit: 2 },
          limitRemaining: 0,
          durationUntilReset: { seconds: 40n },
        },
        { code: Code.OK, limitRemaining: 0 },
      ],
    });
  });

  it('counts each value of a key for itself, however long', async () => {
    const ask = client(await service());
    const codeFor = async (user: string): Promise<unknown> => {
      const response = await ask({ domain: 'shop', hitsAddend: 3, descriptors: [descriptor('user', user)] });
      return 'overallCode' in response ? response.overallCode : response;
    };
    const long = 'x'.repeat(1_000);
    expect(await Promise.all(['ann', 'bob', `${long}1`, `${long}2`].map(codeFor))).toEqual([1, 1, 1, 1]);
    expect(await Promise.all(['ann', `${long}1`].map(codeFor))).toEqual([2, 2]);
  });

  it('takes the limit that a descriptor brings, and limits nothing in a domain it does not know', async () => {
    const ask = client(await service({ headers: false }));
    const own = [{ ...descriptor('user', 'ann'), limit: { requestsPerUnit: 7, unit: 4 as const } }];
    expect(await ask({ domain: 'shop', descriptors: own })).toMatchObject({
      responseHeadersToAdd: [],
      statuses: [{ currentLimit: { requestsPerUnit: 7, unit: 4 }, limitRemaining: 6 }],
    });
    expect(await ask({ domain: 'other', descriptors: own, hitsAddend: 8 })).toMatchObject({
      overallCode: Code.OK,
      statuses: [{ code: Code.OK, limitRemaining: 0 }],
    });
  });

  it.each([
    ['no domain', { ...CHECKOUT, domain: '' }, 'domain: is empty'],
    ['no descriptor', { domain: 'shop' }, 'descriptors: is empty'],
    ['no entry', { domain: 'shop', descriptors: [descriptor('a', ''), {}] }, 'descriptors[1].entries'],
    [
      'too much',
      { domain: 'shop', descriptors: Array.from({ length: 101 }, () => descriptor('a', '')) },
      'has 101',
    ],
  ])('is INVALID_ARGUMENT to %s', async (_what, request, details) => {
    const error = await client(await service())(request);
    expect(error).toMatchObject({ code: 3, details: expect.stringContaining(details) as string });
  });
});

describe('counters that fail', () => {
  const broken: Counters = {
    raise: () => Promise.reject(new Error('Redis is away')),
    close: () => Promise.resolve(),
  };
  const answer = async (onError?: 'allow' | 'deny'): Promise<unknown> =>
    client(await service({ counters: broken, onError }))(CHECKOUT);

  it('are UNAVAILABLE, or what the operator said', async () => {
    expect(await answer()).toMatchObject({ code: 14, details: 'Redis is away' });
    expect(await answer('allow')).toMatchObject({ overallCode: Code.OK });
    expect(await answer('deny')).toMatchObject({
      overallCode: Code.OVER_LIMIT,
      statuses: [{ code: Code.OVER_LIMIT }],
    });
  });
});

it('keeps a bounded number of counts in memory, and none of windows that are over', async () => {
  const counters = memoryCounters({ nowMs: () => nowMs, maxKeys: 2 });
  const raise = (...keys: string[]): Promise<readonly number[]> =>
    counters.raise(keys.map((key) => ({ key, add: 1, ttlSeconds: 60 })));
  expect(await raise('a', 'b', 'a', 'c', 'b')).toEqual([1, 1, 2, 1, 2]);
  expect(await raise('a')).toEqual([1]);
  nowMs += 60_001;
  expect(await raise('a', 'c')).toEqual([1, 1]);
});
