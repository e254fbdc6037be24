import { once } from 'node:events';
import { cluster, httpListener, route } from '@tulle/proxy';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  fakeClock,
  Http2Client,
  http2Upstream,
  memoryNetwork,
  responseOf,
  type Http2Upstream,
  type TestProxy,
} from '../src/index.ts';
import { started } from './support.ts';

const clients: Http2Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

function http2Client(test: TestProxy, options: { settings?: object } = {}): Http2Client {
  const client = new Http2Client(test.connect(), options);
  clients.push(client);
  return client;
}

interface Options {
  readonly answer?: Http2Upstream['answer'];
  readonly handler?: Partial<Parameters<typeof httpListener>[0]>;
  readonly forward?: Parameters<typeof route>[2];
  readonly cluster?: Parameters<typeof cluster>[2];
  readonly session?: object;
  readonly endpoints?: readonly string[];
}

/** HTTP/2 on both sides: one listener, one cluster `api`. */
async function overHttp2(options: Options = {}): Promise<{ test: TestProxy; upstreams: Http2Upstream[] }> {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const { endpoints = ['10.0.0.1:80'] } = options;
  const upstreams = endpoints.map((address) =>
    http2Upstream(
      network,
      address,
      options.answer ?? (({ method, target }) => ({ body: `${method} ${target}` })),
      { session: options.session ?? {} },
    ),
  );
  const test = await started({
    clock,
    network,
    listeners: [
      httpListener({
        host: '127.0.0.1',
        port: 8080,
        routes: [route('/', 'api', options.forward)],
        ...options.handler,
      }),
    ],
    clusters: [
      cluster('api', endpoints, {
        ...options.cluster,
        pool: { protocol: 'http2', ...options.cluster?.pool },
      }),
    ],
  });
  return { test, upstreams };
}

const MiB = 1024 * 1024;

describe('a stalled stream', () => {
  it('of a caller that stops reading holds up no other, and holds little', async () => {
    const { test, upstreams } = await overHttp2();
    const [upstream] = upstreams as [Http2Upstream];
    let sentBytes = 0;
    upstream.onStream = (stream, headers) => {
      stream.respond({ ':status': 200 });
      if (headers[':path'] !== '/large') return void stream.end('small');
      const piece = Buffer.alloc(64 * 1024, 1);
      const more = (): void => {
        while (sentBytes < 12 * MiB) {
          sentBytes += piece.length;
          if (!stream.write(piece)) return void stream.once('drain', more);
        }
        stream.end();
      };
      more();
    };
    const client = http2Client(test);
    const large = client.open({ path: '/large' }, true);
    large.pause();
    await new Promise((resolve) => large.once('response', resolve));
    for (let i = 0; i < 50; i++) expect((await client.request({ path: `/${i}` })).body).toBe('small');
    // Windows and queues, not the response: some 64 KiB with the caller, 64 KiB here, 256 KiB on the way to here.
    expect(sentBytes).toBeLessThan(2 * MiB);
    let bytes = 0;
    large.on('data', (chunk: Buffer) => (bytes += chunk.length));
    large.resume();
    await new Promise((resolve) => large.once('end', resolve));
    expect(bytes).toBe(12 * MiB);
  });

  it('of an endpoint that stops reading holds up no other', async () => {
    const { test, upstreams } = await overHttp2();
    const [upstream] = upstreams as [Http2Upstream];
    upstream.onStream = (stream, headers) => {
      if (headers[':path'] === '/stuck') return void stream.pause();
      stream.respond({ ':status': 200 });
      stream.end('small');
    };
    const client = http2Client(test);
    const stuck = client.open({ method: 'POST', path: '/stuck' });
    stuck.on('error', () => {});
    stuck.write(Buffer.alloc(4 * MiB, 2));
    await vi.waitFor(() => expect(upstream.streams).toHaveLength(1));
    for (let i = 0; i < 20; i++) expect((await client.request({ path: `/${i}` })).body).toBe('small');
    expect(stuck.writableLength).toBeGreaterThan(0);
    stuck.close();
  });

  it('keeps of small pieces what they are, not the reads that they came in', async () => {
    const { test, upstreams } = await overHttp2({ handler: { codec: 'http1' } });
    const [upstream] = upstreams as [Http2Upstream];
    upstream.onStream = (stream) => void stream.pause();
    const caller = test.connect();
    caller.send('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n');
    await vi.waitFor(() => expect(upstream.streams).toHaveLength(1));
    const kept = vi.spyOn(caller.socket.peer, 'keepRead');
    // Past the endpoint's window all of it waits here.
    for (let i = 0; i < 20; i++) {
      caller.send(`1000\r\n${'x'.repeat(4096)}\r\n`);
      await test.clock.settle();
    }
    expect(kept).not.toHaveBeenCalled();
    caller.close(true);
  });

  it('is cut after the idle timeout, and its connection serves on', async () => {
    const { test } = await overHttp2({
      answer: ({ target }) => ({ body: target === '/large' ? 'x'.repeat(MiB) : 'small' }),
      handler: { streamIdleTimeoutMs: 1_000 },
    });
    const client = http2Client(test);
    const large = client.open({ path: '/large' }, true);
    const over = new Promise<number>((resolve) => large.on('close', () => resolve(large.rstCode)));
    large.on('error', () => {});
    large.pause();
    await new Promise((resolve) => large.once('response', resolve));
    expect((await client.request({})).body).toBe('small');
    await test.clock.advance(3_000);
    large.resume();
    expect(await over).not.toBe(0);
    expect(test.records.some(({ code }) => code === 'TULLE_STREAM_IDLE')).toBe(true);
    expect((await client.request({})).body).toBe('small');
  });
});

