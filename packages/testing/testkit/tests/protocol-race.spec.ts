import { CONTINUE, defineConnFilter } from '@tulle/filter';
import type { Cluster, HttpHandler, Listener, ProxyConfig } from '@tulle/model';
import {
  cluster,
  createProxy,
  httpListener,
  route,
  type CodeListener,
  type Proxy,
  type ProxyOptions,
  type Transport,
} from '@tulle/proxy';
import { afterEach, describe, expect, it } from 'vitest';
import {
  fakeClock,
  HttpClient,
  memoryLog,
  memoryNetwork,
  memoryTelemetry,
  type FakeClock,
  type MemoryTelemetry,
  type TestConnection,
  type TestProxy,
} from '../src/index.ts';
import { anything, started } from './support.ts';

const ORIGIN = '10.0.0.1:3306';
const REQUEST = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';
const RESPONSE = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi';
const CLUSTERS = [cluster('origin', [ORIGIN]), cluster('bytes', [ORIGIN])];

type Otherwise = NonNullable<HttpHandler['otherwise']>;

/** @param otherwise `undefined`: the port speaks HTTP, and nothing else */
const listener = (otherwise: Otherwise | undefined = { clusters: [{ name: 'bytes' }] }): CodeListener =>
  httpListener({ name: 'any', port: 8080, routes: [route('/', 'origin')], ...(otherwise && { otherwise }) });
const declared = (): CodeListener =>
  httpListener({ name: 'any', port: 8080, routes: [route('/', 'origin')] });

interface Raced {
  readonly test: TestProxy;
  /** Connections that the origin got, in order. */
  readonly origin: readonly TestConnection[];
  detected(protocol: 'http1' | 'http2' | 'bytes', by: 'caller' | 'endpoint'): number;
}

/** A proxy before an origin in the hands of the test. @param greets what the origin says first */
async function raced(
  one: CodeListener = listener(),
  greets = '',
  more: Partial<Parameters<typeof started>[0]> = {},
): Promise<Raced> {
  const test = await started({ ...more, listeners: [one], clusters: CLUSTERS });
  const origin: TestConnection[] = [];
  test.network.listen(ORIGIN, (connection) => {
    origin.push(connection);
    if (greets !== '') connection.send(greets);
  });
  return {
    test,
    origin,
    detected: (protocol, by) =>
      test.meter.value('tulle_listener_downstream_cx_detected_total', { listener: 'any', protocol, by }),
  };
}

/** The newest connection of the origin asks for something over HTTP, and gets an answer. */
async function answered({ test, origin }: Raced): Promise<string> {
  await test.clock.settle();
  const connection = origin.at(-1) as TestConnection;
  await connection.take('\r\n\r\n');
  connection.send(RESPONSE);
  return connection.received;
}

