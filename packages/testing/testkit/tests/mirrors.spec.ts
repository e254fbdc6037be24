import { CONTINUE, DELIVER, RETRY } from '@tulle/filter';
import { httpListener, route } from '@tulle/proxy';
import type { Mirror } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import type { TestProxy, TestProxyOptions } from '../src/index.ts';
import { filter, started, type TestHooks } from './support.ts';

type Answer = NonNullable<TestProxyOptions['upstreams']>[string];

const target = (name: string, host: string) => ({
  name,
  discovery: { kind: 'static' as const, endpoints: [{ address: { host, port: 80 } }] },
});

/** `api` at 10.0.0.1 answers; `shadow` at 10.0.0.2 and `second` at 10.0.0.3 get copies. */
function mirrored(
  mirrors: readonly Mirror[],
  more: {
    readonly shadow?: Answer;
    readonly hooks?: TestHooks;
    readonly limits?: TestProxyOptions['limits'];
    readonly forward?: Parameters<typeof route>[2];
    readonly attempt?: boolean;
  } = {},
): Promise<TestProxy> {
  const {
    shadow = () => ({ status: 500, body: 'nobody reads this' }),
    hooks,
    limits = {},
    forward = {},
  } = more;
  const uses =
    hooks === undefined ? [] : [filter('test', hooks, more.attempt === true ? { scope: 'attempt' } : {})({})];
  return started({
    listeners: [
      httpListener({
        host: '127.0.0.1',
        port: 8080,
        routes: [route('/', 'api', { mirrors, ...forward })],
        filters: uses,
      }),
    ],
    clusters: [target('api', '10.0.0.1'), target('shadow', '10.0.0.2'), target('second', '10.0.0.3')],
    upstreams: {
      '10.0.0.1:80': (request) => ({ body: `${request.method} ${request.body.length}` }),
      '10.0.0.2:80': shadow,
      '10.0.0.3:80': () => ({}),
    },
    limits,
  });
}

const copies = (test: TestProxy, host = '10.0.0.2') => test.upstream(`${host}:80`).requests;
const dropped = (test: TestProxy, reason: string) =>
  test.meter.value('tulle_mirror_dropped_total', { reason });
const SHADOW: readonly Mirror[] = [{ cluster: 'shadow' }];

