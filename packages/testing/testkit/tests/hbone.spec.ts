import { once } from 'node:events';
import type { ClientHttp2Stream } from 'node:http2';
import { CONTINUE, defineConnFilter } from '@tulle/filter';
import type { Endpoint, HboneOptions } from '@tulle/model';
import {
  cluster,
  createProxy,
  httpListener,
  route,
  tcpListener,
  type CodeListener,
  type Proxy,
  type ProxyOptions,
} from '@tulle/proxy';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  fakeClock,
  http2Upstream,
  HttpClient,
  Http2Client,
  memoryLog,
  memoryNetwork,
  memoryTelemetry,
  type FakeClock,
  type MachineNetwork,
  type MemoryNetwork,
  type MemoryTelemetry,
  type TestConnection,
} from '../src/index.ts';
import { anything } from './support.ts';

const id = (name: string): string => `spiffe://mesh.local/ns/default/sa/${name}`;
const TLS = { certificate: { kind: 'workload' }, trust: { kind: 'mesh' } } as const;
const DB: Endpoint = { address: { host: '10.0.0.2', port: 5432 }, mode: 'hbone', identity: id('db') };

let clock: FakeClock;
let network: MemoryNetwork;
const proxies: Proxy[] = [];
beforeEach(() => {
  clock = fakeClock();
  network = memoryNetwork(clock);
});
afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.stop();
});

interface Node {
  readonly proxy: Proxy;
  readonly machine: MachineNetwork;
  readonly telemetry: MemoryTelemetry;
}

async function node(address: string, name: string, options: ProxyOptions): Promise<Node> {
  const machine = network.machine({ address, identity: id(name) });
  const telemetry = memoryTelemetry();
  const proxy = createProxy({
    clock,
    log: memoryLog(),
    transport: machine.transport,
    telemetry: [telemetry],
    ...options,
  });
  await proxy.start();
  proxies.push(proxy);
  return { proxy, machine, telemetry };
}

/** What a tunnel's connection looked like to a layer-4 policy. */
interface Seen {
  readonly peer: string | undefined;
  readonly from: string;
  readonly to: string;
}
let seen: Seen[] = [];
beforeEach(() => {
  seen = [];
});

const guard = defineConnFilter<{ readonly deny: readonly string[] }>({
  apiVersion: 1,
  id: 'guard',
  config: anything(),
  create: (_host, { deny }) => ({
    handshake(connection) {
      const { peerIdentity, remoteAddress, localAddress, localPort } = connection;
      seen.push({ peer: peerIdentity, from: remoteAddress, to: `${localAddress}:${localPort}` });
      return deny.includes(peerIdentity ?? '') ? connection.close('TULLE_AUTHZ_DENIED', 'guard') : CONTINUE;
    },
  }),
});

/** Takes tunnels to the workload 10.0.0.2 and to nowhere else. */
function inbound(options: { deny?: readonly string[]; hbone?: Partial<HboneOptions> } = {}): CodeListener {
  return {
    name: 'hbone',
    address: { host: '10.0.0.2', port: 15_008 },
    direction: 'inbound',
    hbone: { tls: { ...TLS, clientCertificate: 'require' }, ...options.hbone },
    filterChains: [
      {
        name: 'workload',
        match: { destinationCidrs: ['10.0.0.2/32'] },
        handler: {
          kind: 'tcp',
          clusters: [{ name: 'workload' }],
          filters: [guard({ deny: options.deny ?? [] })],
        },
      },
    ],
  };
}

const server = (listener: CodeListener = inbound()): Promise<Node> =>
  node('10.0.0.2', 'db', {
    listeners: [listener],
    clusters: [{ name: 'workload', discovery: { kind: 'original-dst' } }],
  });

/** Leads its port 5432 to the database by tunnels. */
const client = (name = 'web', endpoints: readonly Endpoint[] = [DB], limits = {}): Promise<Node> =>
  node('10.0.0.1', name, {
    listeners: [
      tcpListener({ host: '10.0.0.1', port: 5432, cluster: 'db' }),
      httpListener({ name: 'http', host: '10.0.0.1', port: 80, routes: [route('/', 'db')] }),
    ],
    clusters: [cluster('db', endpoints, { tls: TLS })],
    limits,
  });

