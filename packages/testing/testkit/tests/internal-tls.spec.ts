import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Address, type Endpoint, isUnixAddress, type UpstreamTls } from '@tulle/model';
import { cluster, createProxy, httpListener, nodeTransport, route, type Proxy } from '@tulle/proxy';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { memoryLog } from '../src/index.ts';

let directory = '';
const proxies: Proxy[] = [];
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tulle-internal-tls-'));
  const openssl = (...args: readonly string[]): unknown =>
    execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'ignore', 'ignore'] });
  for (const name of ['good', 'other'])
    openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/O=${name}`],
      ...['-addext', 'subjectAltName=DNS:hop.test'],
    );
});
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(async () => {
  await Promise.all(proxies.splice(0).map(async (proxy) => proxy.stop()));
});

interface MoreOfCluster {
  readonly endpoint?: Partial<Endpoint>;
  readonly tls?: Partial<UpstreamTls>;
}

/** HTTP through a listener of the process that is spoken to by TLS. @param trusted whose certificate is believed */
async function url(trusted: string, protocol: 'http1' | 'http2', more: MoreOfCluster = {}): Promise<string> {
  const file = (name: string): string => join(directory, name);
  const proxy = createProxy({
    log: memoryLog(),
    transport: nodeTransport(),
    listeners: [
      httpListener({
        name: 'front',
        host: '127.0.0.1',
        port: 0,
        routes: [route('/', 'hop')],
      }),
      {
        ...httpListener({
          port: 1,
          routes: [route('/', { kind: 'direct', status: 200, body: 'tulle '.repeat(100_000) })],
          tls: {
            certificate: { kind: 'files', certificateFile: file('good.pem'), keyFile: file('good.key') },
            alpn: ['h2', 'http/1.1'],
          },
        }),
        name: 'hop',
        address: { internal: 'hop' },
      },
    ],
    clusters: [
      cluster('hop', [{ address: { internal: 'hop', id: 'x' }, ...more.endpoint }], {
        tls: {
          trust: { kind: 'files', caFile: file(`${trusted}.pem`) },
          serverName: 'hop.test',
          ...more.tls,
        },
        pool: { protocol },
      }),
    ],
  });
  proxies.push(proxy);
  await proxy.start();
  const at = proxy.addresses()['front'] as Address;
  return isUnixAddress(at) ? '' : `http://127.0.0.1:${at.port}/`;
}

describe.each(['http1', 'http2'] as const)('TLS over a connection within the process, for %s', (protocol) => {
  it('is spoken as over a wire', async () => {
    const at = await url('good', protocol);
    for (let i = 0; i < 3; i++) {
      const response = await fetch(at);
      expect([response.status, (await response.text()).length]).toEqual([200, 600_000]);
    }
  });

  it('is refused where nobody vouches for the listener', async () => {
    const response = await fetch(await url('other', protocol));
    expect(response.status).toBe(503);
    expect(await response.text()).toContain('TULLE_UPSTREAM_TLS');
  });

  it('that cannot begin leaves no connection behind', async () => {
    const at = await url('good', protocol, {
      endpoint: { identity: 'spiffe://mesh.test/ns/a/sa/b' },
      tls: { allowedIds: ['spiffe://other.test/*'] },
    });
    const response = await fetch(at, { headers: { connection: 'close' } });
    expect(response.status).toBe(503);
    await response.text();
    await vi.waitFor(() => expect(proxies[0]?.stats.connections).toBe(0));
  });
});
