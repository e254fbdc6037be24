import type { ExtAuthzFilterConfig, ExtAuthzHttpService } from '@tulle/model';
import { runChain, type ChainRun, type TestRequest, type Upstream } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { extAuthz, NOTE_ALLOWED, NOTE_DENIED, NOTE_FAILED, NOTE_FAILURE_ALLOWED } from './index.ts';

const AUTH = '127.0.0.1:9001';

async function ask(
  answer: Upstream['answer'] | undefined,
  {
    http = {},
    config = {},
    request = {},
    ...run
  }: {
    http?: Partial<ExtAuthzHttpService['http']>;
    config?: Partial<ExtAuthzFilterConfig>;
    request?: TestRequest | readonly TestRequest[];
  } & Partial<Omit<ChainRun, 'request'>> = {},
) {
  const result = await runChain({
    filters: [
      extAuthz(
        { service: { http: { url: `http://${AUTH}/check/`, ...http } }, ...config },
        { name: 'ext-authz' },
      ),
    ],
    request,
    services: answer === undefined ? {} : { [AUTH]: answer },
    ...run,
  });
  const checks = result.serviceRequests[AUTH] ?? [];
  return {
    ...result,
    checks,
    check: checks[0],
    status: result.response?.status,
    statuses: result.responses.map(({ status }) => status),
    sent: result.upstreamRequests[0],
    count: (name: string): number =>
      result.meter.value('tulle_filter_ext_authz_checks_total', { result: name }),
  };
}

