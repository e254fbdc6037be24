import { FAULT_FILTER, type FaultFilterConfig, type FaultOverride } from '@tulle/model';
import { runChain, testProxy, type TestProxy } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { fault } from './index.ts';

describe('an abort', () => {
  it('answers instead of the service, with its flag', async () => {
    const { response, upstreamRequests, record, meter } = await runChain({
      filters: [fault({ abort: { status: 418 } }, { name: 'fault' })],
    });
    expect([response?.status, upstreamRequests.length]).toEqual([418, 0]);
    expect(record).toMatchObject({ code: 'TULLE_FAULT_ABORT', flags: ['FI'], details: 'fault_filter_abort' });
    expect(meter.value('tulle_filter_fault_aborts_total', { filter: 'fault' })).toBe(1);
  });

  it('gives gRPC calls the status that is meant for them, and others theirs', async () => {
    const answers = async (
      abort: NonNullable<FaultFilterConfig['abort']>,
      type: string,
    ): Promise<(string | number | undefined)[]> => {
      const { response } = await runChain({
        filters: [fault({ abort })],
        request: { method: 'POST', headers: { 'content-type': type }, body: 'x' },
      });
      return [response?.status, response?.header('grpc-status')];
    };
    expect(await answers({ status: 503, grpcStatus: 8 }, 'application/grpc')).toEqual([200, '8']);
    expect(await answers({ status: 503, grpcStatus: 8 }, 'application/json')).toEqual([503, undefined]);
    expect(await answers({ status: 503 }, 'application/grpc')).toEqual([200, '14']);
  });

  it('hits its share of the requests', async () => {
    let aborted = 0;
    let state = 1;
    const random = (): number => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
    const { responses } = await runChain({
      filters: [fault({ abort: { status: 503, percent: 30 } })],
      request: Array.from({ length: 2_000 }, () => ({})),
      random,
    });
    for (const response of responses) if (response.status === 503) aborted += 1;
    expect(Math.abs(aborted - 600)).toBeLessThanOrEqual(5 * Math.sqrt(2_000 * 0.3 * 0.7));
  });

  it('of 0 percent hits nothing', async () => {
    expect(
      (await runChain({ filters: [fault({ abort: { status: 503, percent: 0 } })], random: () => 0 })).response
        ?.status,
    ).toBe(200);
  });

  it('is for requests with all of the headers, any line of each', async () => {
    const filter = fault({ abort: { status: 503 }, headers: { 'X-Fault': 'yes', 'x-user': 'ann' } });
    const status = async (headers: readonly (readonly [string, string])[]): Promise<number | undefined> =>
      (await runChain({ filters: [filter], request: { headers } })).response?.status;
    expect(
      await status([
        ['x-fault', 'no'],
        ['x-fault', 'yes'],
        ['x-user', 'ann'],
      ]),
    ).toBe(503);
    expect(await status([['x-fault', 'yes']])).toBe(200);
    expect(
      await status([
        ['x-fault', 'Yes'],
        ['x-user', 'ann'],
      ]),
    ).toBe(200);
  });
});

