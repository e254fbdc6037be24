import { ADMISSION_CONTROL_FILTER, type AdmissionControlFilterConfig } from '@tulle/model';
import { testProxy, type Answer, type TestProxy } from '@tulle/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { admissionControl } from './index.ts';

let test: TestProxy | undefined;
afterEach(async () => {
  await test?.stop();
  test = undefined;
});

async function proxy(config: AdmissionControlFilterConfig = {}): Promise<TestProxy> {
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
              filters: [{ name: ADMISSION_CONTROL_FILTER, filter: ADMISSION_CONTROL_FILTER, config }],
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
    registry: [admissionControl],
    clusters: [
      {
        name: 'api',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
      },
    ],
    upstreams: { '10.0.0.1:80': () => ({ body: 'ok' }) },
  });
  return test;
}

/** The share of so many requests that was refused. */
async function refusedOf(
  { client, upstream, records }: TestProxy,
  count: number,
  answer: Answer,
): Promise<number> {
  upstream('10.0.0.1:80').answer = () => answer;
  const caller = client();
  const before = records.length;
  for (let i = 0; i < count; i++) await caller.request();
  return records.slice(before).filter(({ code }) => code === 'TULLE_ADMISSION_DENIED').length / count;
}

const BROKEN: Answer = { status: 500 };
const WELL: Answer = { body: 'ok' };

describe('admission control', () => {
  it('refuses nothing while the service succeeds, nor for what callers do wrong', async () => {
    const running = await proxy();
    expect(await refusedOf(running, 100, WELL)).toBe(0);
    expect(await refusedOf(running, 200, { status: 404 })).toBe(0);
  });

  it('refuses up to its bound while the service fails, and lets the rest try', async () => {
    const running = await proxy();
    await refusedOf(running, 50, BROKEN);
    const share = await refusedOf(running, 400, BROKEN);
    expect(share).toBeGreaterThan(0.72);
    expect(share).toBeLessThan(0.88);
    expect(running.records.at(-1)?.status === 500 || running.records.at(-1)?.status === 503).toBe(true);
    expect(running.records.find(({ code }) => code === 'TULLE_ADMISSION_DENIED')).toMatchObject({
      status: 503,
      details: 'denied_by_admission_control',
    });
  });

  it('refuses evenly more the more failed: at half of the successes nearly half', async () => {
    const running = await proxy({ maxRejectionPercent: 100 });
    const { clock } = running;
    // 100 successes and 100 failures among those that went on.
    let count = 0;
    running.upstream('10.0.0.1:80').answer = () => (count++ % 2 === 0 ? WELL : BROKEN);
    const caller = running.client();
    for (let i = 0; i < 800; i++) await caller.request();
    const denied = running.records.slice(-400).filter(({ code }) => code === 'TULLE_ADMISSION_DENIED').length;
    expect(denied / 400).toBeGreaterThan(0.38);
    expect(denied / 400).toBeLessThan(0.57);
    expect(clock.nowMs()).toBe(0);
  });

  it('is over when the failures are older than the window', async () => {
    const running = await proxy();
    await refusedOf(running, 100, BROKEN);
    await running.clock.advance(29_000);
    expect(await refusedOf(running, 40, BROKEN)).toBeGreaterThan(0.5);
    await running.clock.advance(31_000);
    expect(await refusedOf(running, 100, WELL)).toBe(0);
  });

  it('finds out by itself that the service is well again', async () => {
    const running = await proxy({ windowMs: 5_000 });
    await refusedOf(running, 100, BROKEN);
    let share = 1;
    for (let second = 0; second < 8; second++) {
      share = await refusedOf(running, 50, WELL);
      await running.clock.advance(1_000);
    }
    expect(share).toBe(0);
  });

  it('is more aggressive where it is told so', async () => {
    const mostlyWell = async (aggression: number): Promise<number> => {
      const running = await proxy({ aggression, maxRejectionPercent: 100 });
      let count = 0;
      running.upstream('10.0.0.1:80').answer = () => (count++ % 5 === 0 ? BROKEN : WELL);
      const caller = running.client();
      for (let i = 0; i < 600; i++) await caller.request();
      const share = running.records.filter(({ code }) => code === 'TULLE_ADMISSION_DENIED').length / 600;
      await running.stop();
      return share;
    };
    expect(await mostlyWell(1)).toBeLessThan(0.3);
    expect(await mostlyWell(3)).toBeGreaterThan(0.4);
  });

  it('does not begin below its rate', async () => {
    const running = await proxy({ windowMs: 10_000, minRequestsPerSecond: 10 });
    expect(await refusedOf(running, 100, BROKEN)).toBe(0);
    expect(await refusedOf(running, 100, BROKEN)).toBeGreaterThan(0.5);
  });

  it('knows successes by the statuses that it is given', async () => {
    const running = await proxy({ success: { httpStatuses: [{ from: 500, to: 500 }] } });
    expect(await refusedOf(running, 100, BROKEN)).toBe(0);
    await running.clock.advance(60_000);
    expect(await refusedOf(running, 100, WELL)).toBeGreaterThan(0.3);
  });

  it('counts what Tulle answers for a service that is not there', async () => {
    const running = await proxy();
    running.upstream('10.0.0.1:80').close();
    const caller = running.client();
    for (let i = 0; i < 100; i++) await caller.request();
    expect(running.records.filter(({ code }) => code === 'TULLE_ADMISSION_DENIED').length).toBeGreaterThan(
      40,
    );
  });
});

describe('a gRPC response', () => {
  const grpc = (status: string): Answer => ({
    headers: { 'content-type': 'application/grpc' },
    chunks: ['x'],
    trailers: { 'grpc-status': status },
  });

  it('counts by the status in its trailers', async () => {
    const running = await proxy();
    expect(await refusedOf(running, 100, grpc('5'))).toBe(0);
    expect(await refusedOf(running, 300, grpc('14'))).toBeGreaterThan(0.3);
  });

  it('counts by the status in its head, and as a failure without one', async () => {
    const running = await proxy();
    const only = (status: string): Answer => ({
      headers: { 'content-type': 'application/grpc', 'grpc-status': status },
    });
    expect(await refusedOf(running, 100, only('0'))).toBe(0);
    expect(await refusedOf(running, 300, only('8'))).toBeGreaterThan(0.3);
    await running.clock.advance(60_000);
    const without: Answer = { headers: { 'content-type': 'application/grpc' }, body: 'x' };
    expect(await refusedOf(running, 100, without)).toBeGreaterThan(0.3);
  });
});
