import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { createCa, localIdentity, memoryStore, type Ca, type SecretStore } from '@tulle/ca';
import type { IdentitySnapshot } from '@tulle/model';
import { createProxy, httpListener, route, type Proxy, type ProxyOptions } from '@tulle/proxy';
import { systemClock } from '@tulle/time';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { memoryLog, memoryTelemetry, type MemoryTelemetry } from '../src/index.ts';

const hour = 3_600_000;
const trustDomain = 'mesh.test';
const idOf = (name: string): string => `spiffe://${trustDomain}/ns/default/sa/${name}`;

/** Who presents itself, and the word by which it is refused; each is judged by a whole engine, as caller and as called. */
const peers: readonly [string, string | undefined, (mesh: Mesh) => Promise<IdentitySnapshot>][] = [
  ['a member of the mesh', undefined, async ({ store }) => certified({ store })],
  ['an expired certificate', 'expired', async ({ store }) => certified({ store, offMs: -48 * hour })],
  [
    'a certificate of the future',
    'not-yet-valid',
    async ({ store }) => certified({ store, offMs: 2 * hour }),
  ],
  ["a foreign CA's, of the same name", 'unknown-issuer', async () => certified({ store: memoryStore() })],
  ['a foreign trust domain', 'wrong-trust-domain', async () => certified({ domain: 'other.test' })],
];

interface Mesh {
  readonly store: SecretStore;
}

/** A certificate of a CA whose clock is off, or that is not ours. */
async function certified({
  store = memoryStore(),
  offMs = 0,
  domain = trustDomain,
}: {
  readonly store?: SecretStore;
  readonly offMs?: number;
  readonly domain?: string;
}): Promise<IdentitySnapshot> {
  const real = systemClock();
  const clock = { ...real, nowMs: () => real.nowMs(), epochMs: () => real.epochMs() + offMs };
  const ca = await createCa({ trustDomain: domain, store, clock });
  const identity = localIdentity(ca, { spiffeId: `spiffe://${domain}/ns/default/sa/peer`, clock });
  const snapshot = await identity.ready();
  identity.close();
  await ca.close();
  return snapshot;
}

describe('a proxy refuses', () => {
  const store = memoryStore();
  let ca: Ca;
  const stops: (() => unknown)[] = [];
  beforeAll(async () => {
    // Root and issuer are older than the certificates that have expired.
    ca = await createCa({ trustDomain, store, clockSkewMs: 96 * hour });
  });
  afterAll(() => ca.close());
  afterEach(async () => {
    for (const stop of stops.splice(0).toReversed()) await stop();
  });

  async function proxy(options: ProxyOptions): Promise<[Proxy, MemoryTelemetry]> {
    const identity = localIdentity(ca, { spiffeId: idOf('own') });
    stops.push(() => identity.close());
    await identity.ready();
    const telemetry = memoryTelemetry();
    const made = createProxy({ log: memoryLog(), identity, telemetry: [telemetry], ...options });
    await made.start();
    stops.push(() => made.stop());
    return [made, telemetry];
  }

  it.each(peers)('as server, a client with %s: %s', async (_what, reason, make) => {
    const { svid } = await make({ store });
    const [server, telemetry] = await proxy({
      listeners: [
        httpListener({
          name: 'inbound',
          port: 0,
          direction: 'inbound',
          tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' }, clientCertificate: 'require' },
          routes: [route('/', 'nowhere')],
        }),
      ],
      clusters: [{ name: 'nowhere', discovery: { kind: 'static', endpoints: [] } }],
    });
    const socket = connect({
      host: '127.0.0.1',
      port: (server.addresses()['inbound'] as { port: number }).port,
      cert: svid.certificateChainPem,
      key: svid.privateKeyPem,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    });
    let text = '';
    socket.on('error', () => undefined);
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece));
    socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'));
    await once(socket, 'close');
    // The member's request is answered, with 503: nobody is behind it.
    const requests = telemetry.records.filter(({ kind }) => kind === 'http');
    expect([text.slice(0, 12), requests.length]).toEqual(
      reason === undefined ? ['HTTP/1.1 503', 1] : ['', 0],
    );
    const counted = { reason: reason ?? 'unknown-issuer' };
    expect(telemetry.meter.value('tulle_tls_refused_total', counted)).toBe(reason === undefined ? 0 : 1);
  });

  it.each(peers)('as client, a server with %s: %s', async (_what, reason, make) => {
    const { svid } = await make({ store });
    let asked = 0;
    const sockets = new Set<TLSSocket>();
    const server = createServer({
      cert: svid.certificateChainPem,
      key: svid.privateKeyPem,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    });
    server.on('tlsClientError', () => undefined);
    server.on('secureConnection', (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', () => {
        asked++;
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    stops.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const [client, telemetry] = await proxy({
      listeners: [httpListener({ name: 'outbound', port: 0, routes: [route('/', 'peer')] })],
      clusters: [
        {
          name: 'peer',
          tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' } },
          discovery: {
            kind: 'static',
            endpoints: [
              {
                address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
                mode: 'sidecar',
                identity: svid.spiffeId,
              },
            ],
          },
        },
      ],
    });
    const { port } = client.addresses()['outbound'] as { port: number };
    const { status } = await fetch(`http://127.0.0.1:${port}/`);
    expect([status, asked > 0]).toEqual(reason === undefined ? [200, true] : [503, false]);
    const refused = telemetry.meter.value('tulle_tls_refused_total', { reason: reason ?? 'unknown-issuer' });
    if (reason === undefined) expect(refused).toBe(0);
    else expect(refused).toBeGreaterThan(0);
  });
});
