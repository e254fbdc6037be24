import { createSocket, Socket, type RemoteInfo } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import type { Cluster, Endpoint, ProxyConfig, UdpProxy } from '@tulle/model';
import { createProxy, type Proxy } from '@tulle/proxy';
import { fakeClock, memoryTelemetry } from '../src/index.ts';
import { afterEach, describe, expect, it } from 'vitest';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function socket(): Promise<Socket> {
  const made = createSocket('udp4');
  open.push({ close: () => new Promise<void>((resolve) => made.close(() => resolve())) });
  made.bind(0, '127.0.0.1');
  await once(made, 'listening');
  return made;
}

const portOf = (one: Socket): number => one.address().port;

/** Says its name and what it heard, to whoever asks. */
async function origin(name: string): Promise<{ readonly endpoint: Endpoint; readonly callers: Set<number> }> {
  const made = await socket();
  const callers = new Set<number>();
  made.on('message', (bytes, { port, address }) => {
    callers.add(port);
    made.send(`${name} ${bytes.toString()}`, port, address);
  });
  return { endpoint: { address: { host: '127.0.0.1', port: portOf(made) }, mode: 'none' }, callers };
}

async function proxyOf(
  udp: UdpProxy,
  clusters: Readonly<Record<string, readonly Endpoint[]>>,
  common: Partial<Cluster> = {},
) {
  const clock = fakeClock();
  const telemetry = memoryTelemetry();
  const config = (more: Partial<UdpProxy> = {}, sets = clusters): ProxyConfig => ({
    version: '1',
    listeners: [
      { name: 'dns', address: { host: '127.0.0.1', port: 0 }, filterChains: [], udp: { ...udp, ...more } },
    ],
    routes: [],
    clusters: Object.keys(clusters).map((name) => ({ name, discovery: { kind: 'eds' }, ...common })),
    endpoints: Object.entries(sets).map(([name, endpoints]) => ({ name, endpoints })),
  });
  const proxy: Proxy = createProxy({ config: config(), clock, telemetry: [telemetry], random: () => 0.5 });
  open.push({ close: () => proxy.stop() });
  await proxy.start();
  const at = proxy.addresses()['dns'];
  if (at === undefined || 'path' in at) throw new Error('not bound');
  return {
    proxy,
    clock,
    telemetry,
    config,
    port: at.port,
    count: (name: string, labels = {}): number =>
      telemetry.meter.value(`tulle_udp_${name}`, { listener: 'dns', ...labels }),
  };
}

async function asker(
  port: number,
): Promise<{ readonly port: number; ask(text: string): Promise<string>; tell(text: string): void }> {
  const made = await socket();
  return {
    port: portOf(made),
    async ask(text) {
      made.send(text, port, '127.0.0.1');
      const [bytes] = (await once(made, 'message')) as [Buffer];
      return bytes.toString();
    },
    tell: (text) => made.send(text, port, '127.0.0.1'),
  };
}

/** The next datagram that any socket of the process takes is from port 0: only a raw socket could send one. @returns ends it */
function nextFromPort0(): () => void {
  let next = true;
  const emit = function (this: Socket, event: string, ...args: unknown[]): boolean {
    if (event === 'message' && next) {
      next = false;
      (args[1] as RemoteInfo).port = 0;
    }
    return EventEmitter.prototype.emit.call(this, event, ...args);
  };
  Object.defineProperty(Socket.prototype, 'emit', { configurable: true, value: emit });
  return () => void Reflect.deleteProperty(Socket.prototype, 'emit');
}

const until = async (what: () => boolean): Promise<void> => expect.poll(what, { timeout: 5_000 }).toBe(true);