/** A database that says what it hears, behind its name. */
function echo(): { readonly connections: TestConnection[] } {
  const connections: TestConnection[] = [];
  network.listen('10.0.0.2:5432', (connection) => {
    connections.push(connection);
    connection.onBytes = () => {
      const heard = connection.received;
      connection.received = '';
      if (heard !== '') connection.send(`db heard ${heard}`);
    };
    void connection.over().then(() => connection.end());
  });
  return { connections };
}

/** Asks for tunnels by hand. */
function raw(name: string): {
  readonly http2: Http2Client;
  connect(authority: string, fields?: object): ClientHttp2Stream;
} {
  const connection = network.connect('10.0.0.2:15008', {
    host: '10.0.0.9',
    tls: { identity: id(name), alpn: ['h2'] },
  });
  const http2 = new Http2Client(connection);
  return {
    http2,
    connect: (authority, fields = {}) =>
      http2.session.request({ ':method': 'CONNECT', ':authority': authority, ...fields }),
  };
}
const statusOf = (stream: ClientHttp2Stream): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    stream.once('response', (headers) => resolve(headers[':status']));
    stream.once('error', reject);
  });

describe('a tunnel by HBONE', () => {
  it('carries bytes both ways, and shows the workload who called from where', async () => {
    echo();
    const b = await server();
    const a = await client();
    const caller = network.connect('10.0.0.1:5432');
    caller.send('SELECT');
    expect(await caller.take('SELECT')).toBe('db heard SELECT');
    expect(seen).toEqual([{ peer: id('web'), from: '10.0.0.1', to: '10.0.0.2:5432' }]);
    caller.close();
    await vi.waitFor(() => expect(b.telemetry.records).toHaveLength(1));
    expect(a.telemetry.records[0]).toMatchObject({ upstreamIdentity: id('db'), bytesSent: 15 });
    expect(b.telemetry.records[0]).toMatchObject({ peerIdentity: id('web'), localAddress: '10.0.0.2' });
  });

  it('shares one connection of an identity to a peer with others, up to the bound', async () => {
    echo();
    await server();
    await client('web', [DB], { hboneTunnelsPerConnection: 2 });
    const callers = Array.from({ length: 3 }, () => network.connect('10.0.0.1:5432').send('x'));
    for (const caller of callers) await caller.take('heard x');
    expect(network.connections('10.0.0.2:15008')).toBe(2);
    // A tunnel that ends makes room for another.
    callers[0]?.close();
    await clock.advance(1);
    const next = network.connect('10.0.0.1:5432').send('y');
    await next.take('heard y');
    expect(network.connections('10.0.0.2:15008')).toBe(2);
  });

  it('puts no key together for a tunnel to where one led before', async () => {
    echo();
    await server();
    await client();
    const first = network.connect('10.0.0.1:5432').send('x');
    await first.take('heard x');
    const written = vi.spyOn(JSON, 'stringify');
    try {
      const next = network.connect('10.0.0.1:5432').send('y');
      await next.take('heard y');
      const ofTls = written.mock.calls.filter(
        ([value]) => (value as { trust?: object } | undefined)?.trust !== undefined,
      );
      expect(ofTls).toEqual([]);
    } finally {
      written.mockRestore();
    }
    expect(network.connections('10.0.0.2:15008')).toBe(1);
  });

  it('keeps a connection for the next tunnel, and closes it when none comes', async () => {
    echo();
    await server();
    const { telemetry } = await client('web', [DB], { hboneIdleTimeoutMs: 10_000 });
    const active = (): number =>
      telemetry.meter.value('tulle_hbone_connections_active', { side: 'outbound' });
    const caller = network.connect('10.0.0.1:5432').send('x');
    await caller.take('heard x');
    caller.close();
    await clock.advance(9_000);
    expect(active()).toBe(1);
    await clock.advance(1_500);
    expect(active()).toBe(0);
  });

  it('keeps half-close: who has said everything still hears the answer', async () => {
    network.listen('10.0.0.2:5432', (connection) => {
      void connection.over().then(() => connection.send(`whole: ${connection.received}`).end());
    });
    await server();
    await client();
    const caller = network.connect('10.0.0.1:5432').send('question').end();
    expect(await caller.take('question')).toBe('whole: question');
    await caller.over();
    expect(caller.fault).toBeUndefined();
  });

  it('carries a server that speaks first', async () => {
    network.listen('10.0.0.2:5432', (connection) => void connection.send('220 ready'));
    await server();
    await client();
    expect(await network.connect('10.0.0.1:5432').take('ready')).toBe('220 ready');
  });

  it('stops reading where the other end does not take, while others flow on', async () => {
    const service = echo();
    const { telemetry } = await server();
    await client();
    const slow = network.connect('10.0.0.1:5432').send('x');
    await slow.take('heard x');
    const [far] = service.connections;
    if (far === undefined) throw new Error('no connection came');
    far.onBytes = undefined;
    far.pause();
    const body = 16 * 1024 * 1024;
    slow.send(Buffer.alloc(body, 1));
    await clock.advance(1);
    // What is on its way is bounded by windows and buffers, far below what waits.
    expect(slow.socket.queuedBytes).toBeGreaterThan(body / 2);
    const other = network.connect('10.0.0.1:5432').send('y');
    await other.take('heard y');
    far.resume();
    await far.takeBytes(body);
    expect(slow.socket.queuedBytes).toBe(0);
    expect(telemetry.meter.value('tulle_hbone_tunnels_active', { side: 'inbound' })).toBe(2);
  });

  it('stops reading where the caller does not take', async () => {
    const body = 16 * 1024 * 1024;
    const service = Promise.withResolvers<TestConnection>();
    network.listen('10.0.0.2:5432', (connection) => {
      connection.onBytes = () => service.resolve(connection);
    });
    await server();
    await client();
    const caller = network.connect('10.0.0.1:5432').send('x').pause();
    const far = (await service.promise).send(Buffer.alloc(body, 1));
    await clock.advance(1);
    expect(far.socket.queuedBytes).toBeGreaterThan(body / 2);
    caller.resume();
    await caller.takeBytes(body);
  });

  it('tells who is believed to be a waypoint from where each connection came', async () => {
    echo();
    await server(inbound({ hbone: { trustedForwarders: [id('waypoint')] } }));
    await client('waypoint');
    const caller = network.connect('10.0.0.1:5432', { host: '2001:db8::7' }).send('x');
    await caller.take('heard x');
    expect(seen.map(({ from }) => from)).toEqual(['2001:db8::7']);
  });

  it('lets HTTP through, by connections of its own', async () => {
    network.listen('10.0.0.2:5432', (connection) => {
      connection.onBytes = () => {
        if (!connection.received.endsWith('\r\n\r\n')) return;
        connection.received = '';
        connection.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      };
    });
    await server();
    await client();
    const answer = await new HttpClient(network.connect('10.0.0.1:80')).request();
    expect([answer.status, answer.body]).toEqual([200, 'ok']);
  });
});