describe('a mirrored request', () => {
  it('has a host and fields of its own where its mirror says so, which its endpoint sees nothing of', async () => {
    const test = await mirrored([
      {
        cluster: 'shadow',
        shadowHost: true,
        host: 'copies.example:8',
        edits: [
          { set: [{ name: 'x-copy', value: '%REQ(:METHOD)% of %REQ(X-TEST)%', format: true }] },
          { remove: ['x-test'] },
          { addIfAbsent: [{ name: 'x-copy', value: 'late' }] },
        ],
      },
    ]);
    await test.client().request({ headers: { 'x-test': 'yes', host: 'shop.example' } });
    await test.clock.advance(10);
    const [copy] = copies(test);
    expect(['host', 'x-copy', 'x-test'].map((name) => copy?.header(name))).toEqual([
      'copies.example:8',
      'GET of yes',
      undefined,
    ]);
    const [sent] = copies(test, '10.0.0.1');
    expect(['host', 'x-copy', 'x-test'].map((name) => sent?.header(name))).toEqual([
      'shop.example',
      undefined,
      'yes',
    ]);
  });

  it('goes to each mirror as it goes to its endpoint, and what a mirror answers changes nothing', async () => {
    const test = await mirrored([{ cluster: 'shadow' }, { cluster: 'second' }]);
    const body = 'x'.repeat(20_000);
    const answer = await test.client().request({
      method: 'POST',
      path: '/a?b=c',
      headers: { 'x-test': 'yes', host: 'shop.example:81' },
      body,
    });
    expect(answer).toMatchObject({ status: 200, body: 'POST 20000' });
    await test.clock.advance(10);
    for (const host of ['10.0.0.2', '10.0.0.3']) {
      expect(copies(test, host)).toHaveLength(1);
      expect(copies(test, host)[0]).toMatchObject({ method: 'POST', target: '/a?b=c', body });
      expect(copies(test, host)[0]?.header('x-test')).toBe('yes');
      expect(copies(test, host)[0]?.header('host')).toBe('shop.example:81');
    }
    expect(test.records).toHaveLength(1);
    expect(test.meter.value('tulle_mirror_requests_total')).toBe(2);
    expect(test.proxy.stats.streams).toBe(0);
  });

  it('says -shadow for its host only where that was asked for', async () => {
    const test = await mirrored([{ cluster: 'shadow', shadowHost: true }]);
    await test.client().request({ headers: { host: 'shop.example:81' } });
    await test.client().request({ headers: { host: '[::1]' } });
    await test.clock.advance(10);
    expect(copies(test).map((copy) => copy.header('host'))).toEqual(['shop.example-shadow:81', '[::1]']);
  });

  it('is a share of all requests where that was asked for', async () => {
    const test = await mirrored([{ cluster: 'shadow', percent: 25 }]);
    for (let i = 0; i < 200; i++) await test.client().request();
    await test.clock.advance(10);
    expect(copies(test).length).toBeGreaterThan(25);
    expect(copies(test).length).toBeLessThan(80);
    const none = await mirrored([{ cluster: 'shadow', percent: 0 }]);
    for (let i = 0; i < 20; i++) await none.client().request();
    expect(copies(none)).toHaveLength(0);
  });

  it('is chunked where the body comes chunked, and has its trailers', async () => {
    const test = await mirrored(SHADOW);
    await test.client().request({ method: 'POST', chunks: ['ab', 'cde'], trailers: { 'x-sum': '7' } });
    await test.clock.advance(10);
    expect(copies(test)[0]).toMatchObject({ body: 'abcde' });
    expect(copies(test)[0]?.trailers).toContainEqual(['x-sum', '7']);
  });

  it('goes to the cluster that the request names as it is sent, and nowhere where it names none', async () => {
    const test = await mirrored([{ clusterHeader: 'x-copy' }], {
      hooks: {
        requestHeaders(stream) {
          if (stream.request.headers.get('x-late') !== undefined)
            stream.request.headers.set('x-copy', 'second');
          return CONTINUE;
        },
      },
    });
    const client = test.client();
    for (const headers of [{ 'x-copy': 'shadow' }, { 'x-late': '1' }, { 'x-copy': 'nothing' }, {}])
      expect(await client.request({ headers })).toMatchObject({ status: 200 });
    await test.clock.advance(10);
    expect([copies(test).length, copies(test, '10.0.0.3').length]).toEqual([1, 1]);
    expect(dropped(test, 'no-cluster')).toBe(2);
  });

  it('is none where a filter refused the request', async () => {
    const test = await mirrored(SHADOW, {
      hooks: { requestHeaders: (stream) => stream.reply(403, 'TULLE_DENIED') },
    });
    expect((await test.client().request()).status).toBe(403);
    await test.clock.advance(10);
    expect(copies(test)).toHaveLength(0);
  });

  it('has what filters made of the request', async () => {
    const test = await mirrored(SHADOW, {
      hooks: {
        requestHeaders(stream) {
          stream.request.headers.set('x-made', 'by a filter');
          return CONTINUE;
        },
      },
    });
    await test.client().request();
    await test.clock.advance(10);
    expect(copies(test)[0]?.header('x-made')).toBe('by a filter');
  });

  it('is never repeated, whatever becomes of it and of the request', async () => {
    let calls = 0;
    const test = await mirrored(SHADOW, {
      shadow: () => 'reset',
      attempt: true,
      hooks: {
        attemptEnd({ attempt }) {
          calls++;
          if (attempt.number > 1) return DELIVER;
          attempt.retryDelayMs = 1;
          return RETRY;
        },
      },
    });
    const answered = test.client().request();
    await test.clock.advance(100);
    expect((await answered).status).toBe(200);
    expect(calls).toBe(2);
    expect(test.upstream('10.0.0.1:80').requests).toHaveLength(2);
    expect(copies(test)).toHaveLength(1);
    // Over a connection that served before and is gone.
    const quiet = await mirrored(SHADOW, { shadow: (request) => (request.target === '/ok' ? {} : 'close') });
    await quiet.client().request({ path: '/ok' });
    await quiet.clock.advance(10);
    await quiet.client().request({ path: '/again' });
    await quiet.clock.advance(1_000);
    expect(copies(quiet)).toHaveLength(2);
  });
});

