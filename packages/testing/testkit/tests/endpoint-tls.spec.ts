import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CertificateSource, Cluster } from '@tulle/model';
import { createProxy, httpListener, nodeTransport, route, type Proxy } from '@tulle/proxy';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { memoryLog } from '../src/index.ts';

let directory = '';
const open: Proxy[] = [];
const fileOf = (name: string): string => join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tulle-endpoint-tls-'));
  for (const name of ['one', 'two']) {
    await writeFile(
      fileOf(`${name}.cnf`),
      ['[req]', 'distinguished_name=dn', '[dn]', '[ext]', `subjectAltName=DNS:${name}.test`, ''].join('\n'),
    );
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
        ...['-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/O=${name}`],
        ...['-config', `${name}.cnf`, '-extensions', 'ext'],
      ],
      { cwd: directory, stdio: 'ignore' },
    );
  }
});
afterAll(() => rm(directory, { recursive: true }));
afterEach(async () => {
  await Promise.all(open.splice(0).map((proxy) => proxy.stop()));
});

const shown = (name: string): CertificateSource => ({
  kind: 'files',
  certificateFile: fileOf(`${name}.pem`),
  keyFile: fileOf(`${name}.key`),
});

async function started(proxy: Proxy): Promise<number> {
  await proxy.start();
  open.push(proxy);
  return (proxy.addresses()['it'] as { port: number }).port;
}

/** A server that tells which certificate it showed. */
const server = (tls: boolean): Promise<number> =>
  started(
    createProxy({
      log: memoryLog(),
      transport: nodeTransport(),
      listeners: [
        httpListener({
          name: 'it',
          port: 0,
          ...(tls && { tls: { certificate: shown('one'), moreCertificates: [shown('two')] } }),
          routes: [route('/', { kind: 'direct', status: 200, body: 'ok' })],
        }),
      ],
    }),
  );

const through = (cluster: Omit<Cluster, 'name'>): Promise<number> =>
  started(
    createProxy({
      log: memoryLog(),
      transport: nodeTransport(),
      listeners: [httpListener({ name: 'it', port: 0, routes: [route('/', 'server')] })],
      clusters: [{ name: 'server', ...cluster }],
    }),
  );

const status = (port: number, host: string, headers: Record<string, string> = {}): Promise<number> =>
  new Promise((resolve, reject) => {
    http
      .get({ port, headers: { host, ...headers }, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
      .on('error', reject);
  });

describe('endpoints with labels for TLS', () => {
  it('are spoken to as the first match says, others as the cluster does', async () => {
    const [secure, plain] = [await server(true), await server(false)];
    const to = (port: number, tlsLabels?: Record<string, string>): Promise<number> =>
      through({
        discovery: {
          kind: 'static',
          endpoints: [{ address: { host: '127.0.0.1', port }, ...(tlsLabels && { tlsLabels }) }],
        },
        tls: { trust: { kind: 'none' } },
        tlsMatches: [
          {
            name: 'named',
            labels: { mode: 'tls', name: 'two' },
            tls: { trust: { kind: 'files', caFile: fileOf('two.pem') }, serverName: 'two.test' },
          },
          { name: 'plain', labels: { mode: 'plain' } },
        ],
      });
    expect(await status(await to(secure), 'a')).toBe(200);
    expect(await status(await to(secure, { mode: 'tls', name: 'two' }), 'a')).toBe(200);
    expect(await status(await to(secure, { mode: 'plain' }), 'a')).toBe(503);
    expect(await status(await to(plain, { mode: 'plain', more: 'x' }), 'a')).toBe(200);
    expect(await status(await to(plain, { mode: 'tls' }), 'a')).toBe(503);
  });
});

describe('server names that requests say', () => {
  it('are sent, and looked for in the certificate where they are verified', async () => {
    const port = await server(true);
    const proxy = (verified: boolean, header?: string): Promise<number> =>
      through({
        discovery: { kind: 'static', endpoints: [{ address: { host: '127.0.0.1', port } }] },
        tls: {
          trust: { kind: 'files', caFile: fileOf('two.pem') },
          serverName: 'one.test',
          ...(!verified && { verifyName: false }),
        },
        serverNameFrom: { verified, ...(header === undefined ? {} : { header }) },
      });
    const any = await proxy(false);
    // Only the certificate of two.test is believed, and only who asks for it is shown it.
    expect(await status(any, 'two.test')).toBe(200);
    expect(await status(any, 'one.test')).toBe(503);
    const verified = await proxy(true, 'x-name');
    expect(await status(verified, 'two.test:443')).toBe(200);
    expect(await status(verified, 'one.test', { 'x-name': 'two.test' })).toBe(200);
    expect(await status(verified, 'other.test')).toBe(503);
    // A connection for one name serves no other.
    expect(await Promise.all([status(verified, 'two.test'), status(verified, 'one.test')])).toEqual([
      200, 503,
    ]);
  });
});
