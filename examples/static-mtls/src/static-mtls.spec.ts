import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect as tlsConnect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { identityOf, issueCertificates } from './certificates.ts';
import { clientSide } from './client-side.ts';
import { idOf } from './names.ts';

const main = join(import.meta.dirname, 'main.ts');

/** Runs the example's command until it says where it is. */
async function start(...args: string[]): Promise<{ child: ChildProcess; port: number; errors: string[] }> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const errors: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => errors.push(line));
  for await (const line of createInterface({ input: child.stdout })) {
    const [, port] = /side: 127\.0\.0\.1:(\d+) as spiffe:/.exec(line) ?? [];
    if (port !== undefined) return { child, port: Number(port), errors };
  }
  throw new Error(`${args.join(' ')} ended: ${errors.join('\n')}`);
}

/** One request on a connection of its own; the status, or the fault of the connection. */
async function ask(port: number, method: string, path: string): Promise<number | string> {
  const request = http.request({ host: '127.0.0.1', port, method, path, agent: false });
  request.end();
  try {
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    return response.statusCode ?? 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'failed';
  }
}

/** Serial of the certificate that the server side shows to a new caller. */
async function serialAt(port: number): Promise<string> {
  const socket = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().serialNumber;
  } finally {
    socket.destroy();
  }
}

describe('two static proxies with mutual TLS', () => {
  const seen: http.IncomingHttpHeaders[] = [];
  const origin = http.createServer((request, response) => {
    seen.push(request.headers);
    response.end('charged\n');
  });
  let certs = '';
  let server: Awaited<ReturnType<typeof start>>;
  let client: Awaited<ReturnType<typeof start>>;

  beforeAll(async () => {
    origin.listen(0, '127.0.0.1');
    await once(origin, 'listening');
    certs = await mkdtemp(join(tmpdir(), 'static-mtls-'));
    await issueCertificates(certs, ['checkout', 'payments', 'intruder']);
    const { port } = origin.address() as AddressInfo;
    const poll = ['--poll-ms', '20'];
    server = await start('server', join(certs, 'payments'), '0', `127.0.0.1:${port}`, ...poll);
    client = await start('client', join(certs, 'checkout'), '0', `127.0.0.1:${server.port}`, ...poll);
  });

  afterAll(async () => {
    for (const { child } of [client, server].filter((one) => one !== undefined)) {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      if (child.exitCode !== 0) throw new Error(`ended with ${child.exitCode ?? child.signalCode}`);
    }
    origin.closeAllConnections();
    origin.close();
    await rm(certs, { recursive: true });
  });

  it('carries a request, and tells the service who called', async () => {
    const answer = await fetch(`http://127.0.0.1:${client.port}/charges`, {
      method: 'POST',
      headers: { 'x-forwarded-client-cert': `URI=${idOf('boss')}` },
    });
    expect([answer.status, await answer.text()]).toEqual([200, 'charged\n']);
    expect(seen.at(-1)?.['x-forwarded-client-cert']).toBe(`URI=${idOf('checkout')}`);
  });

  it('lets the caller do what the policies allow, and no more', async () => {
    expect(await ask(client.port, 'GET', '/healthz')).toBe(200);
    expect(await ask(client.port, 'DELETE', '/charges')).toBe(403);
  });

  it('answers nobody without an SVID of the trust domain', async () => {
    const before = seen.length;
    expect(await ask(server.port, 'POST', '/charges')).toMatch(/^E|failed/);
    // TLS 1.3 tells a caller only after its own handshake that its certificate was missed.
    const socket = tlsConnect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false });
    socket.on('error', () => undefined);
    socket.write('GET /healthz HTTP/1.1\r\nhost: payments\r\n\r\n');
    const received: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => received.push(bytes));
    await once(socket, 'close');
    expect(Buffer.concat(received).toString()).toBe('');
    expect(seen.length).toBe(before);
  });

  it('refuses another workload of the same CA by policy, and one of a foreign CA at the handshake', async () => {
    const foreign = await mkdtemp(join(tmpdir(), 'static-mtls-foreign-'));
    const target = { host: '127.0.0.1', port: server.port };
    try {
      await issueCertificates(foreign, ['checkout']);
      const cases = [
        [join(certs, 'intruder'), 403],
        // Believes the mesh's roots, so that only the server side has a reason to refuse.
        [join(foreign, 'checkout'), 503],
      ] as const;
      await cp(join(certs, 'checkout/bundle.pem'), join(foreign, 'checkout/bundle.pem'));
      for (const [directory, status] of cases) {
        const identity = await identityOf(directory, 0);
        const proxy = clientSide({ identity, port: 0, server: target });
        await proxy.start();
        const { port } = proxy.addresses()['local'] as { port: number };
        expect(await ask(port, 'POST', '/charges')).toBe(status);
        await proxy.stop();
        identity.close();
      }
    } finally {
      await rm(foreign, { recursive: true });
    }
  });

  it('sends nothing to a server that is not payments', async () => {
    const target = await start('server', join(certs, 'intruder'), '0', '127.0.0.1:9');
    const identity = await identityOf(join(certs, 'checkout'), 0);
    const proxy = clientSide({ identity, port: 0, server: { host: '127.0.0.1', port: target.port } });
    await proxy.start();
    const { port } = proxy.addresses()['local'] as { port: number };
    expect(await ask(port, 'POST', '/charges')).toBe(503);
    await proxy.stop();
    identity.close();
    target.child.kill('SIGKILL');
    await once(target.child, 'exit');
  });

  it('takes renewed files into use while it runs, without a failed request', async () => {
    const before = await serialAt(server.port);
    await issueCertificates(certs, ['checkout', 'payments']);
    await vi.waitFor(
      async () => {
        expect(await ask(client.port, 'POST', '/charges')).toBe(200);
        expect(await serialAt(server.port)).not.toBe(before);
      },
      { timeout: 10_000, interval: 10 },
    );
    expect(await ask(client.port, 'POST', '/charges')).toBe(200);
  });

  it('keeps the certificate it has when the files break, and says which file', async () => {
    const before = await serialAt(server.port);
    await writeFile(join(certs, 'payments/svid.pem'), 'not a certificate');
    await vi.waitFor(
      () => expect(server.errors.join('\n')).toMatch(/payments\/svid\.pem has no certificate/),
      {
        timeout: 10_000,
        interval: 10,
      },
    );
    expect(await serialAt(server.port)).toBe(before);
    expect(await ask(client.port, 'POST', '/charges')).toBe(200);
  });
});
