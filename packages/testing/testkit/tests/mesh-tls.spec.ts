import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { createCa, localIdentity, memoryStore, type Ca, type LocalIdentity } from '@tulle/ca';
import type { Cluster, UpstreamTls } from '@tulle/model';
import { createProxy, httpListener, route, type Proxy, type ProxyOptions } from '@tulle/proxy';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { memoryLog, memoryTelemetry, type MemoryTelemetry } from '../src/index.ts';

const trustDomain = 'mesh.test';
const spiffeId = (name: string): string => `spiffe://${trustDomain}/ns/default/sa/${name}`;

interface Pair {
  readonly caller: MemoryTelemetry;
  readonly called: MemoryTelemetry;
  /** Of each handshake that the wire saw: whether the server took a session up again. */
  readonly resumed: readonly boolean[];
  /** Connections between the two now. */
  open(): number;
  /** The app has a request that it never answers. */
  readonly atWork: Promise<void>;
  ask(path?: string, method?: string): Promise<{ readonly status: number; readonly body: string }>;
}

describe('two proxies with identities of one CA', () => {
  let ca: Ca;
  const stops: (() => unknown)[] = [];
  const identities: LocalIdentity[] = [];
  beforeEach(async () => {
    ca = await createCa({ trustDomain, store: memoryStore() });
    stops.push(() => ca.close());
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).toReversed()) await stop();
    identities.length = 0;
  });

  async function proxy(name: string, options: ProxyOptions): Promise<[Proxy, MemoryTelemetry]> {
    const identity = localIdentity(ca, { spiffeId: spiffeId(name) });
    stops.push(() => identity.close());
    identities.push(identity);
    await identity.ready();
    const telemetry = memoryTelemetry();
    const made = createProxy({ log: memoryLog(), identity, telemetry: [telemetry], ...options });
    await made.start();
    stops.push(() => made.stop());
    return [made, telemetry];
  }
  const portOf = (of: Proxy, listener: string): number => (of.addresses()[listener] as { port: number }).port;

  /** @param expected what the caller expects the other end to prove */
  async function pair(
    expected: string,
    tls: Partial<UpstreamTls> = {},
    pool: Cluster['pool'] = { maxRequestsPerConnection: 1 },
  ): Promise<Pair> {
    const atWork = Promise.withResolvers<void>();
    const app = http
      .createServer((request, response) => {
        if (request.url === '/never') atWork.resolve();
        else response.end('from the app');
      })
      .listen(0, '127.0.0.1');
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
          ...(pool === undefined ? {} : { pool }),
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
      open: wire.open,
      atWork: atWork.promise,
      async ask(path = '/', method = 'GET') {
        const response = await fetch(`http://127.0.0.1:${portOf(client, 'outbound')}${path}`, { method });
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

  it('end what stands on a root that is removed, idle or at work, and resume no session of before', async () => {
    const { ask, resumed, open, atWork } = await pair('reviews', {}, {});
    expect((await ask()).status).toBe(200);
    await ca.rotateRoot(); // nobody to wait for: the new one signs, and all renew
    await vi.waitFor(() => {
      expect(ca.status().rootRotation?.phase).toBe('overlapping');
      for (const identity of identities)
        expect(identity.current()?.bundles.flatMap(({ rootsPem }) => rootsPem)).toHaveLength(2);
    });
    expect((await ask()).status).toBe(200);
    expect(resumed).toHaveLength(1); // over the connection of before, which is believed still
    const never = ask('/never', 'POST'); // a GET would be sent again over another connection
    await atWork;
    await ca.removeOldRoot();
    expect((await never).status).toBe(503);
    await vi.waitFor(() => expect(open()).toBe(0));
    expect((await ask()).status).toBe(200);
    expect(resumed).toEqual([false, false]);
  });
});

/** Passes connections on and reads each ServerHello, which is in clear (RFC 8446 §4.1.3). */
async function wiretap(
  to: number,
): Promise<{ readonly port: number; readonly resumed: boolean[]; open(): number; close(): void }> {
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
    open: () => [...sockets].filter((socket) => !socket.destroyed).length / 2,
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