describe('a port that declares no protocol', () => {
  it('lets a server speak first, with no timer that anybody waits for', async () => {
    const race = await raced(listener(), '220 ready\r\n');
    const client = race.test.connect();
    const before = race.test.clock.nowMs();
    await client.take('220 ready\r\n');
    expect(race.test.clock.nowMs()).toBe(before);
    client.send('EHLO\r\n');
    await (race.origin[0] as TestConnection).take('EHLO\r\n');
    expect([race.origin.length, race.detected('bytes', 'endpoint')]).toEqual([1, 1]);
    client.end();
    race.origin[0]?.end();
    await client.over();
    await race.test.clock.settle();
    expect(race.test.records.at(-1)).toMatchObject({
      kind: 'tcp',
      details: 'protocol_detected{bytes,endpoint}',
      cluster: 'bytes',
      bytesReceived: 6,
      bytesSent: 11,
    });
    expect(race.test.proxy.stats.connections).toBe(0);
  });

  it('serves HTTP to who speaks it, and closes the connection that it made in case when nobody wants it', async () => {
    const race = await raced();
    const silent = race.test.connect();
    await race.test.clock.settle();
    expect(race.origin).toHaveLength(1);
    silent.send(REQUEST);
    await answered(race);
    await silent.take('hi');
    expect(race.test.records.at(-1)).toMatchObject({ kind: 'http', status: 200, cluster: 'origin' });
    const ofBytes = (what: string): number =>
      race.test.meter.value(`tulle_cluster_upstream_${what}`, { cluster: 'bytes' });
    expect([race.origin[0]?.ended, race.detected('http1', 'caller')]).toEqual([false, 1]);
    expect([ofBytes('cx_active'), ofBytes('rq_active')]).toEqual([1, 0]);
    await race.test.clock.advance(4_000);
    expect([race.origin[0]?.ended, ofBytes('cx_active')]).toEqual([true, 0]);
  });

  it('makes one connection in case for many callers of HTTP, one after another', async () => {
    const race = await raced();
    for (let n = 0; n < 10; n++) {
      const client = race.test.connect();
      await race.test.clock.settle();
      client.send(REQUEST.replace('host', 'connection: close\r\nhost'));
      await answered(race);
      await client.take('hi');
    }
    expect(race.test.meter.value('tulle_cluster_upstream_cx_total', { cluster: 'bytes' })).toBe(1);
    // What balancing counts by.
    const { refs } = race.test.proxy as unknown as {
      readonly refs: ReadonlyMap<
        string,
        {
          readonly current: {
            readonly own: { get(address: string): { readonly active: number } | undefined };
          };
        }
      >;
    };
    const used = (): number | undefined => refs.get('bytes')?.current.own.get(ORIGIN)?.active;
    expect(used()).toBe(0);
    // The next has it for good.
    const other = race.test.connect().send('\0\0\0\x08start');
    await (race.origin[0] as TestConnection).take('\0\0\0\x08start');
    const active = (): number =>
      race.test.meter.value('tulle_cluster_upstream_rq_active', { cluster: 'bytes' });
    expect([active(), used()]).toEqual([1, 1]);
    other.close(true);
    await race.test.clock.settle();
    expect([active(), used()]).toEqual([0, 0]);
  });

  it('keeps none longer, however many callers had it, than servers keep one on which nothing is said', async () => {
    const race = await raced();
    for (const waitMs of [3_000, 999, 1]) {
      race.test.connect().close(true);
      await race.test.clock.settle();
      expect(race.origin.map(({ ended }) => ended)).toEqual([false]);
      await race.test.clock.advance(waitMs);
    }
    expect(race.origin.map(({ ended }) => ended)).toEqual([true]);
  });

  it('keeps no connection on which the endpoint spoke to nobody', async () => {
    const race = await raced();
    race.test.connect().close(true);
    await race.test.clock.settle();
    const [origin] = race.origin as [TestConnection];
    origin.send('late');
    await origin.over();
    const client = race.test.connect();
    await race.test.clock.settle();
    (race.origin[1] as TestConnection).send('220 ready\r\n');
    expect(await client.take('ready\r\n')).toBe('220 ready\r\n');
  });

  describe('whose next endpoint is told who called', () => {
    const [SILENT, TOLD] = ['10.0.0.1', '10.0.0.2'];
    const BYTES = cluster(
      'bytes',
      [
        { address: { host: SILENT, port: 3306 } },
        { address: { host: TOLD, port: 3306 }, priority: 1, tlsLabels: { told: 'yes' } },
      ],
      { connectTimeoutMs: 1_000, tlsMatches: [{ name: 'told', labels: { told: 'yes' }, proxyProtocol: 1 }] },
    );

    /** @returns what each connection of the told endpoint got */
    async function told(): Promise<{ readonly test: TestProxy; readonly origin: readonly TestConnection[] }> {
      const test = await started({ listeners: [listener()], clusters: [CLUSTERS[0] as Cluster, BYTES] });
      const origin: TestConnection[] = [];
      test.network.refuse(`${SILENT}:3306`, 'silence');
      test.network.listen(`${TOLD}:3306`, (connection) => void origin.push(connection));
      test.connect({ host: '192.0.2.1', port: 1111 }).send(REQUEST);
      await test.clock.settle();
      return { test, origin };
    }

    it('keeps none that was told of a caller who is gone', async () => {
      const { test, origin } = await told();
      await test.clock.advance(1_000);
      expect(origin.map(({ ended }) => ended)).toEqual([true]);
    });

    it('tells of the one who took it while the first was being connected', async () => {
      const { test, origin } = await told();
      test.connect({ host: '192.0.2.2', port: 2222 }).send('\0\0\0\x08start');
      await test.clock.advance(1_000);
      expect(await origin[0]?.take('start')).toBe(
        'PROXY TCP4 192.0.2.2 127.0.0.1 2222 8080\r\n\0\0\0\x08start',
      );
      expect(origin).toHaveLength(1);
    });
  });

  it('keeps none for a configuration that is gone, or a proxy that is', async () => {
    const race = await raced();
    const early = race.test.connect();
    await race.test.clock.settle();
    race.test.connect().close(true);
    await race.test.clock.settle();
    expect(race.origin[1]?.ended).toBe(false);
    await race.test.proxy.update({
      version: '2',
      listeners: [
        listener() as unknown as Listener,
        { ...(declared() as unknown as Listener), name: 'other', address: { host: '127.0.0.1', port: 8081 } },
      ].map((one) => ({
        ...one,
        filterChains: one.filterChains.map((chain) => ({ ...chain, name: 'anew' })),
      })),
      routes: [],
      clusters: CLUSTERS,
      endpoints: [],
    });
    await (race.origin[1] as TestConnection).over();
    expect(race.origin[0]?.ended).toBe(false);
    early.send(REQUEST);
    await (race.origin[0] as TestConnection).over();
    race.test.connect().close(true);
    await race.test.clock.settle();
    expect(race.origin.at(-1)?.ended).toBe(false);
    const drained = race.test.proxy.drain({ windowMs: 0 });
    await (race.origin.at(-1) as TestConnection).over();
    await race.test.clock.advance(0);
    await drained;
  });

  it('serves a request that comes in pieces', async () => {
    const race = await raced();
    const client = race.test.connect();
    for (const piece of ['G', 'ET', ' / HTTP', '/1.1\r', '\n']) {
      client.send(piece);
      await race.test.clock.settle();
    }
    client.send('host: a\r\n\r\n');
    await answered(race);
    await client.take('hi');
  });

  it.each([
    ['a ClientHello', '\x16\x03\x01\x00\x05hello'],
    ['a command of another protocol', 'EHLO there\r\n'],
    ['a word that could be a method', 'PING\r\n'],
    ['the end of the caller without a word', ''],
  ])('passes %s on as it is, by the connection that is there', async (_what, bytes) => {
    const race = await raced();
    const client = race.test.connect();
    await race.test.clock.settle();
    if (bytes === '') client.end();
    else client.send(bytes);
    await race.test.clock.settle();
    const [origin] = race.origin as [TestConnection];
    expect([origin.received, origin.ended]).toEqual([bytes, bytes === '']);
    origin.send('so be it');
    await client.take('so be it');
    // Who said nothing showed nothing.
    expect([race.origin.length, race.detected('bytes', 'caller')]).toEqual([1, bytes === '' ? 0 : 1]);
  });

  it('tells nothing of a caller that came and went', async () => {
    const race = await raced();
    const client = race.test.connect();
    await race.test.clock.settle();
    client.end();
    await (race.origin[0] as TestConnection).over();
    race.origin[0]?.end();
    await client.over();
    await race.test.clock.settle();
    expect([race.test.records, race.test.proxy.stats.connections]).toEqual([[], 0]);
  });

  it('passes on what the caller said while the endpoint is being connected', async () => {
    const race = await raced();
    race.test.network.connectDelayMs = 50;
    const client = race.test.connect().send('\0\0\0\x08start');
    await race.test.clock.settle();
    await race.test.clock.advance(50);
    await (race.origin[0] as TestConnection).take('\0\0\0\x08start');
    client.close();
  });

  it('does not learn: garbage of one caller changes nothing for the next', async () => {
    const race = await raced();
    for (let n = 0; n < 20; n++) race.test.connect().send('\0garbage\xff');
    await race.test.clock.settle();
    const client = race.test.connect().send(REQUEST);
    await answered(race);
    await client.take('hi');
    expect(race.test.records.at(-1)).toMatchObject({ kind: 'http', status: 200 });
  });

  it('ends the caller’s connection when the endpoint ends its own without a word', async () => {
    const race = await raced();
    const client = race.test.connect();
    await race.test.clock.settle();
    (race.origin[0] as TestConnection).end();
    await client.over();
  });

  it('answers 503 where no endpoint can be connected, and closes on who waits for it', async () => {
    const test = await started({ listeners: [listener()], clusters: CLUSTERS });
    const silent = test.connect();
    const client = test.client();
    await test.clock.settle();
    expect((await client.request()).status).toBe(503);
    expect(silent.closed).toBe(false);
    await test.clock.advance(1_000);
    expect(silent.closed).toBe(true);
    expect(test.records.at(-1)).toMatchObject({ kind: 'tcp', code: 'TULLE_UPSTREAM_CONNECT' });
  });

  it('closes on a caller that begins a request and does not go on', async () => {
    const race = await raced();
    const client = race.test.connect().send('GET /');
    await race.test.clock.advance(60_000);
    await client.over();
    expect(race.test.proxy.stats.connections).toBe(0);
  });
});