describe('a delay', () => {
  it('holds the request for its time, then lets it go on', async () => {
    const { response, record, meter } = await runChain({ filters: [fault({ delay: { durationMs: 250 } })] });
    expect(response?.status).toBe(200);
    expect(record?.durationMs).toBeGreaterThanOrEqual(250);
    expect(record?.durationMs).toBeLessThanOrEqual(320);
    expect([
      meter.value('tulle_filter_fault_delays_total'),
      meter.value('tulle_filter_fault_delays_active'),
    ]).toEqual([1, 0]);
  });

  it('may be followed by an abort', async () => {
    const { response, record } = await runChain({
      filters: [fault({ delay: { durationMs: 100, percent: 50 }, abort: { status: 504, percent: 50 } })],
      random: () => 0.4,
    });
    expect(response?.status).toBe(504);
    expect(record?.durationMs).toBeGreaterThanOrEqual(100);
  });

  it('ends when the caller goes away, and holds nothing after', async () => {
    const test = await setup({ delay: { durationMs: 60_000 } });
    try {
      const client = test.client();
      client.send({});
      await test.clock.advance(1_000);
      expect(test.meter.value('tulle_filter_fault_delays_active')).toBe(1);
      client.connection.close(true);
      await test.clock.advance(100);
      expect([test.meter.value('tulle_filter_fault_delays_active'), test.records.length]).toEqual([0, 1]);
    } finally {
      await test.stop();
    }
  });

  it('is left out past maxActiveDelays, and counted', async () => {
    const test = await setup({ delay: { durationMs: 1_000 }, maxActiveDelays: 2 });
    try {
      const clients = [test.client(), test.client(), test.client()];
      for (const client of clients) client.send({});
      await test.clock.advance(10);
      expect((await clients[2]?.response())?.status).toBe(200);
      expect([
        test.meter.value('tulle_filter_fault_delays_active'),
        test.meter.value('tulle_filter_fault_delays_skipped_total'),
      ]).toEqual([2, 1]);
      await test.clock.advance(1_100);
      expect([(await clients[0]?.response())?.status, (await clients[1]?.response())?.status]).toEqual([
        200, 200,
      ]);
    } finally {
      await test.stop();
    }
  });
});

it('on a route changes what it names', async () => {
  const { response } = await runChain({
    filters: [fault({ abort: { status: 503 } }, { name: 'fault' })],
    filterConfigs: { fault: { abort: { status: 429 } } },
  });
  expect(response?.status).toBe(429);
});

it('costs nothing where nothing is injected', () => {
  expect([fault.definition.applies?.({}), fault.definition.applies?.({ delay: { durationMs: 1 } })]).toEqual([
    false,
    true,
  ]);
});