describe('who takes tunnels', () => {
  it('refuses whom layer-4 policy denies, before the workload hears of it', async () => {
    const service = echo();
    await server(inbound({ deny: [id('mallory')] }));
    expect(await statusOf(raw('mallory').connect('10.0.0.2:5432'))).toBe(403);
    expect(service.connections).toHaveLength(0);
    expect(await statusOf(raw('web').connect('10.0.0.2:5432'))).toBe(200);
  });

  it.each([
    ['10.0.0.3:5432', 404],
    ['127.0.0.1:5432', 404],
    ['db.default.svc:5432', 404],
    ['10.0.0.2:1', 503],
  ])('answers CONNECT %s, which leads to none of its workloads, with %d', async (authority, status) => {
    echo();
    await server();
    expect(await statusOf(raw('web').connect(authority))).toBe(status);
  });

  it('answers another method than CONNECT with 405', async () => {
    await server();
    const { http2 } = raw('web');
    expect(await statusOf(http2.session.request({ ':path': '/', ':authority': '10.0.0.2:5432' }))).toBe(405);
  });

  it('refuses peers that prove nothing', async () => {
    const { telemetry } = await server();
    const plain = network.connect('10.0.0.2:15008');
    plain.send('GET / HTTP/1.1\r\n\r\n');
    await plain.over();
    const nobody = network.connect('10.0.0.2:15008', { tls: { alpn: ['h2'] } });
    await nobody.over();
    expect(telemetry.records.map(({ code }) => code)).toEqual(['TULLE_PEER_REFUSED', 'TULLE_PEER_REFUSED']);
  });

  it('takes as many tunnels of a connection as it says, and refuses others to be asked for elsewhere', async () => {
    echo();
    await server(inbound({ hbone: { http2: { maxConcurrentStreams: 1 } } }));
    await client();
    const callers = Array.from({ length: 3 }, () => network.connect('10.0.0.1:5432').send('x'));
    for (const caller of callers) await caller.take('heard x');
    expect(network.connections('10.0.0.2:15008')).toBe(3);
  });

  it('believes waypoints about where a connection came from, and nobody else', async () => {
    echo();
    await server(inbound({ hbone: { trustedForwarders: [id('waypoint')] } }));
    const forwarded = 'for="192.0.2.7:4711"';
    expect(await statusOf(raw('waypoint').connect('10.0.0.2:5432', { forwarded }))).toBe(200);
    expect(await statusOf(raw('web').connect('10.0.0.2:5432', { forwarded }))).toBe(200);
    expect(seen.map(({ from }) => from)).toEqual(['192.0.2.7', '10.0.0.9']);
  });

  it('lets a peer finish its tunnels when it leaves, and gets new ones on another connection', async () => {
    echo();
    const b = await server();
    const { telemetry } = await client();
    const open = (): number => telemetry.meter.value('tulle_hbone_connections_active', { side: 'outbound' });
    const before = network.connect('10.0.0.1:5432').send('x');
    await before.take('heard x');
    const drained = b.proxy.drain({ windowMs: 1_000 });
    await clock.advance(1_100);
    await drained;
    before.send('still');
    await before.take('heard still');
    // Its successor listens there now.
    await server();
    const after = network.connect('10.0.0.1:5432').send('y');
    await after.take('heard y');
    before.send('and still');
    await before.take('heard and still');
    expect(open()).toBe(2);
    before.close();
    await vi.waitFor(() => expect(open()).toBe(1));
  });

  it('ends a connection behind the last bytes of its last tunnel, also where the peer is slow to take them', async () => {
    network.listen('10.0.0.2:5432', (connection) => {
      void connection.over().then(() => connection.send('y'.repeat(20_000)).end());
    });
    const b = await server();
    const { http2, connect } = raw('web');
    const stream = connect('10.0.0.2:5432');
    expect(await statusOf(stream)).toBe(200);
    const drained = b.proxy.drain({ windowMs: 1_000 });
    await clock.advance(1_100);
    await drained;
    let heard = '';
    stream.on('data', (bytes: Buffer) => (heard += bytes.toString('latin1')));
    const whole = once(stream, 'end');
    http2.connection.socket.incoming.capacityBytes = 1_000;
    http2.connection.pause();
    stream.end('question');
    await vi.waitFor(() => expect(b.telemetry.records).toHaveLength(1));
    http2.connection.resume();
    await whole;
    expect(heard).toHaveLength(20_000);
    await http2.connection.over();
  });

  it('waits no longer for a peer that takes nothing of the last bytes', async () => {
    network.listen('10.0.0.2:5432', (connection) => {
      void connection.over().then(() => connection.send('y'.repeat(20_000)).end());
    });
    const b = await server();
    const active = (): number =>
      b.telemetry.meter.value('tulle_hbone_connections_active', { side: 'inbound' });
    const { http2, connect } = raw('web');
    const stream = connect('10.0.0.2:5432');
    expect(await statusOf(stream)).toBe(200);
    const drained = b.proxy.drain({ windowMs: 1_000 });
    await clock.advance(1_100);
    await drained;
    http2.connection.socket.incoming.capacityBytes = 1_000;
    http2.connection.pause();
    stream.on('error', () => {});
    stream.end('question');
    await vi.waitFor(() => expect(b.telemetry.records).toHaveLength(1));
    await clock.advance(9_000);
    expect(active()).toBe(1);
    await clock.advance(2_000);
    expect(active()).toBe(0);
  });
});

