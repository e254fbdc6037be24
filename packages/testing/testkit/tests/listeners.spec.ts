import { CONTINUE, defineConnFilter } from '@tulle/filter';
import { cluster, httpListener, route, tcpListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import { anything, simple, started } from './support.ts';

const IDENTITY = 'spiffe://mesh.local/ns/default/sa/web';

describe('TCP', () => {
  const echo = (test: Awaited<ReturnType<typeof started>>, address = '10.0.0.1:5432') =>
    test.network.listen(address, (connection) => {
      connection.onBytes = () => {
        if (connection.received !== '') connection.send(connection.received.toUpperCase());
        connection.received = '';
        if (connection.ended) connection.send('bye').end();
      };
    });
  const tcp = (more: object = {}) =>
    started({
      listeners: [tcpListener({ port: 5432, cluster: 'db', ...more })],
      clusters: [cluster('db', ['10.0.0.1:5432'])],
    });

  it('passes bytes both ways and keeps half-close', async () => {
    const test = await tcp();
    echo(test);
    const connection = test.connect();
    connection.send('hello');
    await connection.take('HELLO');
    connection.end();
    await connection.take('bye');
    await connection.over();
    await test.clock.settle();
    expect(test.records[0]).toMatchObject({
      kind: 'tcp',
      protocol: 'TCP',
      cluster: 'db',
      upstreamAddress: '10.0.0.1:5432',
      bytesReceived: 5,
      bytesSent: 8,
      code: '',
    });
    expect(test.proxy.stats.connections).toBe(0);
  });

  it('stops reading when the other side does not take', async () => {
    const test = await tcp();
    const peers: { pause(): unknown; resume(): unknown; received: string }[] = [];
    test.network.listen('10.0.0.1:5432', (connection) => {
      peers.push(connection.pause());
    });
    const connection = test.connect();
    connection.send('x'.repeat(5_000_000));
    await test.clock.settle();
    expect(connection.socket.queuedBytes).toBeGreaterThan(3_000_000);
    peers[0]?.resume();
    await test.clock.settle();
    expect(peers[0]?.received.length).toBe(5_000_000);
  });

  it('tries another endpoint when one cannot be connected, and says why when none can', async () => {
    const test = await started({
      listeners: [tcpListener({ port: 5432, cluster: 'db' })],
      clusters: [cluster('db', ['10.0.0.1:1', '10.0.0.2:1'], { balance: { policy: 'round-robin' } })],
    });
    echo(test, '10.0.0.2:1');
    for (let i = 0; i < 2; i++) {
      const connection = test.connect().send('a');
      await connection.take('A');
      connection.close();
    }
    test.network.refuse('10.0.0.2:1', {});
    await test.connect().over();
    await test.clock.settle();
    expect(test.records.at(-1)).toMatchObject({ kind: 'tcp', code: 'TULLE_UPSTREAM_CONNECT', flags: ['UF'] });
  });

  it('ends a connection that idles', async () => {
    const test = await tcp({ idleTimeoutMs: 1_000 });
    echo(test);
    const connection = test.connect().send('a');
    await connection.take('A');
    await test.clock.advance(900);
    connection.send('b');
    await connection.take('B');
    await test.clock.advance(900);
    expect(connection.ended).toBe(false);
    await test.clock.advance(200);
    await connection.over();
    expect(test.records[0]?.code).toBe('TULLE_STREAM_IDLE');
  });

  it('lets connection filters see and refuse', async () => {
    const seen: string[] = [];
    const spy = defineConnFilter<object>({
      apiVersion: 1,
      id: 'spy',
      config: anything<object>(),
      create: () => ({
        connect: (connection) =>
          connection.remoteAddress === '192.0.2.66' ? connection.close('TULLE_AUTHZ_DENIED') : CONTINUE,
        handshake: () => Promise.resolve(CONTINUE),
        read: (_connection, _config, _state, bytes) => {
          seen.push(Buffer.from(bytes).toString());
          return Promise.resolve(CONTINUE);
        },
        write: (connection, _config, _state, bytes) => {
          seen.push(Buffer.from(bytes).toString());
          return Buffer.from(bytes).includes('SECRET') ? connection.close('TULLE_AUTHZ_DENIED') : CONTINUE;
        },
        close: () => {
          seen.push('close');
        },
      }),
    });
    const test = await tcp({ filters: [spy({})] });
    echo(test);
    const connection = test.connect().send('a');
    await connection.take('A');
    connection.send('secret');
    await connection.over();
    await test.clock.settle();
    expect(seen).toEqual(['a', 'A', 'secret', 'SECRET', 'close']);
    expect(test.records[0]?.code).toBe('TULLE_AUTHZ_DENIED');
    await test.connect({ host: '192.0.2.66' }).over();
  });
});

describe('TLS and chain choice', () => {
  const secured = { certificate: { kind: 'workload' as const }, trust: { kind: 'mesh' as const } };

  it('believes a caller only after its identity is proven, and refuses the others with a reason', async () => {
    const test = await simple({ handler: { tls: { ...secured, allowedIds: [IDENTITY] } } });
    const good = test.client({ tls: { identity: IDENTITY } });
    expect((await good.request()).status).toBe(200);
    const request = test.upstream('10.0.0.1:80').requests[0];
    expect([request?.header('x-forwarded-client-cert'), request?.header('x-forwarded-proto')]).toEqual([
      `URI=${IDENTITY}`,
      'https',
    ]);
    expect(test.records[0]).toMatchObject({ tls: true, peerIdentity: IDENTITY });
    for (const [caller, reason] of [
      [{}, 'plaintext'],
      [{ tls: {} }, 'no-certificate'],
      [{ tls: { identity: 'spiffe://mesh.local/ns/default/sa/other' } }, 'unexpected-identity'],
    ] as const) {
      const refused = test.client(caller);
      refused.send({});
      await refused.connection.over();
      await test.clock.settle();
      expect(test.meter.value('tulle_tls_refused_total', { side: 'downstream', reason })).toBe(1);
    }
    expect(test.upstream('10.0.0.1:80').requests).toHaveLength(1);
    expect(test.records.at(-1)).toMatchObject({
      code: 'TULLE_PEER_REFUSED',
      details: 'peer_identity_refused{unexpected-identity}',
    });
  });

  it('checks the identity of endpoints before a byte is sent', async () => {
    const test = await started({
      listeners: [httpListener({ port: 8080, routes: [route('/', 'api')] })],
      clusters: [
        cluster('api', [{ address: { host: '10.0.0.1', port: 80 }, identity: IDENTITY }], {
          tls: { ...secured },
        }),
      ],
    });
    let bytes = 0;
    const listening = test.network.listen(
      '10.0.0.1:80',
      (connection) => {
        connection.onBytes = () => {
          bytes += connection.received.length;
        };
      },
      { identity: 'spiffe://mesh.local/ns/default/sa/impostor' },
    );
    expect((await test.client().request()).status).toBe(503);
    expect(test.records[0]).toMatchObject({ code: 'TULLE_UPSTREAM_IDENTITY' });
    expect(bytes).toBe(0);
    expect(
      test.meter.value('tulle_tls_refused_total', { side: 'upstream', reason: 'unexpected-identity' }),
    ).toBe(1);
    listening.close();
  });

  it('chooses the chain by first byte and by network', async () => {
    const http = (name: string) =>
      httpListener({ port: 1, name, routes: [route('/', { kind: 'direct', status: 200, body: name })] })
        .filterChains[0] as never as object;
    const test = await started({
      listeners: [
        {
          name: 'all',
          address: { host: '127.0.0.1', port: 8080 },
          filterChains: [
            { ...http('secure'), name: 'secure', tls: secured, match: { transport: 'tls' as const } },
            { ...http('office'), name: 'office', match: { sourceCidrs: ['192.0.2.0/25'] } },
            { ...http('rest'), name: 'rest', match: { transport: 'plain' as const } },
          ] as never,
        },
      ],
    });
    expect((await test.client({ host: '192.0.2.1' }).request()).body).toBe('office');
    expect((await test.client({ host: '192.0.2.200' }).request()).body).toBe('rest');
    const tls = test.connect({ host: '192.0.2.1', tls: { identity: IDENTITY } });
    // The pretended TLS of the memory network has no records, so the first byte that says TLS is itself the request's.
    tls.send('\x16');
    await test.clock.settle();
    expect(test.meter.value('tulle_listener_downstream_cx_ssl_total')).toBe(1);
  });

  it('lets connections without a matching chain, or without a first byte, go', async () => {
    const chain = httpListener({ port: 1, routes: [route('/', { kind: 'direct', status: 200 })] })
      .filterChains[0];
    const test = await started({
      listeners: [
        {
          name: 'x',
          address: { host: '127.0.0.1', port: 8080 },
          filterChains: [{ ...(chain as NonNullable<typeof chain>), match: { transport: 'tls' } }],
        },
      ],
    });
    const plain = test.connect().send('GET / HTTP/1.1\r\n');
    await plain.over();
    expect(test.meter.value('tulle_listener_downstream_cx_no_filter_chain_match_total')).toBe(1);
    const silent = test.connect();
    await test.clock.advance(10_100);
    await silent.over();
    expect(test.meter.value('tulle_listener_downstream_cx_handshake_timeout_total')).toBe(1);
  });
});
