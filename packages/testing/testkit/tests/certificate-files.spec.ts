import { once } from 'node:events';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { createCa, memoryStore, type Ca } from '@tulle/ca';
import type { DownstreamTls, UpstreamTls } from '@tulle/model';
import { createProxy, httpListener, nodeTransport, route, type Proxy } from '@tulle/proxy';
import { createKeyAndCsr } from '@tulle/spiffe';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { memoryLog } from '../src/index.ts';

const SERVER = 'spiffe://mesh.test/ns/default/sa/server';
const CLIENT = 'spiffe://mesh.test/ns/default/sa/client';
const patient = { timeout: 10_000, interval: 10 };

describe('TLS with certificates in files', () => {
  let ca: Ca;
  let foreignCa: Ca;
  let directory = '';
  const open: Proxy[] = [];

  beforeAll(async () => {
    ca = await createCa({ trustDomain: 'mesh.test', store: memoryStore() });
    foreignCa = await createCa({ trustDomain: 'mesh.test', store: memoryStore() });
  });
  afterAll(async () => {
    await ca.close();
    await foreignCa.close();
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tulle-certificate-files-'));
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((proxy) => proxy.stop()));
    await rm(directory, { recursive: true });
  });

  const fileOf = (name: string): string => join(directory, name);
  async function replace(name: string, text: string): Promise<void> {
    await writeFile(fileOf(`${name}.new`), text);
    await rename(fileOf(`${name}.new`), fileOf(name));
  }
  /** Writes `<name>.pem` and `<name>.key`. */
  async function issue(name: string, spiffeId: string, by: Ca = ca): Promise<void> {
    const { csrDer, privateKeyPem } = await createKeyAndCsr(spiffeId);
    const { certificateChainPem } = await by.issueLocal(spiffeId, csrDer);
    await replace(`${name}.key`, privateKeyPem);
    await replace(`${name}.pem`, certificateChainPem);
  }
  const trust = (by: Ca): Promise<void> =>
    replace(
      'roots.pem',
      by
        .published()
        .bundles.flatMap(({ rootsPem }) => rootsPem)
        .join(''),
    );
  const source = (name: string) => ({
    certificate: {
      kind: 'files' as const,
      certificateFile: fileOf(`${name}.pem`),
      keyFile: fileOf(`${name}.key`),
    },
    trust: { kind: 'files' as const, caFile: fileOf('roots.pem') },
  });

  async function server(tls: Partial<DownstreamTls> = {}) {
    const errors: string[] = [];
    const proxy = createProxy({
      log: memoryLog(),
      transport: nodeTransport({ certificateWatchMs: 10, onError: (message) => errors.push(message) }),
      listeners: [
        httpListener({
          name: 'mesh',
          port: 0,
          tls: { ...source('server'), ...tls },
          routes: [route('/', { kind: 'direct', status: 200, body: 'ok' })],
        }),
      ],
    });
    await proxy.start();
    open.push(proxy);
    return { port: (proxy.addresses()['mesh'] as { port: number }).port, errors };
  }

  /** A proxy towards a server; each request needs a connection of its own. */
  async function client(port: number, tls: Partial<UpstreamTls> = {}) {
    const proxy = createProxy({
      log: memoryLog(),
      transport: nodeTransport({ certificateWatchMs: 10 }),
      listeners: [httpListener({ name: 'local', port: 0, routes: [route('/', 'server')] })],
      clusters: [
        {
          name: 'server',
          discovery: { kind: 'static', endpoints: [{ address: { host: '127.0.0.1', port } }] },
          tls: { ...source('client'), allowedIds: [SERVER], ...tls },
          pool: { maxRequestsPerConnection: 1 },
        },
      ],
    });
    await proxy.start();
    open.push(proxy);
    return (proxy.addresses()['local'] as { port: number }).port;
  }
  const status = async (port: number): Promise<number> => (await fetch(`http://127.0.0.1:${port}/`)).status;

  async function serialAt(port: number): Promise<string> {
    const socket = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    try {
      await once(socket, 'secureConnect');
      return socket.getPeerCertificate().serialNumber;
    } finally {
      socket.destroy();
    }
  }

  it('lets in whom the roots vouch for, on both sides, and checks the SPIFFE id', async () => {
    await Promise.all([trust(ca), issue('server', SERVER), issue('client', CLIENT)]);
    const any = await server();
    expect(await status(await client(any.port))).toBe(200);
    expect(await status(await client(any.port, { allowedIds: [CLIENT] }))).toBe(503);
    const choosy = await server({ allowedIds: ['spiffe://mesh.test/ns/other/*'] });
    expect(await status(await client(choosy.port))).toBe(503);
    await issue('client', CLIENT, foreignCa);
    expect(await status(await client(any.port))).toBe(503);
  });

  it('believes nobody of an empty file of roots: refused at start, and later those before stay', async () => {
    await Promise.all([trust(ca), issue('server', SERVER), issue('client', CLIENT)]);
    const mesh = await server();
    await replace('roots.pem', '');
    await vi.waitFor(() => expect(mesh.errors.join()).toContain('holds no certificate'), patient);
    await trust(ca);
    expect(await status(await client(mesh.port))).toBe(200);
    await replace('roots.pem', '# none yet\n');
    await expect(server()).rejects.toThrow(/holds no certificate: roots are wanted in PEM/);
  });

  it('refuses a further certificate that is no pair with its key when it is loaded, not in a handshake', async () => {
    await Promise.all([trust(ca), issue('server', SERVER), issue('client', CLIENT)]);
    const { certificateFile } = source('server').certificate;
    const { keyFile } = source('client').certificate;
    const crossed = { kind: 'files' as const, certificateFile, keyFile };
    await expect(server({ moreCertificates: [crossed] })).rejects.toThrow(/key/i);
  });

  it('tells the service what the caller’s certificate says, as Envoy does', async () => {
    await Promise.all([trust(ca), issue('server', SERVER), issue('client', CLIENT)]);
    const saw = { name: 'x-saw', value: '%REQ(x-forwarded-client-cert)%', format: true };
    const proxy = createProxy({
      log: memoryLog(),
      transport: nodeTransport({ certificateWatchMs: 10 }),
      listeners: [
        httpListener({
          name: 'mesh',
          port: 0,
          tls: source('server'),
          forwarding: {
            client: 'peer',
            clientCertificate: 'append',
            certificateParts: ['uri', 'subject', 'dns'],
          },
          routes: [
            {
              name: 'echo',
              match: { path: { kind: 'prefix', value: '/' } },
              action: { kind: 'direct', status: 200 },
              responseHeaders: { add: [saw] },
            },
          ],
        }),
      ],
    });
    await proxy.start();
    open.push(proxy);
    const { port } = proxy.addresses()['mesh'] as { port: number };
    const [cert, key] = await Promise.all(
      ['client.pem', 'client.key'].map(async (name) => readFile(fileOf(name))),
    );
    const socket = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false, cert, key });
    await once(socket, 'secureConnect');
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    agent.createConnection = () => socket;
    const request = http.get({
      host: '127.0.0.1',
      port,
      agent,
      headers: { 'x-forwarded-client-cert': 'Hash=0' },
    });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const { fingerprint256, subject } = new X509Certificate(cert as Buffer);
    expect(response.headers['x-saw']).toBe(
      `Hash=0,By=${SERVER};Hash=${fingerprint256.replaceAll(':', '').toLowerCase()};Subject="${subject ?? ''}";URI=${CLIENT}`,
    );
    response.resume();
    agent.destroy();
  });

  it('shows a renewed certificate to new connections, and leaves open ones alone', async () => {
    await Promise.all([trust(ca), issue('server', SERVER), issue('client', CLIENT)]);
    const { port } = await server({ clientCertificate: 'none' });
    const socket = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const before = socket.getPeerCertificate().serialNumber;
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    agent.createConnection = () => socket;
    const ask = async (): Promise<string> => {
      const request = http.get({ host: '127.0.0.1', port, agent });
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      return Buffer.concat(await response.toArray()).toString();
    };
    expect(await ask()).toBe('ok');
    await issue('server', SERVER);
    await vi.waitFor(async () => expect(await serialAt(port)).not.toBe(before), patient);
    expect(await ask()).toBe('ok');
    expect(socket.destroyed).toBe(false);
    agent.destroy();
  });

  it('shows a renewed certificate of its own as a client', async () => {
    await Promise.all([trust(ca), issue('server', SERVER), issue('client', CLIENT, foreignCa)]);
    const { port } = await server();
    const local = await client(port);
    expect(await status(local)).toBe(503);
    await issue('client', CLIENT);
    await vi.waitFor(async () => expect(await status(local)).toBe(200), patient);
  });

  it('believes other roots once their file says so', async () => {
    await Promise.all([trust(ca), issue('server', SERVER), issue('client', CLIENT)]);
    const { port } = await server();
    const local = await client(port, { trust: { kind: 'inline', caPem: rootOf(ca) } });
    expect(await status(local)).toBe(200);
    await trust(foreignCa);
    await vi.waitFor(async () => expect(await status(local)).toBe(503), patient);
  });

  it.each([
    ['no PEM', async () => replace('server.pem', 'nothing')],
    [
      'a key of another certificate',
      async () => replace('server.key', (await createKeyAndCsr(SERVER)).privateKeyPem),
    ],
    ['gone', async () => rm(fileOf('server.pem'))],
  ])(
    'keeps what it has when a file is %s, says so, and takes the next that is whole',
    async (_what, spoil) => {
      await Promise.all([trust(ca), issue('server', SERVER)]);
      const { port, errors } = await server({ clientCertificate: 'none' });
      const before = await serialAt(port);
      await spoil();
      await vi.waitFor(() => expect(errors.join('\n')).toContain(fileOf('server.pem')), patient);
      expect(await serialAt(port)).toBe(before);
      await issue('server', SERVER);
      await vi.waitFor(async () => expect(await serialAt(port)).not.toBe(before), patient);
    },
  );
});

const rootOf = (ca: Ca): string =>
  ca
    .published()
    .bundles.flatMap(({ rootsPem }) => rootsPem)
    .join('');