describe('datagrams', () => {
  it('go to an endpoint by sessions: what comes from one port goes by one socket, and the answers back', async () => {
    const one = await origin('one');
    const { port, count } = await proxyOf({ clusters: [{ name: 'c' }] }, { c: [one.endpoint] });
    const [a, b] = [await asker(port), await asker(port)];
    expect(await a.ask('x')).toBe('one x');
    expect(await a.ask('y')).toBe('one y');
    expect(one.callers.size).toBe(1);
    expect(await b.ask('')).toBe('one ');
    expect(one.callers.size).toBe(2);
    expect([
      count('sessions_total'),
      count('datagrams_received_total'),
      count('datagrams_sent_total'),
    ]).toEqual([2, 3, 3]);
    expect([count('received_bytes_total'), count('sent_bytes_total')]).toEqual([2, 14]);
    expect(await a.ask('z'.repeat(60_000))).toBe(`one ${'z'.repeat(60_000)}`);
  });

  it('are told to telemetry by session, once that is over', async () => {
    const one = await origin('one');
    const labelled = { ...one.endpoint, labels: { workload: 'w' } };
    const { port, clock, telemetry } = await proxyOf({ clusters: [{ name: 'c' }] }, { c: [labelled] });
    const a = await asker(port);
    await a.ask('hello');
    await clock.advance(7_000);
    await a.ask('you');
    expect(telemetry.records).toEqual([]);
    await clock.advance(60_000);
    expect(telemetry.records).toMatchObject([
      {
        kind: 'tcp',
        protocol: 'UDP',
        listener: 'dns',
        cluster: 'c',
        upstreamAddress: `127.0.0.1:${(one.endpoint.address as { readonly port: number }).port}`,
        upstreamLabels: { workload: 'w' },
        remoteAddress: '127.0.0.1',
        remotePort: a.port,
        localAddress: '127.0.0.1',
        localPort: port,
        durationMs: 67_000,
        bytesReceived: 8,
        bytesSent: 16,
        code: '',
      },
    ]);
  });

  it('end a session that rests for longer than it may, and no other', async () => {
    const one = await origin('one');
    const { port, count, clock } = await proxyOf({ clusters: [{ name: 'c' }] }, { c: [one.endpoint] });
    const [a, b] = [await asker(port), await asker(port)];
    await a.ask('x');
    await b.ask('x');
    await clock.advance(50_000);
    await a.ask('x');
    expect(count('sessions_active')).toBe(2);
    await clock.advance(10_010);
    expect([count('sessions_active'), count('sessions_idle_total')]).toEqual([1, 1]);
    await clock.advance(50_000);
    expect([count('sessions_active'), count('sessions_idle_total')]).toEqual([0, 2]);
  });

  it('begin no session beyond the bound, and none where there is no endpoint; each is counted', async () => {
    const one = await origin('one');
    const { port, count, proxy, config } = await proxyOf(
      { clusters: [{ name: 'c' }], maxSessions: 1 },
      { c: [one.endpoint] },
    );
    const [a, b] = [await asker(port), await asker(port)];
    await a.ask('x');
    b.tell('x');
    await until(() => count('datagrams_dropped_total', { reason: 'sessions' }) === 1);
    expect(await a.ask('y')).toBe('one y');
    await proxy.update({ ...config({ maxSessions: 2 }, { c: [] }), version: '2' });
    b.tell('x');
    await until(() => count('datagrams_dropped_total', { reason: 'endpoint' }) === 1);
  });

  it('of a caller with port 0 are passed on, and what is answered goes nowhere', async () => {
    const one = await origin('one');
    const { port, count } = await proxyOf({ clusters: [{ name: 'c' }] }, { c: [one.endpoint] });
    const a = await asker(port);
    const restore = nextFromPort0();
    a.tell('x');
    await until(() => count('datagrams_dropped_total', { reason: 'port' }) === 1);
    restore();
    expect(one.callers.size).toBe(1);
    expect(await a.ask('y')).toBe('one y');
  });

  it('begin no session where there is no port to send from', async () => {
    const one = await origin('one');
    // RFC 5737: nobody has it.
    const { port, count } = await proxyOf(
      { clusters: [{ name: 'c' }] },
      { c: [one.endpoint] },
      { pool: { sourceAddress: '192.0.2.1' } },
    );
    (await asker(port)).tell('x');
    await until(() => count('datagrams_dropped_total', { reason: 'endpoint' }) === 1);
    expect(
      ['sessions_total', 'sessions_active', 'sessions_endpoint_gone_total'].map((n) => count(n)),
    ).toEqual([0, 0, 0]);
  });

  it('go elsewhere once their endpoint is gone from its cluster, by discovery or since nobody listens there', async () => {
    const [one, two] = [await origin('one'), await origin('two')];
    const { port, count, proxy, config } = await proxyOf(
      { clusters: [{ name: 'c' }] },
      { c: [one.endpoint] },
    );
    const a = await asker(port);
    expect(await a.ask('x')).toBe('one x');
    await proxy.update({ ...config({}, { c: [two.endpoint] }), version: '2' });
    expect(await a.ask('x')).toBe('two x');
    expect(count('sessions_endpoint_gone_total')).toBe(1);
    // A port that nobody has: the kernel says so, and the session is over.
    const gone = createSocket('udp4');
    gone.bind(0, '127.0.0.1');
    await once(gone, 'listening');
    const address = { host: '127.0.0.1', port: portOf(gone) };
    gone.close();
    await proxy.update({ ...config({}, { c: [{ address, mode: 'none' }] }), version: '3' });
    a.tell('x');
    await until(() => count('sessions_endpoint_gone_total') === 3);
    expect(count('sessions_active')).toBe(0);
  });

  it('are split between clusters by weight, session by session; one that loses its weight loses its sessions', async () => {
    const [one, two] = [await origin('one'), await origin('two')];
    const clusters = { a: [one.endpoint], b: [two.endpoint] };
    const { port, proxy, config, count } = await proxyOf(
      {
        clusters: [
          { name: 'a', weight: 1 },
          { name: 'b', weight: 3 },
        ],
      },
      clusters,
    );
    const caller = await asker(port);
    // Chance is half: within the three quarters of b.
    expect(await caller.ask('x')).toBe('two x');
    const shares = [
      { name: 'a', weight: 1 },
      { name: 'b', weight: 0 },
    ];
    await proxy.update({ ...config({ clusters: shares }), version: '2' });
    expect(count('sessions_active')).toBe(0);
    expect(await caller.ask('x')).toBe('one x');
  });

  it('are served on while the proxy drains, until no session is left or the time is over', async () => {
    const one = await origin('one');
    const { port, proxy, clock, count } = await proxyOf({ clusters: [{ name: 'c' }] }, { c: [one.endpoint] });
    const a = await asker(port);
    await a.ask('x');
    let drained = false;
    const done = proxy.drain({ windowMs: 5_000 }).then(() => (drained = true));
    await clock.settle();
    expect(await a.ask('y')).toBe('one y');
    expect(drained).toBe(false);
    await clock.advance(5_000);
    await done;
    expect(count('sessions_total')).toBe(1);
  });

  it('are refused with every fault where a listener says what is for connections, and where its address is taken', async () => {
    const one = await origin('one');
    const { proxy, config } = await proxyOf({ clusters: [{ name: 'c' }] }, { c: [one.endpoint] });
    const [listener] = config().listeners;
    if (listener === undefined) throw new Error('none');
    const faulty = { ...listener, maxConnections: 5, udp: { clusters: [] } };
    await expect(proxy.update({ ...config(), version: '2', listeners: [faulty] })).rejects.toMatchObject({
      issues: [{ path: '/listeners/0/maxConnections' }, { path: '/listeners/0/udp/clusters' }],
    });
    const taken = {
      ...listener,
      name: 'other',
      address: { host: '127.0.0.1', port: portOf(await socket()) },
    };
    await expect(proxy.update({ ...config(), version: '2', listeners: [listener, taken] })).rejects.toThrow(
      /in use/,
    );
    expect(Object.keys(proxy.addresses())).toEqual(['dns']);
  });

  it('and connections may have one address', async () => {
    const one = await origin('one');
    const { proxy, config } = await proxyOf({ clusters: [{ name: 'c' }] }, { c: [one.endpoint] });
    const [listener] = config().listeners;
    if (listener === undefined) throw new Error('none');
    const chain = { name: 'x', handler: { kind: 'tcp', clusters: [{ name: 'c' }] } } as const;
    const tcp = { name: 'tcp', address: { host: '127.0.0.1', port: 0 }, filterChains: [chain] };
    await proxy.update({ ...config(), version: '2', listeners: [tcp] });
    // A port that nobody has for connections, of whom there are more.
    const address = proxy.addresses()['tcp'];
    if (address === undefined || 'path' in address) throw new Error('not bound');
    await proxy.update({ ...config(), version: '3', listeners: [tcp, { ...listener, address }] });
    expect(proxy.addresses()).toEqual({ dns: address, tcp: address });
    expect(await (await asker(address.port)).ask('x')).toBe('one x');
    const twice = [tcp, { ...listener, address }, { ...listener, name: 'again', address }];
    await expect(proxy.update({ ...config(), version: '4', listeners: twice })).rejects.toThrow(
      /listener dns has the address/,
    );
  });
});