describe('a head that is larger than the peer says that it takes', () => {
  it('does not go to an endpoint, whose connection serves on', async () => {
    const { test, upstreams } = await overHttp2({ session: { settings: { maxHeaderListSize: 2_000 } } });
    const [upstream] = upstreams as [Http2Upstream];
    const client = http2Client(test);
    expect((await client.request({ path: '/first' })).status).toBe(200);
    expect((await client.request({ headers: { 'x-large': 'x'.repeat(3_000) } })).status).toBe(431);
    expect(test.records.at(-1)).toMatchObject({
      code: 'TULLE_HEADERS_TOO_LARGE',
      details: 'request_headers_too_large{endpoint}',
    });
    expect((await client.request({ headers: { 'x-large': 'x'.repeat(1_000) } })).status).toBe(200);
    expect([upstream.requests.length, upstream.connections.length]).toEqual([2, 1]);
    expect(test.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('does not go to a caller, which gets an answer all the same', async () => {
    const { test } = await overHttp2({
      answer: ({ target }) => ({ headers: { 'x-large': 'x'.repeat(Number(target.slice(1))) } }),
    });
    const client = http2Client(test, { settings: { maxHeaderListSize: 1_000 } });
    expect((await client.request({ path: '/500' })).status).toBe(200);
    expect((await client.request({ path: '/1500' })).status).toBe(500);
    expect(test.records.at(-1)).toMatchObject({ details: 'response_head_not_encodable' });
    expect((await client.request({ path: '/600' })).status).toBe(200);
    // Also one that says that it takes nothing is answered.
    const strict = http2Client(test, { settings: { maxHeaderListSize: 1 } });
    await vi.waitFor(() => expect(test.records.length).toBeGreaterThan(0));
    strict.send({ path: '/1' });
    await vi.waitFor(() => expect(test.records.at(-1)?.status).toBe(500));
  });
});

describe('trailers that are larger than the peer says that it takes', () => {
  const trailers = { 'x-large': 'x'.repeat(1_500) };

  it('do not go to an endpoint, and the request does', async () => {
    const { test, upstreams } = await overHttp2({ session: { settings: { maxHeaderListSize: 1_000 } } });
    const [upstream] = upstreams as [Http2Upstream];
    const client = http2Client(test);
    expect((await client.request({ path: '/first' })).status).toBe(200);
    const large = { method: 'POST', body: 'b', trailers };
    expect((await client.request(large)).status).toBe(200);
    expect((await client.request({ ...large, trailers: { 'x-small': 'x' } })).status).toBe(200);
    expect(upstream.requests.map((one) => one.trailers)).toEqual([[], [], [['x-small', 'x']]]);
    expect(upstream.connections).toHaveLength(1);
    expect(test.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  it('do not go to a caller, and the response does', async () => {
    const { test } = await overHttp2({ answer: () => ({ body: 'whole', trailers }) });
    const strict = http2Client(test, { settings: { maxHeaderListSize: 1_000 } });
    const answer = await strict.request({ path: '/' });
    expect([answer.status, answer.body, answer.trailers]).toEqual([200, 'whole', []]);
    expect(test.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    const roomy = await http2Client(test).request({ path: '/' });
    expect(roomy.trailers).toEqual([['x-large', trailers['x-large']]]);
  });
});

describe('streams over shared connections', () => {
  it('fill one before another is opened, and hold to what the endpoint takes', async () => {
    const { test, upstreams } = await overHttp2({
      answer: () => 'silence',
      session: { settings: { maxConcurrentStreams: 3 } },
    });
    const [upstream] = upstreams as [Http2Upstream];
    const client = http2Client(test);
    client.send({ path: '/first' });
    await vi.waitFor(() => expect(upstream.requests).toHaveLength(1));
    for (let i = 0; i < 7; i++) client.send({ path: `/${i}` });
    await vi.waitFor(() => expect(upstream.requests).toHaveLength(8));
    expect(upstream.connections).toHaveLength(3);
    const counts = [0, 1, 2].map(
      (index) => upstream.requests.filter(({ connectionIndex }) => connectionIndex === index).length,
    );
    expect(counts).toEqual([3, 3, 2]);
    expect(test.meter.value('tulle_cluster_upstream_cx_http2_active')).toBe(3);
  });

  it('wait within the limits of their cluster', async () => {
    const { test, upstreams } = await overHttp2({
      answer: () => 'silence',
      session: { settings: { maxConcurrentStreams: 1 } },
      cluster: { limits: { maxConnections: 1, maxPendingRequests: 1 } },
    });
    const [upstream] = upstreams as [Http2Upstream];
    const client = http2Client(test);
    client.send({ path: '/first' });
    await vi.waitFor(() => expect(upstream.requests).toHaveLength(1));
    const waits = client.request({ path: '/waits' });
    await test.clock.settle();
    expect((await client.request({ path: '/refused' })).status).toBe(503);
    const [first] = upstream.streams;
    first?.respond({ ':status': 200 });
    first?.end();
    await vi.waitFor(() => expect(upstream.requests).toHaveLength(2));
    upstream.streams[1]?.respond({ ':status': 204 });
    upstream.streams[1]?.end();
    expect((await waits).status).toBe(204);
    expect(upstream.connections).toHaveLength(1);
  });

  it('respect maxRequestsPerConnection, and retire what rests', async () => {
    const { test, upstreams } = await overHttp2({
      cluster: { pool: { protocol: 'http2', maxRequestsPerConnection: 2, idleTimeoutMs: 10_000 } },
    });
    const [upstream] = upstreams as [Http2Upstream];
    const client = http2Client(test);
    for (let i = 0; i < 3; i++) await client.request({ path: `/${i}` });
    expect(upstream.requests.map(({ connectionIndex }) => connectionIndex)).toEqual([0, 0, 1]);
    await test.clock.advance(11_000);
    await vi.waitFor(() =>
      expect(upstream.connections.every(({ closed, ended }) => closed || ended)).toBe(true),
    );
    expect(test.meter.value('tulle_cluster_upstream_cx_idle_retired_total')).toBe(1);
    expect(test.proxy.stats.upstreamConnections).toBe(0);
  });
});

describe('an endpoint that leaves', () => {
  it('without a word is not waited for by others on the same connection', async () => {
    const { test, upstreams } = await overHttp2({
      answer: () => 'silence',
      forward: { requestTimeoutMs: 3_000 },
      cluster: { connectTimeoutMs: 1_000 },
    });
    const [upstream] = upstreams as [Http2Upstream];
    const client = http2Client(test);
    const late = client.request({});
    await upstream.next();
    await test.clock.advance(3_000);
    expect((await late).status).toBe(504);
    expect(test.meter.value('tulle_cluster_upstream_rq_tx_reset_total')).toBe(1);
    upstream.answer = () => ({ body: 'over another' });
    expect((await client.request({})).body).toBe('over another');
    expect(upstream.requests.map(({ connectionIndex }) => connectionIndex)).toEqual([0, 1]);
  });

  it('by GOAWAY in the middle of load loses nothing, whatever the method', async () => {
    const { test, upstreams } = await overHttp2();
    const [upstream] = upstreams as [Http2Upstream];
    const client = http2Client(test);
    let served = 0;
    upstream.answer = ({ target, body }) => {
      if (++served % 40 === 0) upstream.sessions.at(-1)?.goaway(0);
      return { body: `${target} ${body}` };
    };
    const replies = await Promise.all(
      Array.from({ length: 400 }, async (_, i) => {
        await new Promise((resolve) => setImmediate(resolve));
        return client.request({ method: 'POST', path: `/${i}`, body: `${i}` });
      }),
    );
    expect(replies.map(({ status, body }) => `${status} ${body}`)).toEqual(
      Array.from({ length: 400 }, (_, i) => `200 /${i} ${i}`),
    );
    expect(upstream.connections.length).toBeGreaterThan(1);
  });

  it('by REFUSED_STREAM gets the request no more, another connection does', async () => {
    const { test, upstreams } = await overHttp2({ endpoints: ['10.0.0.1:80', '10.0.0.2:80'] });
    for (const [index, upstream] of upstreams.entries()) {
      upstream.onStream = (stream) => {
        // The first to be asked refuses.
        const first = upstreams.reduce((count, { streams }) => count + streams.length, 0) === 1;
        if (first) return stream.close(7);
        stream.respond({ ':status': 200 });
        stream.end(`from ${index}`);
      };
    }
    const client = http2Client(test);
    const reply = await client.request({ method: 'POST', body: 'once' });
    expect(reply.status).toBe(200);
    expect(test.meter.value('tulle_cluster_upstream_rq_stale_replay_total')).toBe(1);
  });

  it('by RST_STREAM after the request was looked at is not asked again', async () => {
    const { test, upstreams } = await overHttp2();
    const [upstream] = upstreams as [Http2Upstream];
    upstream.onStream = (stream) => stream.close(2);
    const reply = await http2Client(test).request({});
    expect(reply.status).toBe(503);
    expect(upstream.streams).toHaveLength(1);
    expect(test.records[0]?.details).toBe(
      'upstream_reset_before_response_started{remote_reset,INTERNAL_ERROR}',
    );
  });

  it('in the middle of a response is seen as a broken stream, and only of that', async () => {
    const { test, upstreams } = await overHttp2();
    const [upstream] = upstreams as [Http2Upstream];
    upstream.onStream = (stream, headers) => {
      stream.respond({ ':status': 200 });
      stream.write('half');
      if (headers[':path'] === '/broken') setImmediate(() => stream.close(2));
      else stream.end(' and half');
    };
    const client = http2Client(test);
    const broken = client.request({ path: '/broken' });
    await expect(broken).rejects.toThrow(/reset with code 2|Stream closed/);
    expect((await client.request({ path: '/' })).body).toBe('half and half');
  });

  it('without a word of HTTP/2 fails those who wait, once each', async () => {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    network.listen('10.0.0.1:80', (connection) => {
      connection.onBytes = () => void connection.send('HTTP/1.1 400 Bad Request\r\n\r\n').end();
    });
    const test = await started({
      clock,
      network,
      listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] })],
      clusters: [cluster('api', ['10.0.0.1:80'], { pool: { protocol: 'http2' } })],
    });
    const reply = await test.client().request({});
    expect(reply.status).toBe(502);
    expect(test.records[0]?.details).toContain('protocol_error,frame-size');
    expect(network.connections('10.0.0.1:80')).toBe(1);
  });
});

describe('an HTTP/2 caller', () => {
  it('is asked to leave by GOAWAY while draining, and what it began is answered', async () => {
    const { test, upstreams } = await overHttp2({ answer: () => 'silence' });
    const [upstream] = upstreams as [Http2Upstream];
    const client = http2Client(test);
    const answer = client.request({});
    await upstream.next();
    const drained = test.proxy.drain({ windowMs: 1_000 });
    await test.clock.advance(1_000);
    await vi.waitFor(() => expect(client.goaways.length).toBeGreaterThan(0));
    upstream.streams[0]?.respond({ ':status': 200 });
    upstream.streams[0]?.end('late');
    expect((await answer).body).toBe('late');
    await test.clock.advance(2_000);
    await drained;
    expect(test.proxy.stats.connections).toBe(0);
  });

  it('that rests is closed after the idle timeout', async () => {
    const { test } = await overHttp2({ handler: { idleTimeoutMs: 5_000 } });
    const client = http2Client(test);
    await client.request({});
    await test.clock.advance(4_000);
    expect(test.proxy.stats.connections).toBe(1);
    expect(test.meter.value('tulle_listener_downstream_cx_http2_active')).toBe(1);
    expect(test.meter.value('tulle_listener_downstream_http2_streams_active')).toBe(0);
    await test.clock.advance(3_000);
    await vi.waitFor(() => expect(client.session.closed || client.session.destroyed).toBe(true));
    expect(test.meter.value('tulle_listener_downstream_cx_idle_timeout_total')).toBe(1);
  });

  it('that sends a head without its end is cut', async () => {
    const { test } = await overHttp2({ handler: { requestHeadTimeoutMs: 1_000 } });
    const connection = test.connect();
    connection.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    connection.send(Buffer.from('000000040000000000', 'hex'));
    // HEADERS without END_HEADERS
    connection.send(Buffer.from('000001010000000001' + '82', 'hex'));
    await test.clock.advance(2_000);
    await connection.over();
    expect(test.meter.value('tulle_listener_downstream_rq_header_timeout_total')).toBe(1);
  });

  it('opens no more streams than it may', async () => {
    const { test, upstreams } = await overHttp2({
      answer: () => 'silence',
      handler: { http2: { maxConcurrentStreams: 2 } },
    });
    const client = http2Client(test);
    for (let i = 0; i < 5; i++) client.send({ path: `/${i}` });
    await vi.waitFor(() => expect(upstreams[0]?.requests).toHaveLength(2));
    await test.clock.settle();
    expect(upstreams[0]?.requests).toHaveLength(2);
    expect(client.session.remoteSettings.maxConcurrentStreams).toBe(2);
  });

  it('that is silent is asked for a sign of life, and cut without one', async () => {
    const { test } = await overHttp2({
      handler: { http2: { keepalive: { intervalMs: 10_000, jitterPercent: 5, timeoutMs: 1_000 } } },
    });
    const alive = http2Client(test);
    await alive.request({});
    const silent = http2Client(test);
    await silent.request({});
    let pings = 0;
    alive.session.on('ping', () => pings++);
    const pinged = once(alive.session, 'ping');
    silent.connection.pause();
    silent.connection.socket.resume = () => {};
    silent.connection.socket.pause();
    await test.clock.advance(9_900);
    expect(pings).toBe(0);
    await test.clock.advance(600);
    await vi.waitFor(() => expect(test.proxy.stats.connections).toBe(2));
    await pinged;
    await test.clock.advance(2_000);
    expect(test.meter.value('tulle_listener_downstream_cx_keepalive_timeout_total')).toBe(1);
    expect(test.proxy.stats.connections).toBe(1);
    expect((await alive.request({})).status).toBe(200);
  });
});

describe('an endpoint that was silent for long', () => {
  const keepalive = { idleIntervalMs: 10_000, timeoutMs: 1_000 };

  it('is asked for a sign of life as a request begins, and left without one', async () => {
    const { test, upstreams } = await overHttp2({ cluster: { pool: { http2: { keepalive } } } });
    const [upstream] = upstreams as [Http2Upstream];
    let pings = 0;
    const client = http2Client(test);
    expect((await client.request({})).status).toBe(200);
    upstream.sessions[0]?.on('ping', () => pings++);
    await test.clock.advance(5_000);
    expect((await client.request({})).status).toBe(200);
    expect(pings).toBe(0);
    await test.clock.advance(10_001);
    expect((await client.request({})).status).toBe(200);
    await vi.waitFor(() => expect(pings).toBe(1));
    await test.clock.advance(2_000);
    expect((await client.request({})).status).toBe(200);
    expect(pings).toBe(1);
    expect(test.meter.value('tulle_cluster_upstream_cx_keepalive_timeout_total')).toBe(0);
    const [connection] = upstream.connections;
    connection?.pause();
    await test.clock.advance(10_001);
    const lost = client.open({}, true);
    const answer = responseOf(lost);
    await vi.waitFor(() => expect(test.proxy.stats.streams).toBe(1));
    await test.clock.advance(900);
    expect(upstream.connections).toHaveLength(1);
    await test.clock.advance(200);
    // What was lost with the connection is another's to answer.
    const answered = answer.then(({ status }) => status);
    let status: number | undefined;
    void answered.then((found) => (status = found));
    await vi.waitFor(async () => {
      await test.clock.advance(100);
      expect(status).toBeDefined();
    });
    expect([status, upstream.connections.length]).toEqual([200, 2]);
    expect(test.meter.value('tulle_cluster_upstream_cx_keepalive_timeout_total')).toBe(1);
  });
});

describe('an answer before the whole request', () => {
  it('ends the stream, not the connection', async () => {
    const { test, upstreams } = await overHttp2();
    const [upstream] = upstreams as [Http2Upstream];
    upstream.onStream = (stream, headers) => {
      stream.respond({ ':status': headers[':path'] === '/early' ? 413 : 200 });
      stream.end('no more');
    };
    const client = http2Client(test);
    const early = client.open({ method: 'POST', path: '/early' });
    const answer = responseOf(early);
    early.write('some');
    expect((await answer).status).toBe(413);
    expect((await client.request({})).status).toBe(200);
    await vi.waitFor(() => expect(test.proxy.stats.streams).toBe(0));
  });
});
