import { ADAPTIVE_CONCURRENCY_FILTER } from '@tulle/model';
import { testProxy, type Answer, type FakeClock, type HttpClient, type TestProxy } from '@tulle/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { adaptiveConcurrency } from './index.ts';

let test: TestProxy | undefined;
afterEach(async () => {
  await test?.stop();
  test = undefined;
});

const PLACES = 4;
const SERVICE_MS = 10;
/** Requests a second that the service can answer. */
const CAPACITY = (PLACES * 1000) / SERVICE_MS;
/** Who waits longer does not want the answer any more. */
const PATIENCE_MS = 100;

/** A service that works at a few requests at a time and lets the others wait. */
function service(clock: () => FakeClock): () => Promise<Answer> {
  let busy = 0;
  const line: (() => void)[] = [];
  const done = (): void => {
    const next = line.shift();
    if (next === undefined) busy--;
    else next();
  };
  return () =>
    new Promise((resolve) => {
      const work = (): void => {
        clock().setTimer(SERVICE_MS, () => {
          resolve({ body: 'ok' });
          done();
        });
      };
      if (busy < PLACES) {
        busy++;
        work();
      } else line.push(work);
    });
}

async function proxy(protect: boolean): Promise<TestProxy> {
  test = await testProxy({
    listeners: [
      {
        name: 'test',
        address: { host: '127.0.0.1', port: 8080 },
        filterChains: [
          {
            name: 'all',
            handler: {
              kind: 'http',
              filters: protect
                ? [
                    {
                      name: ADAPTIVE_CONCURRENCY_FILTER,
                      filter: ADAPTIVE_CONCURRENCY_FILTER,
                      config: { minRtt: { requests: 20 } },
                    },
                  ]
                : [],
              routes: {
                name: 'routes',
                virtualHosts: [
                  {
                    name: 'all',
                    domains: ['*'],
                    routes: [
                      {
                        name: 'all',
                        match: { path: { kind: 'prefix', value: '/' } },
                        action: { kind: 'forward', clusters: [{ name: 'api' }] },
                      },
                    ],
                  },
                ],
              },
            },
          },
        ],
      },
    ],
    registry: [adaptiveConcurrency],
    clusters: [
      {
        name: 'api',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
      },
    ],
    upstreams: { '10.0.0.1:80': service(() => (test as TestProxy).clock) },
  });
  return test;
}

/** Requests come evenly whatever becomes of those before, each on a connection that is free. */
async function offer(
  { clock, client }: TestProxy,
  requestsPerSecond: number,
  forMs: number,
): Promise<{ readonly good: number; readonly refused: number }> {
  const idle: HttpClient[] = [];
  const all: Promise<void>[] = [];
  let good = 0;
  let refused = 0;
  let due = 0;
  const send = async (): Promise<void> => {
    const caller = idle.pop() ?? client();
    const beganMs = clock.nowMs();
    const { status } = await caller.request();
    if (status === 503) refused++;
    else if (clock.nowMs() - beganMs <= PATIENCE_MS) good++;
    idle.push(caller);
  };
  for (let ms = 0; ms < forMs; ms += 5) {
    due += (requestsPerSecond * 5) / 1000;
    for (; due >= 1; due--) all.push(send());
    await clock.advance(5);
  }
  await clock.advance(60_000);
  await Promise.all(all);
  return { good, refused };
}

describe('when twice of what the service can answer is asked', () => {
  it('as many get their answer in time as it can give', async () => {
    const running = await proxy(true);
    await offer(running, CAPACITY * 2, 500); // until the limit is found
    const { good, refused } = await offer(running, CAPACITY * 2, 2_000);
    expect(good).toBeGreaterThanOrEqual(0.9 * CAPACITY * 2);
    expect(refused).toBeGreaterThan(0.8 * CAPACITY * 2);
    expect(running.records.find(({ code }) => code !== '')).toMatchObject({
      status: 503,
      code: 'TULLE_CONCURRENCY_LIMITED',
      details: 'reached_concurrency_limit',
    });
    const labels = { filter: 'tulle.http.adaptive-concurrency' };
    expect(running.meter.value('tulle_filter_adaptive_concurrency_rq_blocked_total', labels)).toBeGreaterThan(
      refused - 1,
    );
    expect(running.meter.value('tulle_filter_adaptive_concurrency_min_rtt_msecs', labels)).toBeCloseTo(10, 0);
    expect(running.meter.value('tulle_filter_adaptive_concurrency_limit', labels)).toBeLessThan(20);
  });

  it('without the filter nearly nobody does', async () => {
    const { good, refused } = await offer(await proxy(false), CAPACITY * 2, 2_000);
    expect(refused).toBe(0);
    expect(good).toBeLessThan(0.3 * CAPACITY * 2);
  });
});

it('gives its place back whatever becomes of a request', async () => {
  const { client, clock } = await proxy(true);
  // Three places while it is measured.
  const gone = [client(), client(), client()];
  for (const caller of gone) caller.send({});
  await clock.settle();
  expect((await client().request()).status).toBe(503);
  for (const caller of gone) caller.connection.close(true);
  await clock.advance(20);
  const next = client();
  const answer = next.request();
  await clock.advance(20);
  expect((await answer).status).toBe(200);
});
