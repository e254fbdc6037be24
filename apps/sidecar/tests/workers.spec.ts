import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryStore } from '@tulle/ca';
import { RATE_LIMIT_FILTER, type Address } from '@tulle/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSidecar, type Sidecar, type SidecarOptions } from '../src/index.ts';
import { standIn, trustDomain, type StandIn } from './stand-in.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const WORKERS = 3;

interface Reply {
  readonly status: number;
  readonly body: string;
}

interface Asked {
  readonly method?: string;
  /** Kept connections; default: a connection of its own. */
  readonly agent?: Agent;
  readonly headers?: Readonly<Record<string, string>>;
}

async function get(address: Address, path = '/', { method, agent, headers }: Asked = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const where =
      'path' in address ? { socketPath: address.path } : { host: address.host, port: address.port };
    request(
      {
        ...where,
        path,
        method: method ?? 'GET',
        agent: agent ?? false,
        headers: { host: 'web', ...headers },
      },
      (res) => {
        let body = '';
        res
          .setEncoding('utf8')
          .on('data', (piece: string) => (body += piece))
          .on('end', () => resolve({ status: res.statusCode ?? 0, body }))
          .on('error', reject);
      },
    )
      .on('error', reject)
      .end();
  });
}

describe(`sidecars of ${WORKERS} processes`, () => {
  let dir = '';
  let plane: StandIn;
  let app: Server;
  let web: Sidecar;
  let client: Sidecar;
  let entry: Address;

  const sidecar = async (name: string, options: Partial<SidecarOptions>): Promise<Sidecar> => {
    const made = await startSidecar({
      name,
      ports: [],
      controlPlane: { xds: [plane.address], trustDomain },
      joinToken: async () => plane.token(name),
      stateDir: join(dir, 'state', name),
      runDir: join(dir, name),
      workers: WORKERS,
      drain: { windowMs: 100, deadlineMs: 600_000 },
      log: quiet,
      engineLogLevel: 'error',
      ...options,
    });
    await made.ready();
    return made;
  };
  const page = async <T>(of: Sidecar, path: string): Promise<T> =>
    JSON.parse((await get(of.admin, path)).body) as T;
  /** Connections that stay, one a request until each process of the client has some. */
  const kept = (): Agent[] => Array.from({ length: 4 * WORKERS }, () => new Agent({ keepAlive: true }));

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'wk-'));
    plane = await standIn(0, memoryStore());
    app = createServer((_, res) => res.end('ok')).listen(0, '127.0.0.1');
    await once(app, 'listening');
    web = await sidecar('web', { ports: [{ port: (app.address() as AddressInfo).port }] });
    client = await sidecar('client', { upstreams: [{ service: 'web', localPort: 0 }] });
    entry = (client.upstreams[0] as { address: Address }).address;
    while ((await get(entry)).status !== 200) await new Promise((resolve) => setImmediate(resolve));
  }, 60_000);
  afterAll(async () => {
    await Promise.all([web.stop(0), client.stop(0)]);
    await plane.close();
    app.closeAllConnections();
    await new Promise((resolve) => app.close(resolve));
    await rm(dir, { recursive: true });
  });

  it('are one to whoever looks at them', async () => {
    const sum = async (): Promise<number> =>
      [
        ...(await get(client.admin, '/stats/prometheus')).body.matchAll(
          /^tulle_requests_total\{.*\} (\d+)$/gm,
        ),
      ]
        .map(([, value]) => Number(value))
        .reduce((total, value) => total + value, 0);
    const before = await sum();
    const agents = kept();
    const ids = agents.map((_, i) => `workers-${i}`);
    for (const [i, agent] of agents.entries())
      expect((await get(entry, '/', { agent, headers: { 'x-request-id': `workers-${i}` } })).status).toBe(
        200,
      );
    expect(await sum()).toBe(before + agents.length);
    // Whichever process had a request explains it; connections are spread over all.
    const workers = await Promise.all(
      ids.map(async (id) => {
        const { explanations } = await page<{
          readonly explanations: readonly { readonly worker: number }[];
        }>(client, `/explain?request-id=${id}`);
        expect(explanations).toHaveLength(1);
        return explanations[0]?.worker;
      }),
    );
    expect(new Set(workers)).toEqual(new Set([0, 1, 2]));
    const { listeners } = await page<{ readonly listeners: readonly { readonly connections: number }[] }>(
      client,
      '/listeners',
    );
    expect(listeners.reduce((total, { connections }) => total + connections, 0)).toBe(agents.length);
    expect((await get(client.admin, '/stats/prometheus')).body).toMatch(
      new RegExp(`^tulle_listener_downstream_cx_active\\{listener="outbound-web"\\} ${agents.length}$`, 'm'),
    );
    const { clusters } = await page<{
      readonly clusters: readonly { readonly endpoints: readonly { readonly started: number }[] }[];
    }>(client, '/clusters?format=json');
    expect(clusters[0]?.endpoints).toHaveLength(1);
    expect(clusters[0]?.endpoints[0]?.started).toBeGreaterThanOrEqual(before + agents.length);
    for (const agent of agents) agent.destroy();
    // Both sides count what is open, over TLS too: what they believe is what they balance by.
    const counted = (of: Sidecar): number =>
      of.status().supervisor.processes.reduce((total, { connections = 0 }) => total + connections, 0);
    const open = async (of: Sidecar): Promise<number> =>
      (
        await page<{ readonly listeners: readonly { readonly connections: number }[] }>(of, '/listeners')
      ).listeners.reduce((total, { connections }) => total + connections, 0);
    await expect.poll(() => counted(client), { timeout: 10_000 }).toBe(0);
    await expect.poll(() => counted(web), { timeout: 10_000 }).toBeGreaterThan(0);
    await client.restart();
    await expect.poll(async () => counted(web) - (await open(web)), { timeout: 10_000 }).toBe(0);
    await expect.poll(() => counted(web), { timeout: 10_000 }).toBe(0);
  }, 60_000);

  it('have a key each, and one configuration, log level and state', async () => {
    const { certificates } = await page<{
      readonly certificates: readonly {
        readonly source: string;
        readonly serial: string;
        readonly worker?: number;
      }[];
    }>(client, '/certs');
    const leaves = certificates.filter(({ worker }) => worker !== undefined);
    expect(leaves.map(({ worker }) => worker)).toEqual([0, 1, 2]);
    expect(new Set(leaves.map(({ serial }) => serial)).size).toBe(WORKERS);
    const versions = await Promise.all(
      [0, 1, 2].map(async (slot) => {
        const dump = await page<{ readonly version: string }>(client, `/config_dump?worker=${slot}`);
        return dump.version;
      }),
    );
    expect(new Set(versions).size).toBe(1);
    expect((await get(client.admin, '/logging?level=warn', { method: 'POST' })).body).toBe('warn\n');
    const info = await page<{ readonly workers: readonly { readonly state: string }[] }>(
      client,
      '/server_info',
    );
    expect(info.workers.map(({ state }) => state)).toEqual(['ready', 'ready', 'ready']);
  });

  it('refuse no connection when one process is killed under load', async () => {
    let stop = false;
    let killedMs = Infinity;
    let after = 0;
    const failed: string[] = [];
    const load = Promise.all(
      Array.from({ length: 6 }, async () => {
        while (!stop) {
          const startedMs = performance.now();
          const result = await get(entry).then(({ status }) => String(status), String);
          // What the process had in its hands at that moment is lost with it, and nothing else.
          if (startedMs <= killedMs + 5) continue;
          after += 1;
          if (result !== '200') failed.push(result);
        }
      }),
    );
    const { pid } = client.status().supervisor.processes.find(({ slot }) => slot === 1) as { pid: number };
    process.kill(pid, 'SIGKILL');
    killedMs = performance.now();
    // Until the kill is known and a successor takes new work.
    await expect
      .poll(
        () => {
          const { crashes, processes } = client.status().supervisor;
          return [crashes, processes.filter(({ state }) => state === 'ready').length];
        },
        { timeout: 20_000 },
      )
      .toEqual([1, WORKERS]);
    const until = after + 100;
    await expect.poll(() => after, { timeout: 20_000 }).toBeGreaterThan(until);
    stop = true;
    await load;
    expect(failed).toEqual([]);
    expect((await get(client.admin, '/stats/prometheus')).body).toMatch(
      /^tulle_supervisor_workers 3$[^]*^tulle_supervisor_crashes_total 1$[^]*^tulle_supervisor_connections_moved_total [1-9]/m,
    );
  }, 60_000);

  it('count a limit of scope proxy together, and one of scope process each', async () => {
    const limited = async (scope: 'proxy' | 'process'): Promise<number> => {
      const acked = plane.acks.length;
      plane.setInboundFilters([
        {
          name: 'limits',
          filter: RATE_LIMIT_FILTER,
          config: { limits: [{ name: scope, requests: 10, intervalMs: 600_000, scope }] },
        },
      ]);
      await expect.poll(() => plane.acks.length, { timeout: 20_000 }).toBeGreaterThan(acked);
      for (let slot = 0; slot < WORKERS; slot++)
        await expect
          .poll(async () => (await get(web.admin, `/config_dump?worker=${slot}`)).body, { timeout: 20_000 })
          .toContain(`"scope": "${scope}"`);
      await client.restart(); // connections of before have the filters of before
      let admitted = 0;
      /** Each process is asked; what has no CPU left answers 503, and is asked again. */
      const round = async (): Promise<void> => {
        await Promise.all(
          kept().map(async (agent) => {
            for (let sent = 0; sent < 5;) {
              const { status } = await get(entry, '/', { agent });
              if (status === 503) continue;
              expect([200, 429]).toContain(status);
              if (status === 200) admitted += 1;
              sent += 1;
            }
            agent.destroy();
          }),
        );
      };
      // A process that had no answer in time, since the machine is busy, asks again a second later.
      const endMs = performance.now() + 10_000;
      do await round();
      while (admitted < 10 && performance.now() < endMs);
      await round();
      return admitted;
    };
    expect(await limited('proxy')).toBe(10);
    expect(await limited('process')).toBeGreaterThan(10);
  }, 60_000);
});