describe('a mirror', () => {
  it('that says nothing delays nobody, and its copy ends with the route’s timeout', async () => {
    const test = await mirrored(SHADOW, { shadow: () => 'silence', forward: { requestTimeoutMs: 1_000 } });
    expect((await test.client().request()).status).toBe(200);
    expect(test.proxy.stats.streams).toBe(1);
    await test.clock.advance(1_100);
    expect(test.proxy.stats.streams).toBe(0);
  });

  it('that cannot be reached, or is not there, fails nobody', async () => {
    const test = await mirrored(SHADOW);
    test.network.refuse('10.0.0.2:80', { kind: 'refused', reason: 'ECONNREFUSED', message: 'refused' });
    expect((await test.client().request()).status).toBe(200);
    await test.clock.advance(100);
    expect(test.proxy.stats.streams).toBe(0);
    const dangling = await started({
      listeners: [
        httpListener({ port: 8080, routes: [route('/', 'api', { mirrors: [{ cluster: 'nowhere' }] })] }),
      ],
      clusters: [target('api', '10.0.0.1')],
      upstreams: { '10.0.0.1:80': () => ({}) },
      danglingReferences: 'allow',
    });
    expect((await dangling.client().request()).status).toBe(200);
    expect(dropped(dangling, 'no-cluster')).toBe(1);
  });

  it('that takes no body in time loses the copy at maxMirrorBytes; the request goes on', async () => {
    const test = await mirrored(SHADOW, { limits: { maxMirrorBytes: 10_000 } });
    test.network.refuse('10.0.0.2:80', 'silence');
    const body = 'y'.repeat(50_000);
    expect(await test.client().request({ method: 'POST', body })).toMatchObject({
      status: 200,
      body: 'POST 50000',
    });
    expect(dropped(test, 'body')).toBe(1);
    expect(test.proxy.stats.streams).toBe(0);
    expect(test.meter.value('tulle_replay_bytes')).toBe(0);
  });

  it('that is not connected to yet gets a body of several reads', async () => {
    const test = await mirrored(SHADOW);
    const body = 'y'.repeat(300_000);
    expect(await test.client().request({ method: 'POST', body })).toMatchObject({ body: 'POST 300000' });
    await test.clock.advance(10);
    expect(copies(test)[0]?.body).toBe(body);
    expect(dropped(test, 'body')).toBe(0);
    expect(test.meter.value('tulle_replay_bytes')).toBe(0);
  });

  it('that is not there holds no more than half of what the proxy may hold of bodies', async () => {
    const held = async (bytes: number): Promise<number | undefined> => {
      const test = await mirrored(SHADOW, { limits: { maxReplayBytesTotal: 100_000 } });
      test.network.refuse('10.0.0.2:80', 'silence');
      const body = 'y'.repeat(bytes);
      expect(await test.client().request({ method: 'POST', body })).toMatchObject({ status: 200 });
      return dropped(test, 'body');
    };
    expect(await held(45_000)).toBe(0);
    expect(await held(55_000)).toBe(1);
  });

  it('that stops reading loses the copy at bufferLimitBytes; the request goes on', async () => {
    const test = await mirrored(SHADOW, { limits: { bufferLimitBytes: 50_000, maxMirrorBytes: 1_000_000 } });
    await test.client().request();
    await test.clock.advance(10);
    for (const connection of test.upstream('10.0.0.2:80').connections) connection.pause();
    const body = 'z'.repeat(2_000_000);
    expect(await test.client().request({ method: 'POST', body })).toMatchObject({
      status: 200,
      body: 'POST 2000000',
    });
    expect(dropped(test, 'body')).toBe(1);
    expect(test.proxy.stats.streams).toBe(0);
  });

  it('gets no more than maxMirrors at a time', async () => {
    const test = await mirrored(SHADOW, { shadow: () => 'silence', limits: { maxMirrors: 3 } });
    for (let i = 0; i < 5; i++) expect((await test.client().request()).status).toBe(200);
    expect(dropped(test, 'limit')).toBe(2);
    expect(copies(test)).toHaveLength(3);
  });

  it('does not get a request whose caller left before its end', async () => {
    const test = await mirrored(SHADOW);
    const caller = test.connect();
    caller.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf');
    await test.clock.advance(10);
    caller.close(true);
    await test.clock.advance(10);
    expect(dropped(test, 'unfinished')).toBe(1);
    expect(copies(test)).toHaveLength(0);
    expect(test.proxy.stats.streams).toBe(0);
  });
});
