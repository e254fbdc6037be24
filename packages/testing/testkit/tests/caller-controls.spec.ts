import { CHECKED_CONTROLS, type CallerControls } from '@tulle/model';
import { cluster, httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { started } from './support.ts';

const EXPECTED = 'x-envoy-expected-rq-timeout-ms';

/** `/` goes to an endpoint, `/slow` to one that never answers, `/gone` to a cluster that is not there. */
function controlled(
  callerControls: CallerControls,
  forward: Parameters<typeof route>[2] = {},
): Promise<TestProxy> {
  return started({
    listeners: [
      httpListener({
        port: 8080,
        callerControls,
        forwarding: { client: 'peer', internalCidrs: ['192.0.2.0/24'] },
        routes: [
          route('/gone', 'gone', forward),
          { ...route('/redirect', 'api'), action: { kind: 'redirect', path: { kind: 'full', value: '/' } } },
          route('/edited', 'api', {
            ...forward,
            requestHeaders: {
              remove: [EXPECTED],
              set: [{ name: 'x-envoy-max-retries', value: 'no number' }],
            },
          }),
          route('/slow/edited', 'slow', { ...forward, requestHeaders: { remove: [EXPECTED] } }),
          route('/slow', 'slow', forward),
          route('/', 'api', forward),
        ],
      }),
    ],
    clusters: [cluster('api', ['10.0.0.1:80']), cluster('slow', ['10.0.0.2:80'])],
    upstreams: {
      '10.0.0.1:80': () => ({ body: 'ok' }),
      '10.0.0.2:80': () => new Promise<never>(() => {}),
    },
    danglingReferences: 'allow',
  });
}

const INTERNAL = { host: '192.0.2.7' };

describe('fields that are checked', () => {
  const status = async (
    headers: readonly (readonly [string, string])[],
    path = '/',
    checks: CallerControls['checks'] = CHECKED_CONTROLS,
  ): Promise<number> => {
    const test = await controlled({ checks: checks ?? [] });
    return (await test.client(INTERNAL).request({ path, headers })).status;
  };

  it.each([
    [
      'x-envoy-max-retries',
      ['5', '+5', '007', '18446744073709551615'],
      ['', '-1', '5.0', '0x5', '5 5', '18446744073709551616'],
    ],
    ['x-envoy-upstream-rq-timeout-ms', ['5000'], ['soon']],
    ['x-envoy-upstream-rq-per-try-timeout-ms', ['5000'], ['soon']],
    [
      'x-envoy-retry-on',
      ['', ',', '5xx', '5xx, reset', 'http3-post-connect-failure'],
      ['5XX', '5xx,foo', '5xx;reset', 'cancelled'],
    ],
    ['x-envoy-retry-grpc-on', ['', 'cancelled,internal', 'unavailable'], ['5xx', 'cancelled 5xx']],
  ] as const)('%s says what Envoy understands, or the request is refused', async (name, good, bad) => {
    const answers = async (values: readonly string[]): Promise<number[]> =>
      Promise.all(values.map((value) => status([[name, value]])));
    expect(new Set(await answers(good))).toEqual(new Set([200]));
    expect(new Set(await answers(bad))).toEqual(new Set([400]));
  });

  it('are those that are named, all lines of one together, before routes edit them', async () => {
    const retries = (...values: string[]): (readonly [string, string])[] =>
      values.map((value) => ['x-envoy-max-retries', value]);
    expect([
      await status(retries('abc'), '/', ['x-envoy-retry-on']),
      await status(retries('1', '2')),
      await status([
        ['x-envoy-retry-on', '5xx'],
        ['x-envoy-retry-on', 'reset'],
      ]),
      await status(retries('1'), '/edited'),
      await status(retries('abc'), '/edited'),
    ]).toEqual([200, 400, 200, 200, 400]);
  });

  it('are not asked for where a request goes nowhere', async () => {
    const bad = [['x-envoy-max-retries', 'abc']] as const;
    expect([await status(bad, '/redirect'), await status(bad, '/gone'), await status(bad, '/slow')]).toEqual([
      302, 503, 400,
    ]);
  });

  it('are told by the record', async () => {
    const test = await controlled({ checks: ['x-envoy-retry-on', 'x-envoy-max-retries'] });
    await test.client(INTERNAL).request({
      headers: { 'x-envoy-max-retries': 'a', 'x-envoy-retry-on': 'b' },
    });
    expect(test.records[0]).toMatchObject({
      status: 400,
      code: 'TULLE_CONTROL_FIELD',
      details: 'request_headers_failed_strict_check{x-envoy-retry-on}',
      flags: ['IH'],
    });
    expect(test.upstream('10.0.0.1:80').requests).toEqual([]);
  });

  it('are not there any more where the caller comes from outside', async () => {
    const test = await controlled({ checks: CHECKED_CONTROLS });
    const { status: got } = await test
      .client({ host: '198.51.100.7' })
      .request({ headers: { 'x-envoy-max-retries': 'abc' } });
    expect(got).toBe(200);
  });
});

describe('the time that a caller says it waits', () => {
  /** Status and milliseconds, to a tenth of a second. */
  const waited = async (
    told: readonly string[],
    {
      controls = { timeout: true },
      path = '/slow',
      ...forward
    }: { controls?: CallerControls; path?: string } & NonNullable<Parameters<typeof route>[2]> = {},
  ): Promise<unknown> => {
    const test = await controlled(controls, { requestTimeoutMs: 500, ...forward });
    const pending = test
      .client(INTERNAL)
      .request({ path, headers: told.map((value) => [EXPECTED, value] as const) });
    await test.clock.advance(20_000);
    const [record] = test.records;
    if (record === undefined) {
      pending.catch(() => {}); // it ends with the test
      return 'waits';
    }
    await pending;
    return [record.status, Math.round(record.durationMs / 100) * 100, record.code];
  };

  it('takes the place of the route’s, 0 for none, where it is a number', async () => {
    const late = (ms: number): unknown => [504, ms, 'TULLE_REQUEST_TIMEOUT'];
    expect([
      await waited([]),
      await waited(['200']),
      await waited(['+3000']),
      await waited(['0']),
      await waited(['18446744073709551615']),
      await waited(['abc']),
      await waited(['200', '3000']),
      await waited(['300'], { requestTimeoutMs: 0 }),
      await waited(['3000'], { path: '/slow/edited' }),
    ]).toEqual([
      late(500),
      late(200),
      late(3_000),
      'waits',
      'waits',
      late(500),
      late(500),
      late(300),
      late(3_000),
    ]);
  });

  it('says nothing where that is not asked for', async () => {
    const late = [504, 500, 'TULLE_REQUEST_TIMEOUT'];
    expect([await waited(['3000'], { controls: {} }), await waited(['100'], { controls: {} })]).toEqual([
      late,
      late,
    ]);
  });

  it('lets attempts take as long as the route says, also longer than its own timeout', async () => {
    expect([
      await waited(['3000'], { perTryTimeoutMs: 700 }),
      await waited(['300'], { perTryTimeoutMs: 400 }),
      await waited([], { perTryTimeoutMs: 700 }),
    ]).toEqual([
      [504, 700, 'TULLE_PER_TRY_TIMEOUT'],
      [504, 300, 'TULLE_REQUEST_TIMEOUT'],
      [504, 500, 'TULLE_REQUEST_TIMEOUT'],
    ]);
  });
});
