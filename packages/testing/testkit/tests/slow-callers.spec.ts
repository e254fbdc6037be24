import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { CONTINUE } from '@tulle/filter';
import { cluster, createProxy, httpListener, route, tcpListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import { memoryLog, type TestConnection } from '../src/index.ts';
import { filter, simple, started } from './support.ts';

const BODY = 'z'.repeat(700_000);

describe('a caller that reads slowly', () => {
  it('gets its whole answer though the connection closes behind it', async () => {
    const test = await simple({ answer: () => ({ body: BODY }) });
    const client = test.client();
    client.connection.pause();
    client.send({ headers: { connection: 'close' } });
    await test.clock.advance(60_000);
    client.connection.resume();
    expect((await client.response()).body.length).toBe(BODY.length);
    await client.connection.over();
    expect(client.connection.fault).toBeUndefined();
    client.connection.end();
    await test.clock.settle();
    expect(test.proxy.stats.connections).toBe(0);
  });

  it('gets it whole when it half-closes while the answer waits for it', async () => {
    const test = await simple({ answer: () => ({ body: BODY }) });
    const client = test.client();
    client.connection.pause();
    client.send({ headers: { connection: 'close' } });
    await test.clock.settle();
    client.connection.end();
    await test.clock.settle();
    client.connection.resume();
    expect((await client.response()).body.length).toBe(BODY.length);
  });

  it('in HTTP/1.0 gets a body up to the close whole, or sees that it was cut', async () => {
    const test = await simple({
      answer: () => ({ chunks: [BODY] }),
      handler: { streamIdleTimeoutMs: 30_000 },
    });
    const slow = test.client();
    slow.connection.pause();
    slow.raw('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
    await test.clock.advance(20_000);
    slow.connection.resume();
    expect((await slow.response()).body.length).toBe(BODY.length);
    const dead = test.client();
    dead.connection.pause();
    dead.raw('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
    await test.clock.advance(30_100);
    dead.connection.resume();
    await dead.connection.over();
    expect(dead.connection.fault?.kind).toBe('reset');
    expect(test.meter.value('tulle_listener_downstream_cx_stalled_total')).toBe(1);
    expect(test.proxy.stats.connections).toBe(0);
  });

  it('has as long as it goes on reading, not a second more', async () => {
    const test = await simple({
      answer: () => ({ body: BODY }),
      handler: { streamIdleTimeoutMs: 10_000 },
    });
    const client = test.client();
    client.connection.pause();
    client.send({ headers: { connection: 'close' } });
    for (let i = 0; i < 5; i++) {
      await test.clock.advance(9_000);
      client.connection.resume();
      await client.connection.takeBytes(1);
      client.connection.pause();
    }
    expect(client.connection.ended || client.connection.closed).toBe(false);
    await test.clock.advance(20_100);
    client.connection.resume();
    await client.connection.over();
    expect(client.connection.received.length).toBeLessThan(BODY.length);
  });

  it('on real sockets gets every byte of 8 MB at some 4 MB a second, to the close in HTTP/1.0 as well', async () => {
    const size = 8_000_000;
    const origin = createServer((request, response) => {
      response.writeHead(200, request.url === '/length' ? { 'content-length': size } : {});
      response.write(Buffer.alloc(size / 2, 97));
      response.end(Buffer.alloc(size / 2, 97));
    });
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
    const proxy = createProxy({
      log: memoryLog(),
      listeners: [
        httpListener({
          port: 0,
          bufferLimitBytes: size,
          routes: [route('/', 'api', { requestTimeoutMs: 0 })],
        }),
      ],
      clusters: [cluster('api', [`127.0.0.1:${(origin.address() as AddressInfo).port}`])],
    });
    await proxy.start();
    const { port } = proxy.addresses()['http'] as { port: number };
    const read = (head: string): Promise<readonly [number, string]> =>
      new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1');
        let bytes = 0;
        let headBytes = 0;
        socket.on('data', (chunk) => {
          if (headBytes === 0) headBytes = chunk.indexOf('\r\n\r\n') + 4;
          bytes += chunk.length;
          socket.pause();
          setTimeout(() => socket.resume(), 15);
        });
        socket.on('end', () => resolve([bytes - headBytes, 'end']));
        socket.on('error', (error) => resolve([bytes - headBytes, error.message]));
        socket.write(head);
      });
    try {
      expect(
        await Promise.all([
          read('GET /length HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
          read('GET /close HTTP/1.0\r\nHost: a\r\n\r\n'),
        ]),
      ).toEqual([
        [size, 'end'],
        [size, 'end'],
      ]);
    } finally {
      await proxy.stop();
      origin.closeAllConnections();
      await new Promise((resolve) => origin.close(resolve));
    }
  }, 60_000);
});

describe('a caller that pipelines and does not read', () => {
  const body = 'y'.repeat(2_000);
  const flood = (count: number): string => 'GET /d HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(count);

  it('is served no further once its answers fill the buffer, and all of them when it reads', async () => {
    const test = await started({
      listeners: [
        httpListener({
          host: '127.0.0.1',
          port: 8080,
          bufferLimitBytes: 16_384,
          routes: [route('/d', { kind: 'direct', status: 200, body })],
        }),
      ],
    });
    const client = test.client();
    client.connection.pause();
    for (let i = 0; i < 10; i++) client.connection.send(flood(100));
    await test.clock.settle();
    const queued = client.connection.socket.peer.queuedBytes;
    expect(queued).toBeGreaterThan(10_000);
    // The limit, and the one answer that went over it.
    expect(queued).toBeLessThan(16_384 + 3_000);
    expect(test.records.length).toBeLessThan(100);
    expect(test.meter.value('tulle_listener_downstream_flow_control_paused_reading_total')).toBe(1);
    client.connection.resume();
    for (let i = 0; i < 1_000; i++) expect((await client.response()).body).toBe(body);
    expect(test.records).toHaveLength(1_000);
  });

  it('is cut when it takes nothing for the stream idle timeout', async () => {
    const test = await started({
      listeners: [
        httpListener({
          host: '127.0.0.1',
          port: 8080,
          bufferLimitBytes: 16_384,
          streamIdleTimeoutMs: 5_000,
          filters: [filter('x', { requestHeaders: () => CONTINUE })({})],
          routes: [route('/d', { kind: 'direct', status: 200, body })],
        }),
      ],
    });
    const client = test.client();
    client.connection.pause();
    client.connection.send(flood(1_000));
    await test.clock.advance(4_900);
    expect(test.proxy.stats.connections).toBe(1);
    await test.clock.advance(200);
    expect(test.proxy.stats.connections).toBe(0);
    expect(test.meter.value('tulle_listener_downstream_cx_stalled_total')).toBe(1);
  });
});

describe('a TCP caller that reads slowly', () => {
  it('gets what the endpoint said before that was gone, and is cut when it takes nothing', async () => {
    const test = await started({
      listeners: [tcpListener({ port: 5432, cluster: 'db', idleTimeoutMs: 10_000 })],
      clusters: [cluster('db', ['10.0.0.1:5432'])],
    });
    const endpoints: TestConnection[] = [];
    test.network.listen('10.0.0.1:5432', (connection) => {
      endpoints.push(connection);
      connection.onBytes = () => {
        connection.onBytes = undefined;
        connection.send(BODY).end();
      };
    });
    const [slow, dead] = [test.connect().pause().send('x'), test.connect().pause().send('x')];
    await test.clock.settle();
    slow.socket.incoming.chunkBytes = () => 10_000;
    for (const connection of endpoints) connection.close(true);
    for (let i = 0; i < 3; i++) {
      await test.clock.advance(9_000);
      slow.resume();
      await slow.takeBytes(10_000);
      slow.pause();
    }
    expect([slow.closed, dead.closed]).toEqual([false, true]);
    expect(dead.fault?.kind).toBe('reset');
    slow.resume();
    await slow.over();
    expect(slow.received.length).toBe(BODY.length - 30_000);
  });
});

describe('a caller that half-closes', () => {
  it('gets the answer to every request that it had pipelined', async () => {
    const test = await simple({
      answer: async (request) => {
        await test.clock.settle();
        return { body: request.target };
      },
    });
    const client = test.client();
    for (const path of ['/1', '/2', '/3']) client.send({ path });
    client.connection.end();
    for (const path of ['/1', '/2', '/3']) expect((await client.response()).body).toBe(path);
    await client.connection.over();
    await test.clock.settle();
    expect(test.records).toHaveLength(3);
    expect(test.proxy.stats.connections).toBe(0);
  });

  it('in the middle of a pipelined request is answered for the whole ones, and told of the rest', async () => {
    const test = await simple();
    const client = test.client();
    client.send({ path: '/1' }).raw('POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf', 'POST');
    client.connection.end();
    expect((await client.response()).body).toBe('GET /1');
    expect((await client.response()).status).toBe(400);
    await client.connection.over();
    const head = test.client();
    head.send({ path: '/1' }).connection.send('GET /2 HT');
    head.connection.end();
    expect((await head.response()).body).toBe('GET /1');
    await head.connection.over();
    await test.clock.settle();
    expect(test.proxy.stats).toMatchObject({ connections: 0, streams: 0 });
  });
});