describe('a service that allows', () => {
  it('is asked with method, host, path and query of the request, and lets it pass', async () => {
    const { check, status, sent, record, count } = await ask(() => ({ status: 200 }), {
      request: {
        method: 'DELETE',
        path: '/orders/1;v=2/%2e?x=1&y=%20',
        headers: {
          host: 'Shop.example:8080',
          authorization: 'Bearer t',
          cookie: 'a=1',
          'x-secret': 's',
          'x-forwarded-for': '10.9.9.9',
          'x-a': '1',
        },
      },
      http: { requestHeaders: ['X-A'] },
      caller: { host: '192.0.2.7', tls: { identity: 'spiffe://mesh.local/ns/a/sa/b' } },
    });
    expect([status, count('allowed')]).toEqual([200, 1]);
    expect(check).toMatchObject({ method: 'DELETE', target: `/check${sent?.target}` });
    expect(check?.header('host')).toBe('shop.example:8080');
    const names = check?.headers.map(([name]) => name);
    for (const [name, value] of [
      ['authorization', 'Bearer t'],
      ['cookie', 'a=1'],
      ['x-a', '1'],
      ['x-forwarded-for', '192.0.2.7'],
      ['x-forwarded-client-cert', 'URI=spiffe://mesh.local/ns/a/sa/b'],
    ] as const)
      expect(check?.headerAll(name), name).toEqual([value]);
    expect(names).not.toContain('x-secret');
    expect(record?.notes.join()).toContain([NOTE_ALLOWED, 0].join());
  });

  it('may be asked by one fixed URL, as forward auth is', async () => {
    const { check } = await ask(() => ({ status: 202 }), {
      http: { path: 'fixed' },
      request: { method: 'POST', path: '/a?b=1', headers: { host: 'shop.example' }, body: 'x' },
    });
    expect(check).toMatchObject({ method: 'GET', target: '/check/', body: '' });
    expect(
      ['host', 'x-forwarded-method', 'x-forwarded-host', 'x-forwarded-uri'].map((name) =>
        check?.header(name),
      ),
    ).toEqual([AUTH, 'POST', 'shop.example', '/a?b=1']);
  });

  it('may be a cluster of the configuration', async () => {
    const { upstreamRequests } = await ask(undefined, {
      http: { url: 'http://auth.mesh/v1', cluster: 'other' },
    });
    expect(upstreamRequests.map((request) => request.target).toSorted()).toEqual(['/', '/v1/']);
  });

  it('is asked about OPTIONS * and HEAD too, and gets no body that nobody asked for', async () => {
    const { checks, statuses } = await ask(() => ({ status: 200 }), {
      request: [
        { method: 'OPTIONS', path: '*' },
        { method: 'HEAD', path: '/h' },
        { method: 'POST', path: '/p', body: 'secret' },
      ],
    });
    expect(checks.map(({ method, target, body }) => [method, target, body])).toEqual([
      ['OPTIONS', '/check/', ''],
      ['HEAD', '/check/h', ''],
      ['POST', '/check/p', ''],
    ]);
    expect(checks[2]?.header('content-length')).toBe('0');
    expect(statuses[2]).toBe(200);
  });

  it('hands over the headers that it may, in place of what the caller says of itself', async () => {
    const { sent, response } = await ask(
      () => ({
        status: 200,
        headers: [
          ['X-User', 'alice'],
          ['x-group', 'a'],
          ['x-group', 'b'],
          ['x-other', 'x'],
          ['x-forwarded-for', '10.0.0.1'],
          ['x-forwarded-client-cert', 'URI=spiffe://evil'],
          ['x-tulle-peer', 'evil'],
          ['x-request-id', 'evil'],
          ['x-refreshed', 'yes'],
          ['set-cookie', 's=1'],
          ['x-envoy-auth-headers-to-remove', 'Authorization, x-forwarded-for'],
        ],
      }),
      {
        http: {
          upstreamHeaders: [
            'x-user',
            'x-g*',
            'x-forwarded-for',
            'x-forwarded-client-cert',
            'x-tulle-*',
            'x-request-id',
          ],
          clientHeadersOnSuccess: ['x-refreshed', 'set-cookie'],
        },
        request: {
          headers: {
            'X-USER': 'root',
            'x-grade': 'admin',
            authorization: 'Bearer t',
            'x-request-id': 'mine',
          },
        },
        caller: { host: '192.0.2.7' },
        upstream: () => ({ headers: { 'set-cookie': 'app=1', 'x-refreshed': 'no' }, body: 'ok' }),
      },
    );
    expect(sent?.headerAll('x-user')).toEqual(['alice']);
    expect(sent?.headerAll('x-group')).toEqual(['a', 'b']);
    expect(sent?.headerAll('x-grade')).toEqual([]);
    expect(sent?.headerAll('x-forwarded-for')).toEqual(['192.0.2.7']);
    for (const name of ['x-forwarded-client-cert', 'x-tulle-peer', 'x-other', 'authorization'])
      expect(sent?.headerAll(name), name).toEqual([]);
    expect(sent?.headerAll('x-request-id')).toEqual(['mine']);
    expect(response?.headerAll('set-cookie')).toEqual(['app=1', 's=1']);
    expect(response?.headerAll('x-refreshed')).toEqual(['no', 'yes']);
  });

  it('is asked for every route and for none; null on a route asks nobody', async () => {
    const unrouted = await ask(() => ({ status: 401 }), { routes: [] });
    expect(unrouted.status).toBe(401);
    const removed = await ask(() => ({ status: 401 }), { filterConfigs: { 'ext-authz': null } });
    expect([removed.status, removed.checks.length]).toEqual([200, 0]);
  });
});

describe('a service that refuses', () => {
  it.each([302, 401, 403, 404, 429])(
    'with %i: the caller gets that, with the headers that it needs',
    async (code) => {
      const { response, upstreamRequests, record, count } = await ask(() => ({
        status: code,
        headers: {
          location: '/login',
          'www-authenticate': 'Bearer',
          'content-type': 'text/html',
          'set-cookie': 'state=1',
          'x-internal': 'secret',
          'x-powered-by': 'y',
        },
        body: '<p>log in',
      }));
      expect(response).toMatchObject({ status: code, body: '<p>log in' });
      expect(response?.header('location')).toBe('/login');
      expect(response?.header('content-type')).toBe('text/html');
      expect(response?.header('set-cookie')).toBe('state=1');
      expect(response?.header('x-internal')).toBe(undefined);
      expect(upstreamRequests).toEqual([]);
      expect(record).toMatchObject({
        code: 'TULLE_EXT_AUTHZ_DENIED',
        details: 'ext_authz_denied',
        flags: ['UAEX'],
      });
      expect(record?.notes.join()).toContain([NOTE_DENIED, code].join());
      expect(count('denied')).toBe(1);
    },
  );

  it('with headers of its own choice', async () => {
    const { response } = await ask(() => ({ status: 403, headers: { 'x-why': 'because', location: '/x' } }), {
      http: { clientHeaders: ['x-w*'] },
    });
    expect([response?.header('x-why'), response?.header('location')]).toEqual(['because', undefined]);
  });
});

