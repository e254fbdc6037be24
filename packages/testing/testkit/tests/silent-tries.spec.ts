import { DELIVER, RETRY } from '@tulle/filter';
import type { Endpoint } from '@tulle/model';
import { cluster, httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import { filter, simple, started } from './support.ts';

/** Asks for another attempt, at once, whatever is wrong with one. */
const again = filter(
  'again',
  {
    attemptEnd({ attempt }) {
      if (attempt.number > 5 || (attempt.failure === undefined && attempt.status < 500)) return DELIVER;
      attempt.retryDelayMs = 0;
      return RETRY;
    },
  },
  { scope: 'attempt' },
);
const forward = { perTryIdleTimeoutMs: 200, requestTimeoutMs: 5_000 };
const handler = { filters: [again({})] };
const AT = '10.0.0.1:80';
const counted = 'tulle_cluster_upstream_rq_per_try_idle_timeout_total';

describe('an attempt of which nothing comes in time', () => {
  it('is over, and another may be made', async () => {
    let count = 0;
    const test = await simple({
      answer: () => (++count === 1 ? 'silence' : { body: 'second' }),
      forward,
      handler,
    });
    const answered = test.client().request();
    await test.clock.advance(190);
    expect(test.upstream(AT).requests).toHaveLength(1);
    await test.clock.advance(30);
    expect((await answered).body).toBe('second');
    expect(test.records[0]?.attempts.map(({ failure }) => failure)).toEqual(['TULLE_PER_TRY_TIMEOUT', '']);
    expect(test.upstream(AT).connections[0]?.ended).toBe(true);
    expect(test.meter.value(counted)).toBe(1);
    await test.clock.advance(1_000); // the second one's timer has nobody to end
    expect(test.meter.value(counted)).toBe(1);
  });

  it('is 504 where none is made, with the word of Envoy', async () => {
    const test = await simple({ answer: () => 'silence', forward });
    const answered = test.client().request();
    await test.clock.advance(250);
    expect((await answered).status).toBe(504);
    expect(test.records[0]).toMatchObject({
      code: 'TULLE_PER_TRY_TIMEOUT',
      details: 'upstream_per_try_idle_timeout',
      flags: ['UT'],
    });
  });

  it('may take its time while bytes come, and is broken off where they cease', async () => {
    const test = await simple({
      answer: () => 'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nx',
      forward,
      handler,
    });
    const client = test.client().raw('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    for (let i = 0; i < 5; i++) {
      await test.clock.advance(150);
      test.upstream(AT).connections[0]?.send('x');
    }
    await test.clock.advance(150);
    expect(test.records).toHaveLength(0);
    await test.clock.advance(100);
    await client.connection.over();
    expect(test.records[0]).toMatchObject({
      status: 200,
      code: 'TULLE_PER_TRY_TIMEOUT',
      details: 'upstream_per_try_idle_timeout',
    });
    expect(test.upstream(AT).requests).toHaveLength(1);
    expect(test.proxy.stats.streams).toBe(0);
  });

  it.each([
    ['passes within the pause', 100, true],
    ['has not passed yet', 500, false],
    ['passed before the byte that came last', 40, false],
  ])(
    'may pause once within its answer where its whole time %s, as in Envoy: %d ms',
    async (_, perTryTimeoutMs, waits) => {
      const test = await simple({
        answer: () => 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nx',
        forward: { ...forward, perTryTimeoutMs },
        handler,
      });
      const client = test.client().raw('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await test.clock.advance(60);
      test.upstream(AT).connections[0]?.send('x');
      await test.clock.advance(700);
      if (waits) {
        expect(test.records).toHaveLength(0);
        test.upstream(AT).connections[0]?.send('x');
        expect(await client.response()).toMatchObject({ status: 200, body: 'xxx' });
        expect(test.meter.value(counted)).toBe(0);
        return;
      }
      await client.connection.over();
      expect(test.records[0]).toMatchObject({ status: 200, details: 'upstream_per_try_idle_timeout' });
    },
  );

  it('may pause but once: behind the next byte its time without one runs again', async () => {
    const test = await simple({
      answer: () => 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nx',
      forward: { ...forward, perTryTimeoutMs: 100 },
      handler,
    });
    const client = test.client().raw('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await test.clock.advance(700);
    expect(test.records).toHaveLength(0);
    test.upstream(AT).connections[0]?.send('x');
    await test.clock.advance(450);
    await client.connection.over();
    expect(test.records[0]).toMatchObject({ code: 'TULLE_PER_TRY_TIMEOUT' });
  });

  it('is none while the request is on its way', async () => {
    const test = await simple({ forward });
    const client = test.client();
    client.raw('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n', 'POST');
    for (const piece of 'abc') {
      await test.clock.advance(1_000);
      client.connection.send(piece);
    }
    expect((await client.response()).status).toBe(200);
  });
});

describe('a retry', () => {
  const endpoint = (host: string, labels?: Record<string, string>): Endpoint => ({
    address: { host, port: 80 },
    ...(labels && { labels }),
  });
  const served = async (...endpoints: Endpoint[]): Promise<string[]> => {
    const said: string[] = [];
    const answer = (host: string) => () => {
      said.push(host);
      return { status: 503 };
    };
    const test = await started({
      listeners: [
        httpListener({
          port: 8080,
          filters: [again({})],
          routes: [route('/', 'api', { avoidOnRetry: [{ canary: 'true' }, { tier: 'slow', rack: 'a' }] })],
        }),
      ],
      clusters: [{ name: 'api', discovery: { kind: 'static', endpoints } }],
      upstreams: Object.fromEntries(
        endpoints.map(({ address }) => {
          const host = 'host' in address ? address.host : '';
          return [`${host}:80`, answer(host)];
        }),
      ),
    });
    const answered = test.client().request();
    await test.clock.advance(100);
    await answered;
    return said;
  };

  it('does not go to endpoints with labels that it is to avoid, while there are others', async () => {
    const said = await served(
      endpoint('10.0.0.1'),
      endpoint('10.0.0.2', { canary: 'true' }),
      endpoint('10.0.0.3', { tier: 'slow', rack: 'a', more: 'x' }),
      endpoint('10.0.0.4', { tier: 'slow' }),
      endpoint('10.0.0.5', { canary: 'false' }),
    );
    // The first attempt may have gone to any.
    const [, ...retries] = said;
    const avoided = ['10.0.0.2', '10.0.0.3'];
    expect(retries.slice(0, 2).filter((host) => avoided.includes(host))).toEqual([]);
  });

  it('goes to them where nothing else is left', async () => {
    expect(await served(endpoint('10.0.0.1', { canary: 'true' }))).toHaveLength(6);
  });
});

describe('an endpoint', () => {
  it('is told of each further attempt whether it is made because the time of the one before was over', async () => {
    const told: (string | undefined)[] = [];
    const answers = ['silence' as const, { status: 503 }, { body: 'third' }];
    const [only] = [route('/', 'api', { perTryTimeoutMs: 100 })];
    const test = await started({
      listeners: [
        httpListener({
          port: 8080,
          filters: [again({})],
          routes: {
            virtualHosts: [
              {
                name: 'v',
                domains: ['*'],
                tellsTimeoutRetry: true,
                routes: only === undefined ? [] : [only],
              },
            ],
          },
        }),
      ],
      clusters: [cluster('api', [AT])],
      upstreams: {
        [AT]: (request) => {
          told.push(request.header('x-envoy-is-timeout-retry'));
          return answers[told.length - 1] ?? {};
        },
      },
    });
    const answered = test.client().request();
    await test.clock.advance(300);
    expect((await answered).body).toBe('third');
    expect(told).toEqual([undefined, 'true', 'false']);
  });
});
