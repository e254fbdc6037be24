import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, connect as connectHttp2, type ServerHttp2Session } from 'node:http2';
import { createSecureServer } from 'node:http2';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCa, memoryStore, type Ca } from '@tulle/ca';
import type { IdentitySnapshot } from '@tulle/model';
import { controlPlaneId, createKeyAndCsr, identityHolder } from '@tulle/spiffe';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { identityDirectory, serveXdsTunnel, type XdsTunnel } from '../src/index.ts';

let directory: string;
let ca: Ca;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tgseat-'));
  ca = await createCa({ trustDomain: 'mesh.test', store: memoryStore() });
});
afterEach(async () => {
  await ca.close();
  rmSync(directory, { recursive: true });
});

async function identityOf(spiffeId: string): Promise<IdentitySnapshot> {
  const { csrDer, privateKeyPem } = await createKeyAndCsr(spiffeId);
  const issued = await ca.issueLocal(spiffeId, csrDer);
  return {
    svid: { ...issued, spiffeId, privateKeyPem } as unknown as IdentitySnapshot['svid'],
    bundles: issued.bundles,
  };
}
const WEB = 'spiffe://mesh.test/ns/default/sa/web';

describe('an identity as files', () => {
  it('is one whole at any moment, for this user alone, under names that stay', async () => {
    const files = await identityDirectory(join(directory, 'identity'));
    const [first, second] = [await identityOf(WEB), await identityOf(WEB)];
    await files.write(first);
    const read = (): string[] =>
      [files.certificateFile, files.keyFile, files.rootsFile].map((file) => readFileSync(file, 'utf8'));
    const of = ({ svid, bundles }: IdentitySnapshot): string[] => [
      svid.certificateChainPem,
      svid.privateKeyPem,
      bundles.flatMap(({ rootsPem }) => rootsPem).join(''),
    ];
    expect(read()).toEqual(of(first));
    expect((statSync(files.keyFile).mode & 0o777).toString(8)).toBe('600');
    expect((statSync(join(directory, 'identity')).mode & 0o777).toString(8)).toBe('700');
    await Promise.all([files.write(first), files.write(second)]);
    expect(read()).toEqual(of(second));
    // The one before stays for whoever reads it just now; no older one does.
    expect(readdirSync(join(directory, 'identity')).toSorted()).toEqual(['current', 'v2', 'v3']);
    // Another run goes on from there.
    const again = await identityDirectory(join(directory, 'identity'));
    await again.write(first);
    expect(read()).toEqual(of(first));
  });
});

describe('the tunnel to the control plane', () => {
  let tunnel: XdsTunnel | undefined;
  const servers: { close(): unknown }[] = [];
  const sessions = new Set<ServerHttp2Session>();
  afterEach(async () => {
    await tunnel?.close();
    tunnel = undefined;
    for (const session of sessions) session.destroy();
    sessions.clear();
    for (const server of servers.splice(0)) server.close();
  });

  /** An HTTP/2 server over mutual TLS that says who called. */
  async function serve(id: string): Promise<{ host: string; port: number }> {
    const { svid, bundles } = await identityOf(id);
    const server = createSecureServer({
      cert: svid.certificateChainPem,
      key: svid.privateKeyPem,
      ca: bundles.flatMap(({ rootsPem }) => rootsPem),
      requestCert: true,
      rejectUnauthorized: true,
    });
    server.on('session', (session) => sessions.add(session));
    server.on('stream', (stream) => {
      const { socket } = stream.session ?? {};
      stream.end(
        (socket as unknown as { getPeerCertificate(): { subjectaltname: string } }).getPeerCertificate()
          .subjectaltname,
      );
    });
    server.on('error', () => undefined);
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
    return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  }

  async function open(targets: readonly { host: string; port: number }[]): Promise<string> {
    tunnel = await serveXdsTunnel({
      path: join(directory, 'xds.sock'),
      targets,
      identity: identityHolder(await identityOf(WEB)),
      trustDomain: 'mesh.test',
    });
    return tunnel.path;
  }

  async function askThrough(path: string): Promise<string> {
    const session = connectHttp2('http://xds', { createConnection: () => connect(path) });
    try {
      const stream = session.request({ ':path': '/' });
      let text = '';
      stream.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      await Promise.race([
        once(stream, 'end'),
        once(session, 'error').then(([error]) => Promise.reject(error as Error)),
        once(session, 'close').then(() => Promise.reject(new Error('closed'))),
      ]);
      if (text === '') throw new Error('no answer');
      return text;
    } finally {
      session.destroy();
    }
  }

  it('carries HTTP/2 in clear from a socket of this user on over mutual TLS, as the workload', async () => {
    const path = await open([await serve(controlPlaneId('mesh.test'))]);
    expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
    expect(await askThrough(path)).toBe(`URI:${WEB}`);
  });

  it('goes to the next control plane where one is not there, or is another', async () => {
    const gone = createServer();
    gone.listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    const path = await open([
      { host: '127.0.0.1', port },
      await serve('spiffe://mesh.test/ns/default/sa/impostor'),
      await serve(controlPlaneId('mesh.test')),
    ]);
    expect(await askThrough(path)).toBe(`URI:${WEB}`);
  });

  it('believes nobody else, and ends the connection', async () => {
    const path = await open([await serve('spiffe://mesh.test/ns/default/sa/impostor')]);
    await expect(askThrough(path)).rejects.toThrow();
    expect(tunnel?.connections).toBe(0);
  });

  it('ends with the control plane, so that the program comes back', async () => {
    const path = await open([await serve(controlPlaneId('mesh.test'))]);
    const client = connect(path);
    await vi.waitFor(() => expect(tunnel?.connections).toBe(1));
    const closed = once(client.resume(), 'close');
    for (const session of sessions) session.destroy();
    await closed;
    await vi.waitFor(() => expect(tunnel?.connections).toBe(0));
  });
});
