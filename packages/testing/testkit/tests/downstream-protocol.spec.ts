import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cluster, createProxy, httpListener, route, type Proxy, type ProxyOptions } from '@tulle/proxy';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { memoryLog, memoryTelemetry, type MemoryTelemetry } from '../src/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'tulle-downstream-protocol-'));
const fileOf = (name: string): string => join(directory, name);
const open: Proxy[] = [];

beforeAll(() => {
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...[
        '-keyout',
        'key.pem',
        '-out',
        'cert.pem',
        '-subj',
        '/O=origin',
        '-addext',
        'subjectAltName=DNS:origin.test',
      ],
    ],
    { cwd: directory, stdio: 'ignore' },
  );
});
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(async () => {
  await Promise.all(open.splice(0).map((proxy) => proxy.stop()));
});

async function started(options: ProxyOptions): Promise<number> {
  const proxy = createProxy({ log: memoryLog(), ...options });
  await proxy.start();
  open.push(proxy);
  return (proxy.addresses()['http'] as { port: number }).port;
}

/** An origin that speaks both, and a proxy before it that speaks what it is spoken to in. */
async function world(tls: boolean): Promise<{ port: number; origin: MemoryTelemetry }> {
  const origin = memoryTelemetry();
  const originPort = await started({
    telemetry: [origin],
    listeners: [
      httpListener({
        port: 0,
        routes: [route('/', { kind: 'direct', status: 200, body: 'ok' })],
        ...(tls && {
          tls: {
            certificate: {
              kind: 'files',
              certificateFile: fileOf('cert.pem'),
              keyFile: fileOf('key.pem'),
            } as const,
          },
        }),
      }),
    ],
  });
  const port = await started({
    listeners: [httpListener({ port: 0, routes: [route('/', 'origin')] })],
    clusters: [
      cluster('origin', [`127.0.0.1:${originPort}`], {
        pool: { protocol: 'downstream' },
        ...(tls && {
          tls: { trust: { kind: 'files', caFile: fileOf('cert.pem') }, serverName: 'origin.test' } as const,
        }),
      }),
    ],
  });
  return { port, origin };
}

const byHttp1 = (port: number, headers: Record<string, string> = {}): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', method: 'POST', agent: false, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    })
      .on('error', reject)
      .end();
  });

const byHttp2 = (port: number): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`).on('error', reject);
    let status: number | undefined;
    session
      .request({ ':path': '/' })
      .on('response', (headers) => (status = headers[':status']))
      .on('error', reject)
      .on('close', () => session.close(() => resolve(status)))
      .resume();
  });

describe.each([false, true])('what the request came in, TLS to the endpoint: %s', (tls) => {
  it('is what the endpoint is spoken to in, over connections of each kind that are used again', async () => {
    const { port, origin } = await world(tls);
    for (let i = 0; i < 2; i++) {
      expect(await byHttp1(port)).toBe(200);
      expect(await byHttp2(port)).toBe(200);
    }
    const seen = origin.records.map(({ protocol, remotePort }) => ({ protocol, remotePort }));
    expect(seen.map(({ protocol }) => protocol)).toEqual(['HTTP/1.1', 'HTTP/2', 'HTTP/1.1', 'HTTP/2']);
    expect(new Set(seen.map(({ remotePort }) => remotePort)).size).toBe(2);
  });

  it('does not keep a gRPC call from HTTP/2', async () => {
    const { port, origin } = await world(tls);
    await byHttp1(port, { 'content-type': 'application/grpc' });
    expect(origin.records.map(({ protocol }) => protocol)).toEqual(['HTTP/2']);
  });
});
