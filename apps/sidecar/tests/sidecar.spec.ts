import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryStore } from '@tulle/ca';
import type { Address } from '@tulle/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startSidecar, type Sidecar, type SidecarOptions } from '../src/index.ts';
import { standIn, trustDomain, type StandIn } from './stand-in.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

async function get(address: Address, path = '/', method = 'GET'): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const where =
      'path' in address ? { socketPath: address.path } : { host: address.host, port: address.port };
    request({ ...where, path, method, agent: false, headers: { host: 'web' } }, (res) => {
      let body = '';
      res
        .setEncoding('utf8')
        .on('data', (piece: string) => (body += piece))
        .on('end', () => resolve({ status: res.statusCode ?? 0, body, headers: res.headers }))
        .on('error', reject);
    })
      .on('error', reject)
      .end();
  });
}

/** Until an answer is as wanted; each try waits for the one before, no time is slept. */
async function until(wanted: (reply: Reply) => boolean, address: Address, path?: string): Promise<Reply> {
  for (;;) {
    const reply = await get(address, path);
    if (wanted(reply)) return reply;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('two sidecars and a control plane', () => {
  let dir = '';
  let plane: StandIn;
  let app: Server;
  let appPort = 0;
  const running: Sidecar[] = [];
  const store = memoryStore();

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sc-'));
    plane = await standIn(0, store);
    app = createServer((req, res) => res.end(JSON.stringify({ url: req.url, host: req.headers.host })));
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    appPort = (app.address() as AddressInfo).port;
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map(async (sidecar) => sidecar.stop(0)));
    await plane.close();
    app.closeAllConnections();
    await new Promise((resolve) => app.close(resolve));
    await rm(dir, { recursive: true });
  });

  const sidecar = async (name: string, options: Partial<SidecarOptions> = {}): Promise<Sidecar> => {
    const made = await startSidecar({
      name,
      ports: [],
      controlPlane: { xds: [plane.address], trustDomain },
      joinToken: async () => plane.token(name),
      stateDir: join(dir, 'state', name),
      runDir: join(dir, name),
      log: quiet,
      ...options,
    });
    running.push(made);
    await made.ready();
    return made;
  };
  const pair = async (
    options: Partial<SidecarOptions> = {},
  ): Promise<{ web: Sidecar; client: Sidecar; entry: Address }> => {
    const web = await sidecar('web', {
      ports: [{ port: appPort }],
      labels: { app: 'web', version: 'v1' },
      ...options,
    });
    const client = await sidecar('client', { upstreams: [{ service: 'web', localPort: 0 }], ...options });
    const entry = (client.upstreams[0] as { address: Address }).address;
    await until((r) => r.status === 200, entry);
    return { web, client, entry };
  };

  it('carry a call over mutual TLS and measure it on both sides', async () => {
    const { web, client, entry } = await pair();
    expect(JSON.parse((await get(entry, '/orders?x=1')).body)).toMatchObject({ url: '/orders?x=1' });
    const outbound = (await get(client.admin, '/stats/prometheus')).body;
    expect(outbound).toMatch(
      /tulle_requests_total\{[^}]*connection_security="mutual_tls"[^}]*destination_service="web"[^}]*destination_version="v1"[^}]*direction="outbound"[^}]*source_workload="client"/,
    );
    const inbound = (await get(web.admin, '/stats/prometheus')).body;
    expect(inbound).toMatch(
      /tulle_requests_total\{[^}]*connection_security="mutual_tls"[^}]*direction="inbound"[^}]*source_workload="client"/,
    );
    // One page: what the engine measures, then what identity and xDS do, each family once.
    expect(inbound).toMatch(/\ntulle_identity_renewals_total 1\n/);
    expect(inbound).toMatch(/\ntulle_identity_expiry_timestamp_seconds \d{10}/);
    expect(inbound).toMatch(/\ntulle_xds_client_changes_total [1-9]/);
    expect(inbound).toMatch(/\ntulle_xds_client_connected 1\n/);
    const families = [...inbound.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(new Set(families).size).toBe(families.length);
    expect(JSON.parse((await get(web.admin, '/sidecar')).body)).toMatchObject({
      spiffeId: `spiffe://${trustDomain}/ns/default/sa/web`,
      xds: { connected: true, source: 'control-plane' },
    });
    expect(JSON.parse(await readFile(join(dir, 'web', 'proxy.json'), 'utf8'))).toMatchObject({
      name: 'web',
      pid: process.pid,
      inbound: web.inbound,
    });
  });

  it('of several processes count as one', async () => {
    const { client, entry } = await pair({ workers: 2 });
    const counted = async (): Promise<number> =>
      [
        ...(await get(client.admin, '/stats/prometheus')).body.matchAll(
          /^tulle_requests_total\{[^}]*response_code="200"[^}]*\} (\d+)$/gm,
        ),
      ]
        .map(([, value]) => Number(value))
        .reduce((sum, value) => sum + value, 0);
    const before = await counted();
    await Promise.all(Array.from({ length: 50 }, async () => get(entry)));
    expect(await counted()).toBe(before + 50);
    await client.restart();
    await get(entry);
    expect(await counted()).toBe(before + 51);
  });

  it('refuse a plain-text caller at the inbound port', async () => {
    const { web } = await pair();
    await expect(get(web.inbound)).rejects.toThrow(/ECONNRESET|socket hang up/);
  });

  it('go on without a failed request while both are restarted', async () => {
    const { web, client, entry } = await pair();
    let stop = false;
    const statuses = new Map<number, number>();
    const load = Promise.all(
      Array.from({ length: 3 }, async () => {
        while (!stop) {
          const { status } = await get(entry);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      }),
    );
    await Promise.race([
      load,
      (async () => {
        await web.restart();
        await client.restart();
        await web.restart();
      })(),
    ]);
    stop = true;
    await load;
    expect([...statuses.keys()]).toEqual([200]);
    expect(statuses.get(200)).toBeGreaterThan(50);
  });

  it('cut at the deadline of a restart what lasts longer, and nothing before', async () => {
    const deadlineMs = 2_000;
    const { client, entry } = await pair({ drain: { windowMs: 100, deadlineMs } });
    app.on('upgrade', (_request, socket) => {
      socket.on('error', () => {});
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
      socket.pipe(socket);
    });
    const socket = connect(entry as { host: string; port: number });
    socket.write('GET / HTTP/1.1\r\nhost: web\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 101 /);
    const closed = once(
      socket.on('error', () => {}),
      'close',
    );
    await client.restart();
    const startedMs = performance.now();
    // Long past the window.
    await new Promise((resolve) => setTimeout(resolve, 500));
    socket.write('still there');
    expect(String((await once(socket, 'data'))[0])).toBe('still there');
    await closed;
    expect(performance.now() - startedMs).toBeGreaterThan(deadlineMs - 500);
  });

  it('start from what they saved while the control plane is away, on the ports of before', async () => {
    const before = await pair();
    await Promise.all(running.splice(0).map(async (one) => one.stop(0)));
    await plane.close();
    const { address } = plane;
    const again = async (name: string, options: Partial<SidecarOptions>): Promise<Sidecar> =>
      sidecar(name, {
        ...options,
        joinToken: async () => Promise.reject(new Error('a token was asked for')),
      });
    const web = await again('web', { ports: [{ port: appPort }], labels: { app: 'web', version: 'v1' } });
    const client = await again('client', { upstreams: [{ service: 'web', localPort: 0 }] });
    expect([web.inbound, client.upstreams[0]?.address]).toEqual([before.web.inbound, before.entry]);
    expect((await get(before.entry)).status).toBe(200);
    expect(web.status().xds).toMatchObject({ source: 'snapshot', connected: false });
    plane = await standIn(Number(address.split(':')[1]), store);
    await new Promise<void>((resolve) => (plane.onAck = resolve)); // it is found again
    // This stand-in forgets who was there until they are back; a control plane must not.
    await until(
      (r) =>
        r.status === 200 && web.status().xds?.connected === true && client.status().xds?.connected === true,
      before.entry,
    );
  });

  it('tell the control plane what the engine refuses, and go on with what they had', async () => {
    const { entry } = await pair();
    const refused = new Promise<void>((resolve) => {
      plane.onAck = () => {
        if (plane.acks.some((ack) => !ack.ok)) resolve();
      };
    });
    plane.setInboundFilters([{ name: 'nothing', filter: 'tulle.http.nothing', config: {} }]);
    await refused;
    expect(plane.acks.find((ack) => !ack.ok)?.error).toContain('tulle.http.nothing');
    expect((await get(entry)).status).toBe(200);
  });

  it('work in one process likewise', async () => {
    const { client, entry } = await pair({ supervisor: false });
    expect((await get(entry)).status).toBe(200);
    expect(client.status().supervisor.processes[0]?.pid).toBe(process.pid);
  });

  it('say which port is taken, and leave nothing behind', async () => {
    await expect(sidecar('client', { upstreams: [{ service: 'web', localPort: appPort }] })).rejects.toThrow(
      `cannot listen on 127.0.0.1:${appPort}: EADDRINUSE`,
    );
    await expect(stat(join(dir, 'client', 'proxy.json'))).rejects.toThrow('ENOENT');
  });

  it('get nothing for a token that was used before', async () => {
    const token = await plane.token('web');
    await sidecar('web', { joinToken: token });
    await expect(
      sidecar('web', { joinToken: token, stateDir: join(dir, 'other'), runDir: join(dir, 'r2') }),
    ).rejects.toThrow(/join token was refused/);
  });

  it('keep keys where only their owner can read them', async () => {
    await sidecar('web', { ports: [{ port: appPort }] });
    for (const file of ['identity/identity.json', 'engine-0/identity.json'])
      expect((await stat(join(dir, 'state', 'web', file))).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir, 'web', 'admin.sock'))).mode & 0o777).toBe(0o600);
  });

  it('close the inbound socket for good when they stop', async () => {
    const { web } = await pair();
    await web.stop(1000);
    await expect(
      new Promise((resolve, reject) =>
        connect(web.inbound.port, web.inbound.host).once('connect', resolve).once('error', reject),
      ),
    ).rejects.toThrow('ECONNREFUSED');
  });
});