describe('policy and detection', () => {
  let denied: string[] = [];
  const guard = defineConnFilter<{ readonly deny: readonly string[]; readonly later?: boolean }>({
    apiVersion: 1,
    id: 'guard',
    config: anything(),
    create: (_host, { deny, later = false }) => ({
      handshake(connection) {
        const pass = !deny.includes(connection.remoteAddress);
        if (!pass) denied.push(connection.remoteAddress);
        const verdict = pass ? CONTINUE : connection.close('TULLE_AUTHZ_DENIED', 'guard');
        return later ? Promise.resolve(verdict) : verdict;
      },
    }),
  });
  const guarded = (later: boolean): CodeListener =>
    listener({
      clusters: [{ name: 'bytes' }],
      filters: [{ name: 'guard', filter: 'guard', config: { deny: ['10.9.9.9'], later } }],
    });

  it.each([false, true])('connects nobody before layer 4 let the caller pass (later: %s)', async (later) => {
    denied = [];
    const race = await raced(guarded(later), '220 ready\r\n', { registry: [guard] });
    const stranger = race.test.connect({ host: '10.9.9.9' });
    await race.test.clock.settle();
    expect([race.origin.length, stranger.received, denied]).toEqual([0, '', ['10.9.9.9']]);
    // It is served as on any port of HTTP: filters of requests say what becomes of it.
    stranger.send('EHLO\r\n');
    await stranger.over();
    expect([stranger.received.slice(0, 12), race.origin.length]).toEqual(['HTTP/1.1 400', 0]);
    await race.test.connect({ host: '10.0.0.9' }).take('220 ready\r\n');
  });

  it('never passes bytes of a port that declares HTTP, whatever came before', async () => {
    const race = await raced(declared());
    for (let n = 0; n < 20; n++) {
      const client = race.test.connect().send('\0garbage\xff');
      await client.over();
      expect(client.received.slice(0, 12)).toBe('HTTP/1.1 400');
    }
    const silent = race.test.connect();
    await race.test.clock.settle();
    expect([race.origin.length, silent.received]).toEqual([0, '']);
    const client = race.test.connect().send(REQUEST);
    await answered(race);
    await client.take('hi');
  });

  it('asks the configuration that is in force when somebody speaks', async () => {
    const config = (one: CodeListener, version: string): ProxyConfig => ({
      version,
      listeners: [one as unknown as Listener],
      routes: [],
      clusters: CLUSTERS,
      endpoints: [],
    });
    const race = await raced();
    const client = race.test.connect();
    await race.test.clock.settle();
    await race.test.proxy.update(config(declared(), '2'));
    (race.origin[0] as TestConnection).send('220 ready\r\n');
    await race.test.clock.settle();
    expect([client.received, race.origin[0]?.ended]).toEqual(['', true]);
    const http = new HttpClient(client);
    http.raw(REQUEST, 'GET');
    await answered(race);
    expect((await http.response()).status).toBe(200);
  });
});