async function setup(config: FaultFilterConfig): Promise<TestProxy> {
  return testProxy({
    listeners: [
      {
        name: 'test',
        address: { host: '127.0.0.1', port: 8080 },
        filterChains: [
          {
            name: 'all',
            handler: {
              kind: 'http',
              filters: [{ name: 'fault', filter: FAULT_FILTER, config }],
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
                        action: { kind: 'forward', clusters: [{ name: 'service' }] },
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
    registry: [fault],
    clusters: [
      {
        name: 'service',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
      },
    ],
    upstreams: { '10.0.0.1:80': () => ({ body: 'ok' }) },
  });
}

describe('faults that requests ask for', () => {
  const asked = async (config: FaultFilterConfig, headers: Record<string, string>, random = 0.999) => {
    const { response, clock, upstreamRequests } = await runChain({
      filters: [fault(config, { name: 'fault' })],
      request: { headers },
      // The caller's fields are taken off what comes from strangers.
      handler: { identityHeaders: 'keep' },
      random: () => random,
    });
    return { status: response?.status, upstream: upstreamRequests.length, at: clock.nowMs() };
  };

  it('are those, and no others', async () => {
    const byHeader = { byHeader: { abort: {}, delay: {} } };
    expect((await asked(byHeader, { 'x-envoy-fault-abort-request': '418' })).status).toBe(418);
    expect((await asked(byHeader, { 'x-envoy-fault-abort-request': '42' })).status).toBe(200);
    expect((await asked(byHeader, { 'x-envoy-fault-abort-grpc-request': '8' })).status).toBe(429);
    expect((await asked(byHeader, {})).status).toBe(200);
    expect((await asked({ abort: { status: 418 } }, { 'x-envoy-fault-abort-request': '503' })).status).toBe(
      418,
    );
  });

  it('hit no larger share than is allowed, and a smaller one where that is asked for', async () => {
    const byHeader = { byHeader: { abort: { percent: 50 } } };
    const share = (percentage: string) => ({
      'x-envoy-fault-abort-request': '503',
      'x-envoy-fault-abort-request-percentage': percentage,
    });
    expect((await asked(byHeader, share('100'), 0.6)).status).toBe(200);
    expect((await asked(byHeader, share('100'), 0.4)).status).toBe(503);
    expect((await asked(byHeader, share('10'), 0.4)).status).toBe(200);
    // A part of what the configuration's share is said in.
    const fine = { byHeader: { abort: { percent: 50, denominator: 10_000 } } } as const;
    expect((await asked(fine, share('100'), 0.009)).status).toBe(503);
    expect((await asked(fine, share('100'), 0.011)).status).toBe(200);
    expect((await asked(fine, share('9000'), 0.4)).status).toBe(503);
    expect((await asked(fine, share('9000'), 0.6)).status).toBe(200);
  });
});

describe('a fault', () => {
  it('is for requests that fulfil its conditions, to its cluster, of its nodes', async () => {
    const status = async (config: FaultFilterConfig, headers: Record<string, string> = {}) =>
      (
        await runChain({
          filters: [fault({ abort: { status: 503 }, ...config })],
          request: { headers },
          handler: { identityHeaders: 'keep' },
        })
      ).response?.status;
    const match = [{ name: 'X-User', match: { kind: 'prefix', value: 'a' } as const }];
    expect(await status({ match }, { 'x-user': 'ann' })).toBe(503);
    expect(await status({ match }, { 'x-user': 'bob' })).toBe(200);
    expect(await status({ cluster: 'service' })).toBe(503);
    expect(await status({ cluster: 'other' })).toBe(200);
    expect(await status({ nodes: ['n1'] }, { 'x-envoy-downstream-service-node': 'n1' })).toBe(503);
    expect(await status({ nodes: ['n1'] })).toBe(200);
  });

  it('slows a response down to its rate, and leaves what it does not hit alone', async () => {
    const slow = async (percent: number) => {
      const proxy = await runChain({
        filters: [fault({ responseRate: { kibPerSecond: 1, percent } }, { name: 'fault' })],
        upstream: () => ({ body: 'x'.repeat(2_048) }),
        random: () => 0.5,
      });
      return [proxy.response?.body.length, proxy.records[0]?.durationMs ?? 0];
    };
    const [length, took] = await slow(100);
    expect(length).toBe(2_048);
    expect(took).toBeGreaterThanOrEqual(1_990);
    expect((await slow(10))[1]).toBeLessThan(100);
  });

  it('is left out where enough of them are under way, whatever its kind', async () => {
    const { responses, meter } = await runChain({
      filters: [fault({ abort: { status: 503 }, maxActiveFaults: 0 }, { name: 'fault' })],
      request: [{}, {}],
    });
    expect(responses.map(({ status }) => status)).toEqual([200, 200]);
    expect(meter.value('tulle_filter_fault_overflows_total', { filter: 'fault' })).toBe(2);
  });
});

describe('a fault of a route', () => {
  it('changes what it names, or stands in place of the chain’s', async () => {
    const filter = fault({ abort: { status: 503 }, headers: { 'x-fault': 'yes' } }, { name: 'fault' });
    const status = async (override: FaultOverride, headers = {}): Promise<number | undefined> => {
      const filterConfigs = { fault: override };
      return (await runChain({ filters: [filter], request: { headers }, filterConfigs })).response?.status;
    };
    const asking = { 'x-fault': 'yes' };
    expect(await status({ abort: { status: 429 } })).toBe(200);
    expect(await status({ abort: { status: 429 } }, asking)).toBe(429);
    expect(await status({ abort: { status: 429 }, replaces: true })).toBe(429);
    expect(await status({ delay: { durationMs: 1 } }, asking)).toBe(503);
    expect(await status({ delay: { durationMs: 1 }, replaces: true }, asking)).toBe(200);
  });
});