describe('a service that gives no answer', () => {
  const cases: readonly (readonly [string, Upstream['answer'] | undefined, string])[] = [
    ['nobody listens', undefined, 'unavailable'],
    ['silence', () => 'silence', 'timeout'],
    ['a reset', () => 'reset', 'unavailable'],
    ['a close', () => 'close', 'unavailable'],
    ['no HTTP', () => 'hello\r\n\r\n', 'invalid'],
    ['two lengths', () => 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab', 'invalid'],
    ['an answer without end', () => 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab', 'timeout'],
    ['too much', () => ({ status: 200, body: 'x'.repeat(65_537) }), 'invalid'],
    ['too much in a refusal', () => ({ status: 403, body: 'x'.repeat(65_537) }), 'invalid'],
    ['500', () => ({ status: 500 }), 'status'],
    ['503', () => ({ status: 503 }), 'status'],
  ];

  it.each(cases)('%s: the request is refused', async (_what, answer, reason) => {
    const { status, response, upstreamRequests, record, count, log } = await ask(answer);
    expect(status).toBe(403);
    expect(upstreamRequests).toEqual([]);
    expect(record).toMatchObject({
      code: 'TULLE_EXT_AUTHZ_ERROR',
      details: `ext_authz_error{${reason}}`,
      flags: ['UAEX'],
    });
    expect(record?.notes.join()).toContain(`${NOTE_FAILED},`);
    expect(count(reason)).toBe(1);
    expect(response?.body).not.toMatch(/127\.0\.0\.1|reset|protocol/i);
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it.each(cases)(
    '%s: passes where that was said, counted, and the caller may not say what the service would',
    async (_what, answer, reason) => {
      const { status, sent, record, count, meter } = await ask(answer, {
        config: { failureMode: 'allow' },
        http: { upstreamHeaders: ['x-user'] },
        request: { headers: { 'x-user': 'root', X_User: 'root' } },
      });
      expect(status).toBe(200);
      expect(sent?.header('x-user')).toBe(undefined);
      expect(sent?.header('x_user')).toBe(undefined);
      expect(count(reason)).toBe(1);
      expect(meter.value('tulle_filter_ext_authz_failure_mode_allowed_total')).toBe(1);
      expect(record?.notes.join()).toContain(`${NOTE_FAILURE_ALLOWED},`);
    },
  );

  it('is not waited for longer than said, 200 ms without', async () => {
    for (const [timeoutMs, expected] of [
      [undefined, 200],
      [1_000, 1_000],
    ] as const) {
      const { record } = await ask(() => 'silence', { config: timeoutMs === undefined ? {} : { timeoutMs } });
      expect(record?.durationMs).toBeGreaterThanOrEqual(expected);
      expect(record?.durationMs).toBeLessThan(expected + 400);
    }
  });

  it('may have another status than 403', async () => {
    expect((await ask(() => 'reset', { config: { statusOnError: 503 } })).status).toBe(503);
  });

  it('is asked once more when its connection broke, and no third time', async () => {
    const answers: Awaited<ReturnType<Upstream['answer']>>[] = [{ status: 200 }, 'reset', { status: 200 }];
    const { statuses, checks } = await ask(() => answers.shift() ?? 'reset', {
      request: [{ method: 'POST' }, { method: 'POST' }],
    });
    expect([statuses, checks.length]).toEqual([[200, 200], 3]);
    expect((await ask(() => 'reset', { request: { method: 'POST' } })).checks.length).toBe(2);
    // What the proxy repeats by itself is not repeated here once more.
    const resets = [{ status: 200 }];
    const kept = await ask(() => resets.shift() ?? 'reset', { request: [{}, {}] });
    expect([kept.statuses, kept.checks.length]).toEqual([[200, 403], 3]);
  });

  it('is told of once when it begins and once when it ends', async () => {
    const answers: Awaited<ReturnType<Upstream['answer']>>[] = [
      { status: 500 },
      { status: 500 },
      { status: 200 },
      { status: 403 },
      { status: 500 },
    ];
    const { log } = await ask(() => answers.shift() ?? 'silence', { request: [{}, {}, {}, {}, {}] });
    expect(log.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      expect.stringMatching(/^warn .*status: the service answered 500/),
      'info the authorization service answers again',
      expect.stringMatching(/^warn /),
    ]);
  });
});

describe('a body', () => {
  const config = { body: { maxBytes: 10 } };

  it('is sent along where that is asked for, and reaches the called service as it was', async () => {
    const { checks, upstreamRequests, statuses } = await ask(() => ({ status: 200 }), {
      config,
      request: [
        { method: 'POST', body: '0123456789' },
        { method: 'POST', chunks: ['ab', 'cd'] },
        { method: 'POST', body: '' },
        {},
      ],
      chunkBytes: 3,
    });
    expect(statuses).toEqual([200, 200, 200, 200]);
    expect(checks.map(({ body }) => body)).toEqual(['0123456789', 'abcd', '', '']);
    expect(upstreamRequests.map(({ body }) => body)).toEqual(['0123456789', 'abcd', '', '']);
  });

  it('that is too large is refused, and nobody is asked', async () => {
    const { status, checks, upstreamRequests } = await ask(() => ({ status: 200 }), {
      config,
      request: { method: 'POST', body: '01234567890' },
    });
    expect([status, checks.length, upstreamRequests.length]).toEqual([413, 0, 0]);
  });

  it('of a refused request goes nowhere', async () => {
    const { status, upstreamRequests } = await ask(() => ({ status: 403 }), {
      config,
      request: { method: 'POST', body: 'x' },
    });
    expect([status, upstreamRequests.length]).toEqual([403, 0]);
  });

  it('may be asked for on a route', async () => {
    const { checks } = await ask(() => ({ status: 200 }), {
      request: { method: 'POST', body: 'x' },
      filterConfigs: { 'ext-authz': config },
    });
    expect(checks[0]?.body).toBe('x');
  });
});

describe('checks under way', () => {
  it('are bounded; what comes beyond is treated as on failure', async () => {
    const { testProxy } = await import('@tulle/testkit');
    const test = await testProxy({
      listeners: [
        {
          name: 'test',
          address: { host: '127.0.0.1', port: 8080 },
          filterChains: [
            {
              name: 'http',
              handler: {
                kind: 'http',
                filters: [
                  extAuthz(
                    { service: { http: { url: `http://${AUTH}/` } }, maxActiveChecks: 2, timeoutMs: 5_000 },
                    { name: 'ext-authz' },
                  ),
                ],
                routes: { name: 'none', virtualHosts: [] },
              },
            },
          ],
        },
      ],
      upstreams: { [AUTH]: () => 'silence' },
    });
    const clients = [test.client(), test.client(), test.client()];
    for (const client of clients) client.send({});
    await test.clock.settle();
    expect((await clients[2]?.response())?.status).toBe(403);
    expect(test.records.at(-1)?.details).toBe('ext_authz_error{overflow}');
    expect(test.meter.value('tulle_filter_ext_authz_checks_active')).toBe(2);
    // A caller that goes away is no failure of a filter, and its check is not waited for.
    clients[0]?.connection.close(true);
    await test.clock.advance(6_000);
    expect((await clients[1]?.response())?.status).toBe(403);
    expect(test.meter.value('tulle_filter_ext_authz_checks_active')).toBe(0);
    expect(test.meter.value('tulle_filter_errors_total')).toBe(0);
    await test.stop();
  });
});

it.each<[ExtAuthzFilterConfig, RegExp]>([
  [{ service: { http: { url: 'http://auth.example/' } } }, /\/service\/http\/url .*use https/],
  [{ service: { http: { url: 'https://auth.example/?a=1' } } }, /url/],
  [{ service: { grpc: { target: 'auth.example:9001' } } }, /\/service\/grpc\/tls is missing.*plaintext/],
  [
    { service: { grpc: { target: 'a:1', tls: { caFile: '/no/such/file' } } } },
    /\/service\/grpc\/tls\/caFile cannot be read/,
  ],
  [
    { service: { grpc: { target: 'a:1', tls: { keyFile: '/no/such/file' } } } },
    /certificateFile and keyFile/,
  ],
])('refuses %o', async (config, message) => {
  await expect(runChain({ filters: [extAuthz(config)] })).rejects.toThrow(message);
});