describe('two proxies with a port that declares nothing', () => {
  const id = (name: string): string => `spiffe://mesh.local/ns/default/sa/${name}`;
  const TLS = { certificate: { kind: 'workload' }, trust: { kind: 'mesh' } } as const;
  const AT = { host: '10.0.0.2', port: 15_006 };
  const proxies: Proxy[] = [];
  afterEach(async () => {
    for (const proxy of proxies.splice(0)) await proxy.stop();
  });

  /** web → its proxy ═ mutual TLS ═ proxy of db → db, which is in the hands of the test. */
  async function pair(greets: string): Promise<{
    readonly client: TestConnection;
    readonly app: readonly TestConnection[];
    readonly clock: FakeClock;
    readonly inbound: MemoryTelemetry;
  }> {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    const [web, db] = [
      network.machine({ address: '10.0.0.1', identity: id('web') }),
      network.machine({ address: AT.host, identity: id('db') }),
    ];
    const start = async (transport: Transport, options: ProxyOptions): Promise<MemoryTelemetry> => {
      const telemetry = memoryTelemetry();
      const proxy = createProxy({ clock, log: memoryLog(), transport, telemetry: [telemetry], ...options });
      proxies.push(proxy);
      await proxy.start();
      return telemetry;
    };
    const app: TestConnection[] = [];
    db.listen('127.0.0.1:3306', (connection) => {
      app.push(connection);
      if (greets !== '') connection.send(greets);
    });
    const inbound = await start(db.transport, {
      listeners: [
        httpListener({
          name: 'in',
          ...AT,
          tls: { ...TLS, clientCertificate: 'require' },
          routes: [route('/', 'app')],
          otherwise: { clusters: [{ name: 'app' }] },
        }),
      ],
      clusters: [cluster('app', ['127.0.0.1:3306'])],
    });
    const endpoints = [{ address: AT, mode: 'sidecar', identity: id('db') }] as const;
    await start(web.transport, {
      listeners: [listener({ clusters: [{ name: 'origin' }] })],
      clusters: [
        // Only who speaks HTTP offers it by ALPN.
        cluster('origin', endpoints, { tls: TLS, pool: { protocol: 'auto' } }),
      ],
    });
    return { client: web.connect('127.0.0.1:8080'), app, clock, inbound };
  }

  it('leads a greeting through both', async () => {
    const { client, app, inbound, clock } = await pair('220 ready\r\n');
    const before = clock.nowMs();
    await client.take('220 ready\r\n');
    client.send('EHLO\r\n');
    await (app[0] as TestConnection).take('EHLO\r\n');
    expect([app.length, clock.nowMs() - before]).toEqual([1, 0]);
    client.end();
    app[0]?.end();
    await client.over();
    await clock.settle();
    expect(inbound.records).toMatchObject([{ kind: 'tcp', peerIdentity: id('web') }]);
  });

  it('speaks HTTP/2 between them to a caller of HTTP', async () => {
    const { client, app, inbound, clock } = await pair('');
    client.send(REQUEST);
    await clock.settle();
    const connection = app.at(-1) as TestConnection;
    await connection.take('\r\n\r\n');
    connection.send(RESPONSE);
    await client.take('hi');
    await clock.settle();
    expect(inbound.records.at(-1)).toMatchObject({ kind: 'http', protocol: 'HTTP/2', status: 200 });
  });
});
