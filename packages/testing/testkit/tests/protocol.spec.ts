import { cluster, httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import { simple, started } from './support.ts';

describe('what callers send', () => {
  it.each([
    [
      'both framings',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['HEAD with a target that is none', 'HEAD /a%zz HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['a Host of two', 'GET / HTTP/1.1\r\nHost: a;,b\r\n\r\n', 400],
    ['a Host with blanks', 'GET / HTTP/1.1\r\nHost: a; b\r\n\r\n', 400],
    ['a Host with quotes', 'GET / HTTP/1.1\r\nHost: a"b\r\n\r\n', 400],
    ['a bare LF', 'GET / HTTP/1.1\nHost: a\r\n\r\n', 400],
    ['an unknown version', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505],
    ['an unknown expectation', 'GET / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n', 417],
    ['a path that climbs out', 'GET /a/../../b HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['a long target', `GET /${'x'.repeat(9_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
    ['too many fields', `GET / HTTP/1.1\r\nHost: a\r\n${'a: b\r\n'.repeat(120)}\r\n`, 431],
    ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 403],
    ['an unwanted upgrade', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n', 403],
  ])('%s: refused, recorded, nothing reaches the endpoint', async (_what, bytes, status) => {
    const test = await simple();
    const client = test.client().raw(bytes, bytes.slice(0, bytes.indexOf(' ')));
    expect((await client.response()).status).toBe(status);
    expect(test.network.connections('10.0.0.1:80')).toBe(0);
    expect(test.records).toHaveLength(1);
    expect(test.records[0]?.status).toBe(status);
  });

  it('every registered name is a host, in lower case, of HTTP/1.1 and of an absolute target', async () => {
    const test = await started({
      listeners: [httpListener({ port: 8080, routes: [route('/', 'api')] })],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      upstreams: { '10.0.0.1:80': (request) => ({ body: String(request.header('host')) }) },
    });
    const client = test.client();
    const said = async (bytes: string): Promise<string> => (await client.raw(bytes).response()).body;
    expect(await said('GET / HTTP/1.1\r\nHost: One.test;\r\n\r\n')).toBe('one.test;');
    expect(await said("GET / HTTP/1.1\r\nHost: a!$&'()*+=b:81\r\n\r\n")).toBe("a!$&'()*+=b:81");
    expect(await said('GET http://a;b/ HTTP/1.1\r\nHost: a;b\r\n\r\n')).toBe('a;b');
    expect(test.records.map(({ authority }) => authority)).toEqual(['one.test;', "a!$&'()*+=b:81", 'a;b']);
  });

  it('a bad request behind a good one: the good one is answered first, then the connection closes', async () => {
    const test = await simple();
    const client = test.client();
    client.raw('GET /good HTTP/1.1\r\nHost: a\r\n\r\nGARBAGE\r\n\r\n').raw('');
    expect((await client.response()).body).toBe('GET /good');
    expect((await client.response()).status).toBe(400);
    await client.connection.over();
  });

  it('every spelling of a path reaches the endpoint as it was judged', async () => {
    const test = await started({
      listeners: [
        httpListener({
          port: 8080,
          routes: [route('/admin', { kind: 'direct', status: 403 }), route('/', 'api')],
        }),
      ],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      upstreams: { '10.0.0.1:80': (request) => ({ body: request.target }) },
    });
    const client = test.client();
    for (const path of [
      '/admin',
      '/admin/',
      '/%61dmin',
      '//admin',
      '/./admin',
      '/x/../admin',
      '/admin/x?y',
    ]) {
      const { status } = await client.request({ path });
      expect([path, [400, 403].includes(status)]).toEqual([path, true]);
    }
    expect((await client.request({ path: '/a%2e/b?x=%41' })).body).toBe('/a./b?x=%41');
    expect(test.upstream('10.0.0.1:80').requests).toHaveLength(1);
  });

  it('Expect: 100-continue is asked of the endpoint, and its 100 passed back', async () => {
    const test = await simple({ answer: (request) => ({ body: request.body }) });
    const service = test.network.listen('10.0.0.9:80', () => {});
    service.close();
    const client = test.client();
    client.raw('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n', 'POST');
    await test.clock.settle();
    const upstream = test.upstream('10.0.0.1:80').connections[0];
    expect(upstream?.received).toContain('100-continue');
    upstream?.send('HTTP/1.1 100 Continue\r\n\r\n');
    await client.connection.take('HTTP/1.1 100 Continue\r\n\r\n');
    client.connection.send('body');
    expect((await client.response()).body).toBe('body');
  });

  it('a final answer before the body of a waiting caller ends both connections, since the body may never come', async () => {
    const test = await simple();
    const client = test.client();
    client.raw('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n', 'POST');
    await test.clock.settle();
    const upstream = test.upstream('10.0.0.1:80').connections[0];
    upstream?.send('HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n');
    const response = await client.response();
    expect([response.status, response.header('connection')]).toEqual([401, 'close']);
    await test.clock.advance(1_100);
    await client.connection.over();
    await upstream?.over();
  });

  it('1xx are passed on, but not to HTTP/1.0', async () => {
    const test = await simple({
      answer: () =>
        'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    });
    const response = await test.client().request();
    expect(response.interim).toEqual([{ status: 103, headers: [['link', '</a>']] }]);
    const old = await test.client().raw('GET / HTTP/1.0\r\nHost: a\r\n\r\n').response();
    expect(old.interim).toEqual([]);
    expect(old.body).toBe('ok');
  });

  it('a chunked answer reaches an HTTP/1.0 caller up to the close', async () => {
    const test = await simple({ answer: () => ({ chunks: ['ab', 'cd'] }) });
    const response = await test
      .client()
      .raw('GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n')
      .response();
    expect([response.body, response.header('transfer-encoding'), response.header('connection')]).toEqual([
      'abcd',
      undefined,
      'close',
    ]);
  });
});

describe('what endpoints send', () => {
  it.each([
    ['two framings', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['garbage', 'hello\r\n\r\n'],
    ['a flood of 1xx', 'HTTP/1.1 103 Hint\r\n\r\n'.repeat(20)],
    ['a switch nobody asked for', 'HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n'],
  ])('%s: 502, and the connection is never used again', async (_what, bytes) => {
    const test = await simple({ answer: () => bytes });
    const client = test.client();
    expect((await client.request()).status).toBe(502);
    expect(test.records[0]).toMatchObject({ code: 'TULLE_UPSTREAM_PROTOCOL', flags: ['UPE'] });
    test.upstream('10.0.0.1:80').answer = () => ({ body: 'fine' });
    expect((await client.request()).body).toBe('fine');
    expect(test.network.connections('10.0.0.1:80')).toBe(2);
  });

  it.each([
    ['two answers', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst'.repeat(2)],
    ['bytes behind the answer', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirstX'],
  ])('%s: the caller gets one, and the connection is never used again', async (_what, bytes) => {
    const test = await simple({ answer: () => bytes });
    const client = test.client();
    expect((await client.request()).body).toBe('first');
    test.upstream('10.0.0.1:80').answer = () => ({ body: 'second' });
    expect((await client.request()).body).toBe('second');
    expect(test.network.connections('10.0.0.1:80')).toBe(2);
    expect(test.meter.value('tulle_cluster_upstream_cx_protocol_error_total')).toBe(1);
  });

  it('bytes on a connection at rest close it', async () => {
    const test = await simple();
    const client = test.client();
    await client.request();
    test.upstream('10.0.0.1:80').connections[0]?.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
    await test.clock.settle();
    expect((await client.request({ path: '/2' })).body).toBe('GET /2');
    expect(test.network.connections('10.0.0.1:80')).toBe(2);
  });

  it('an answer that ends in the middle is seen as broken by the caller', async () => {
    const test = await simple({ answer: () => 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf' });
    const client = test.client();
    client.send({});
    await client.connection.take('half');
    test.upstream('10.0.0.1:80').connections[0]?.end();
    await expect(client.response()).rejects.toThrow();
    expect(test.records[0]).toMatchObject({
      code: 'TULLE_UPSTREAM_RESET_AFTER_START',
      flags: ['UC'],
      status: 200,
    });
  });

  it('a close-delimited answer is chunked for the caller, who keeps its connection', async () => {
    const test = await simple();
    const client = test.client();
    client.send({});
    const request = await test.upstream('10.0.0.1:80').next();
    test.upstream('10.0.0.1:80').answer = () => 'silence';
    request.connection.received = '';
    await client.response();
    client.send({});
    const second = await test.upstream('10.0.0.1:80').next();
    second.connection.send('HTTP/1.1 200 OK\r\n\r\nuntil the end').end();
    const response = await client.response();
    expect([response.body, response.header('transfer-encoding')]).toEqual(['until the end', 'chunked']);
    test.upstream('10.0.0.1:80').answer = () => ({ body: 'next' });
    expect((await client.request()).body).toBe('next');
  });

  it("an answer before the whole request ends the endpoint's connection, and the caller still gets it", async () => {
    const test = await simple();
    const client = test.client();
    client.raw('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf', 'POST');
    await test.clock.settle();
    const upstream = test.upstream('10.0.0.1:80').connections[0];
    upstream?.send('HTTP/1.1 413 Too Big\r\nContent-Length: 2\r\n\r\nno');
    expect((await client.response()).status).toBe(413);
    await upstream?.over();
    client.connection.send('rest..');
    expect((await client.request()).status).toBe(200);
  });
});

describe('actions of routes', () => {
  it('redirect, answer directly, rewrite and edit headers', async () => {
    const test = await started({
      listeners: [
        httpListener({
          port: 8080,
          routes: [
            route('/old', { kind: 'redirect', path: { kind: 'prefix', value: '/new' }, status: 301 }),
            route('/https', { kind: 'redirect', scheme: 'https', host: 'secure.example' }),
            route('=/hi', { kind: 'direct', status: 200, body: 'hi' }),
            route('/api', 'api', {
              rewrite: { host: 'inner.example', path: { kind: 'prefix', value: '/v2' } },
              requestHeaders: { set: [{ name: 'x-set', value: '1' }], remove: ['x-remove'] },
              responseHeaders: { add: [{ name: 'x-added', value: '2' }] },
            }),
            route('/split', [
              { name: 'api', weight: 0 },
              { name: 'api', weight: 0 },
            ]),
          ],
        }),
      ],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      upstreams: {
        '10.0.0.1:80': (request) => ({
          body: `${request.target} ${request.header('host')} ${request.header('x-set')} ${request.header('x-remove')}`,
        }),
      },
    });
    const client = test.client();
    const moved = await client.request({ path: '/old/a?b=1', headers: { host: 'shop.example:8080' } });
    expect([moved.status, moved.header('location')]).toEqual([301, 'http://shop.example:8080/new/a?b=1']);
    expect((await client.request({ path: '/https/x' })).header('location')).toBe(
      'https://secure.example/https/x',
    );
    expect((await client.request({ path: '/hi' })).body).toBe('hi');
    const rewritten = await client.request({ path: '/api/a/b?q', headers: { 'x-remove': 'x' } });
    expect([rewritten.body, rewritten.header('x-added')]).toEqual([
      '/v2/a/b?q inner.example 1 undefined',
      '2',
    ]);
    expect((await client.request({ path: '/split' })).status).toBe(500);
    expect(test.records.at(-1)?.code).toBe('TULLE_BACKEND_INVALID');
  });

  it('split by weight', async () => {
    const test = await started({
      listeners: [
        httpListener({
          port: 8080,
          routes: [
            route('/', [
              { name: 'a', weight: 80 },
              { name: 'b', weight: 20 },
              { name: 'c', weight: 0 },
            ]),
          ],
        }),
      ],
      clusters: ['a', 'b', 'c'].map((name, index) => cluster(name, [`10.0.0.${index}:80`])),
      upstreams: { '10.0.0.0:80': () => ({}), '10.0.0.1:80': () => ({}), '10.0.0.2:80': () => ({}) },
    });
    const client = test.client();
    for (let i = 0; i < 1_000; i++) await client.request();
    const counts = [0, 1, 2].map((index) => test.upstream(`10.0.0.${index}:80`).requests.length);
    expect(counts[2]).toBe(0);
    expect(Math.abs((counts[0] as number) - 800)).toBeLessThan(5 * Math.sqrt(1_000 * 0.8 * 0.2));
  });
});

describe('upgrades', () => {
  const upgrade =
    'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n';

  it('forward no early byte before 101, then bytes both ways until both ended', async () => {
    const test = await started({
      listeners: [httpListener({ port: 8080, routes: [route('/', 'ws')] })],
      clusters: [cluster('ws', ['10.0.0.1:80'])],
    });
    const arrived: string[] = [];
    test.network.listen('10.0.0.1:80', (connection) => {
      connection.onBytes = () => {
        arrived.push(connection.received);
        if (connection.received.includes('\r\n\r\n')) {
          connection.received = connection.received.slice(connection.received.indexOf('\r\n\r\n') + 4);
          connection.send(
            'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\nwelcome',
          );
          return;
        }
        if (connection.received !== '') connection.send(`echo ${connection.received}`);
        connection.received = '';
        if (connection.ended) connection.end();
      };
    });
    const client = test.client().raw(`${upgrade}early`);
    const response = await client.response();
    expect([response.status, response.header('upgrade'), response.header('sec-websocket-accept')]).toEqual([
      101,
      'websocket',
      'y',
    ]);
    expect(arrived[0]).not.toContain('early');
    await client.connection.take('welcome');
    await client.connection.take('echo early');
    client.connection.send('more');
    await client.connection.take('echo more');
    expect(test.proxy.stats.streams).toBe(1);
    client.connection.end();
    await client.connection.over();
    await test.clock.settle();
    expect(test.proxy.stats).toMatchObject({ streams: 0, connections: 0 });
    expect(test.records[0]).toMatchObject({ status: 101, code: '', bytesReceived: 9, bytesSent: 7 + 10 + 9 });
  });

  it('that the endpoint refuses are ordinary answers', async () => {
    const test = await simple({ answer: () => ({ status: 426, body: 'no' }) });
    const client = test.client().raw(upgrade);
    expect((await client.response()).status).toBe(426);
    test.upstream('10.0.0.1:80').answer = () => ({ body: 'still here' });
    expect((await client.request()).body).toBe('still here');
  });

  it('serve CONNECT where it is allowed', async () => {
    const test = await started({
      listeners: [httpListener({ port: 8080, allowConnect: true, routes: [route('/', 'proxy')] })],
      clusters: [cluster('proxy', ['10.0.0.1:80'])],
    });
    test.network.listen('10.0.0.1:80', (connection) => {
      connection.onBytes = () => {
        if (connection.received.startsWith('CONNECT db.example:5432 HTTP/1.1\r\n'))
          connection.send('HTTP/1.1 200 OK\r\n\r\n');
        else connection.send(connection.received);
        connection.received = '';
      };
    });
    const client = test
      .client()
      .raw('CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n', 'CONNECT');
    await client.connection.take('200 OK');
    await client.connection.take('\r\n\r\n');
    client.connection.send('ping');
    await client.connection.take('ping');
  });
});