describe('who opens tunnels', () => {
  it('expects the identity of the endpoint', async () => {
    echo();
    await server();
    const { telemetry } = await client('web', [{ ...DB, identity: id('other') }]);
    const caller = network.connect('10.0.0.1:5432').send('x');
    await caller.over();
    await clock.advance(0);
    expect(telemetry.records[0]?.code).toBe('TULLE_UPSTREAM_IDENTITY');
  });

  it('goes to the next endpoint where a tunnel is refused', async () => {
    echo();
    await server();
    const away: Endpoint = { ...DB, address: { host: '10.0.0.2', port: 1 } };
    await client('web', [{ ...away, priority: 0 }, DB]);
    for (let round = 0; round < 4; round++) {
      const caller = network.connect('10.0.0.1:5432').send('x');
      await caller.take('heard x');
    }
  });

  it('goes where the tunnel of the endpoint is, with the authority that it says', async () => {
    await server({
      ...inbound(),
      filterChains: [
        {
          name: 'orders',
          match: { serverNames: ['orders.default.svc.mesh.local'] },
          handler: {
            kind: 'http',
            filters: [],
            routes: {
              name: 'orders',
              virtualHosts: [
                {
                  name: 'orders',
                  domains: ['*'],
                  routes: [route('/', { kind: 'direct', status: 200, body: 'from the waypoint' })],
                },
              ],
            },
          },
        },
      ],
    });
    await client('web', [
      {
        ...DB,
        address: { host: '10.0.0.2', port: 80 },
        tunnel: {
          address: { host: '10.0.0.2', port: 15_008 },
          authority: 'orders.default.svc.mesh.local:80',
        },
      },
    ]);
    const answer = await new HttpClient(network.connect('10.0.0.1:80')).request();
    expect(answer.body).toBe('from the waypoint');
  });

  it('ends a connection behind the last bytes of its last tunnel, also where the peer is slow to take them', async () => {
    const peer = http2Upstream(network, '10.0.0.2:15008', undefined, { identity: id('db'), alpn: ['h2'] });
    let heard = '';
    const whole = new Promise<void>((resolve) => {
      peer.onStream = (stream) => {
        stream.on('data', (bytes: Buffer) => (heard += bytes.toString('latin1')));
        stream.on('end', resolve);
        stream.respond({ ':status': 200 });
        stream.end('nothing more');
      };
    });
    const { telemetry } = await client();
    const caller = network.connect('10.0.0.1:5432');
    await caller.take('nothing more');
    peer.sessions[0]?.goaway(0);
    await clock.advance(1);
    const [carrier] = peer.connections;
    if (carrier === undefined) throw new Error('no connection came');
    carrier.socket.incoming.capacityBytes = 1_000;
    carrier.pause();
    caller.send('x'.repeat(20_000)).end();
    await vi.waitFor(() => expect(telemetry.records).toHaveLength(1));
    carrier.resume();
    await whole;
    expect(heard).toHaveLength(20_000);
    await carrier.over();
  });

  it('gives up a peer that stops answering', async () => {
    const peer = http2Upstream(network, '10.0.0.2:15008', undefined, {
      identity: id('db'),
      alpn: ['h2'],
    });
    peer.onStream = (stream) => {
      stream.respond({ ':status': 200 });
      stream.write('hello');
    };
    const { telemetry } = await client();
    const caller = network.connect('10.0.0.1:5432');
    await caller.take('hello');
    peer.connections[0]?.pause();
    await clock.advance(29_000);
    expect(caller.closed).toBe(false);
    await clock.advance(12_000);
    await caller.over();
    expect(telemetry.meter.value('tulle_hbone_keepalive_timeouts_total')).toBe(1);
  });
});
