import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { createCa, localIdentity, memoryStore, type Ca } from '@tulle/ca';
import type { UpstreamTls } from '@tulle/model';
import { createProxy, httpListener, route, type Proxy, type ProxyOptions } from '@tulle/proxy';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryLog, memoryTelemetry, type MemoryTelemetry } from '../src/index.ts';

const trustDomain = 'mesh.test';
const spiffeId = (name: string): string => `spiffe://${trustDomain}/ns/default/sa/${name}`;

interface Pair {
  readonly caller: MemoryTelemetry;
  readonly called: MemoryTelemetry;
  /** Of each handshake that the wire saw: whether the server took a session up again. */
  readonly resumed: readonly boolean[];
  ask(): Promise<{ readonly status: number; readonly body: string }>;
}

describe('two proxies with identities of one CA', () => {
  let ca: Ca;
  const stops: (() => unknown)[] = [];
  beforeEach(async () => {
    ca = await createCa({ trustDomain, store: memoryStore() });
    stops.push(() => ca.close());
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).toReversed()) await stop();
  });

  async function proxy(name: string, options: ProxyOptions): Promise<[Proxy, MemoryTelemetry]> {
    const identity = localIdentity(ca, { spiffeId: spiffeId(name) });
    stops.push(() => identity.close());
    await identity.ready();
    const telemetry = memoryTelemetry();
    const made = createProxy({ log: memoryLog(), identity, telemetry: [telemetry], ...options });
    await made.start();
    stops.push(() => made.stop());
    return [made, telemetry];
  }
  const portOf = (of: Proxy, listener: string): number => (of.addresses()[listener] as { port: number }).port;

  /** @param expected what the caller expects the other end to prove */
  async function pair(expected: string, tls: Partial<UpstreamTls> = {}): Promise<Pair> {
    const app = http.createServer((_, response) => response.end('from the app')).listen(0, '127.0.0.1');
    await once(app, 'listening');
    stops.push(() => {
      app.close();
      app.closeAllConnections();
    });
    const [server, called] = await proxy('reviews', {
      listeners: [
        httpListener({
          name: 'inbound',
          port: 0,
          direction: 'inbound',
          tls: {
            certificate: { kind: 'workload' },
            trust: { kind: 'mesh' },
            clientCertificate: 'require',
          },
          routes: [route('/', 'app')],
        }),
      ],
      clusters: [
        {
          name: 'app',
          discovery: {
            kind: 'static',
            endpoints: [{ address: { host: '127.0.0.1', port: (app.address() as AddressInfo).port } }],
          },
        },
      ],
    });
    const wire = await wiretap(portOf(server, 'inbound'));
    stops.push(wire.close);
    const [client, caller] = await proxy('front', {
      listeners: [httpListener({ name: 'outbound', port: 0, routes: [route('/', 'reviews')] })],
      clusters: [
        {
          name: 'reviews',
          tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' }, ...tls },
          pool: { maxRequestsPerConnection: 1 },
          discovery: {
            kind: 'static',
            endpoints: [
              {
                address: { host: '127.0.0.1', port: wire.port },
                mode: 'sidecar',
                identity: spiffeId(expected),
              },
            ],
          },
        },
      ],
    });
    return {
      caller,
      called,
      resumed: wire.resumed,
      async ask() {
        const response = await fetch(`http://127.0.0.1:${portOf(client, 'outbound')}/`);
        return { status: response.status, body: await response.text() };
      },
    };
  }

  it('believe each other through an issuer between leaf and root', async () => {
    const { ask, caller, called } = await pair('reviews');
    expect(await ask()).toEqual({ status: 200, body: 'from the app' });
    expect(called.records.map(({ peerIdentity, tls }) => [peerIdentity, tls])).toEqual([
      [spiffeId('front'), true],
    ]);
    expect(caller.records[0]?.upstreamIdentity).toBe(spiffeId('reviews'));
    expect(called.meter.value('tulle_tls_refused_total')).toBe(0);
  });

  it('give no byte to an endpoint that proves another id than the expected one', async () => {
    const { ask, caller, called } = await pair('somebody-else');
    expect((await ask()).status).toBe(503);
    expect(called.records).toEqual([]);
    expect(caller.meter.value('tulle_tls_refused_total', { reason: 'unexpected-identity' })).toBeGreaterThan(
      0,
    );
  });

  it('resume a session on the next connection, unless told to make a full handshake each time', async () => {
    const { ask, resumed } = await pair('reviews');
    for (let i = 0; i < 3; i++) expect((await ask()).status).toBe(200);
    expect(resumed).toEqual([false, true, true]);
    const full = await pair('reviews', { sessionResumption: false });
    for (let i = 0; i < 3; i++) expect((await full.ask()).status).toBe(200);
    expect(full.resumed).toEqual([false, false, false]);
  });
});

/** Passes connections on and reads each ServerHello, which is in clear (RFC 8446 §4.1.3). */
async function wiretap(
  to: number,
): Promise<{ readonly port: number; readonly resumed: boolean[]; close(): void }> {
  const resumed: boolean[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer((near) => {
    const far = net.connect(to, '127.0.0.1');
    far.once('data', (bytes) => resumed.push(serverHelloResumes(bytes)));
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => {}).on('close', () => other.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    resumed,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Whether it has the extension `pre_shared_key` (41). */
function serverHelloResumes(bytes: Buffer): boolean {
  expect([bytes[0], bytes[5]]).toEqual([22, 2]); // a handshake record that begins with a ServerHello
  let at = 9 + 2 + 32;
  at += 1 + bytes.readUInt8(at); // session id
  at += 2 + 1; // cipher suite, compression
  const end = at + 2 + bytes.readUInt16BE(at);
  for (at += 2; at < end; at += 4 + bytes.readUInt16BE(at + 2))
    if (bytes.readUInt16BE(at) === 41) return true;
  return false;
}
