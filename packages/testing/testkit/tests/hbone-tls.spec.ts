import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createCa, localIdentity, memoryStore, type Ca, type LocalIdentity } from '@tulle/ca';
import type { Endpoint } from '@tulle/model';
import { cluster, createProxy, tcpListener, type Proxy, type ProxyOptions } from '@tulle/proxy';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryLog, memoryTelemetry, type MemoryTelemetry } from '../src/index.ts';

const id = (name: string): string => `spiffe://mesh.test/ns/default/sa/${name}`;
const TLS = { certificate: { kind: 'workload' }, trust: { kind: 'mesh' } } as const;

const stops: (() => unknown)[] = [];
let ca: Ca;
beforeEach(async () => {
  ca = await createCa({ trustDomain: 'mesh.test', store: memoryStore() });
  stops.push(() => ca.close());
});
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => void sockets.add(socket));
  stops.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

interface Member {
  readonly proxy: Proxy;
  readonly identity: LocalIdentity;
  readonly telemetry: MemoryTelemetry;
}

async function member(name: string, options: ProxyOptions): Promise<Member> {
  const identity = localIdentity(ca, { spiffeId: id(name) });
  stops.push(() => identity.close());
  await identity.ready();
  const telemetry = memoryTelemetry();
  const proxy = createProxy({ log: memoryLog(), identity, telemetry: [telemetry], ...options });
  await proxy.start();
  stops.push(() => proxy.stop());
  return { proxy, identity, telemetry };
}

const portOf = (proxy: Proxy): number => (Object.values(proxy.addresses())[0] as { port: number }).port;

/** Between the two proxies: keeps what passes, and counts connections. */
async function wire(
  to: number,
): Promise<{ readonly port: number; readonly seen: Buffer[]; connections: number }> {
  const seen: Buffer[] = [];
  const relay = createServer((near) => {
    tap.connections++;
    const far = connect(to, '127.0.0.1');
    for (const [from, other] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (bytes: Buffer) => void seen.push(bytes));
      from.on('error', () => other.destroy());
      from.pipe(other);
    }
  });
  const tap = { port: await listening(relay), seen, connections: 0 };
  return tap;
}

/** Sends, and gives what comes back up to the end. */
async function ask(port: number, bytes: Buffer): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1');
  socket.end(bytes);
  const pieces: Buffer[] = [];
  for await (const piece of socket) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

describe('HBONE on real sockets', () => {
  async function pair(expected = 'db'): Promise<{
    readonly web: Member;
    readonly db: Member;
    readonly tap: Awaited<ReturnType<typeof wire>>;
    readonly port: number;
  }> {
    const app = createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket));
    const appPort = await listening(app);
    const db = await member('db', {
      listeners: [
        {
          name: 'hbone',
          address: { host: '127.0.0.1', port: 0 },
          hbone: { tls: { ...TLS, clientCertificate: 'require' } },
          filterChains: [
            {
              name: 'workload',
              match: { destinationCidrs: ['127.0.0.1/32'] },
              handler: { kind: 'tcp', clusters: [{ name: 'workload' }] },
            },
          ],
        },
      ],
      clusters: [{ name: 'workload', discovery: { kind: 'original-dst' } }],
    });
    const tap = await wire(portOf(db.proxy));
    const endpoint: Endpoint = {
      address: { host: '127.0.0.1', port: appPort },
      mode: 'hbone',
      identity: id(expected),
      tunnel: { address: { host: '127.0.0.1', port: tap.port } },
    };
    const web = await member('web', {
      listeners: [tcpListener({ port: 0, cluster: 'db' })],
      clusters: [cluster('db', [endpoint], { tls: TLS })],
    });
    return { web, db, tap, port: portOf(web.proxy) };
  }

  it('carries large streams at a time over one connection of mutual TLS, and nothing of them in plain text', async () => {
    const { web, db, tap, port } = await pair();
    const bodies = Array.from({ length: 8 }, (_, at) => Buffer.alloc(700_000, `secret ${at} `));
    const answers = await Promise.all(bodies.map(async (body) => ask(port, body)));
    for (const [at, answer] of answers.entries()) expect(answer.equals(bodies[at] as Buffer)).toBe(true);
    expect(tap.connections).toBe(1);
    const passed = Buffer.concat(tap.seen);
    expect(passed.length).toBeGreaterThan(2 * 8 * 700_000);
    for (const word of ['secret', 'CONNECT', '127.0.0.1']) expect(passed.includes(word)).toBe(false);
    expect(db.telemetry.records.map(({ peerIdentity }) => peerIdentity)).toEqual(bodies.map(() => id('web')));
    expect(web.telemetry.records[0]?.upstreamIdentity).toBe(id('db'));
  });

  it('hangs up on a peer that proves to be another', async () => {
    const { web, db, port } = await pair('other');
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('close', resolve));
    expect(web.telemetry.records[0]?.code).toBe('TULLE_UPSTREAM_IDENTITY');
    expect(db.telemetry.records).toEqual([]);
  });
});
