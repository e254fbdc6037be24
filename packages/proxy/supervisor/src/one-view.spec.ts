import { createServer } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { oneView, tellAll } from './one-view.ts';
import type { Supervisor } from './supervisor.ts';

let dir: string;
const open: (() => Promise<void>)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'view-'));
});
afterEach(async () => {
  for (const close of open.splice(0)) await close();
  rmSync(dir, { recursive: true });
});

/** Processes, each with what its admin interface answers. */
async function processes(...answers: readonly [status: number, page: unknown][]): Promise<Supervisor> {
  const served = await Promise.all(
    answers.map(async ([status, page], slot) => {
      const path = join(dir, `${open.length}-${slot}.sock`);
      const server = createServer((_, res) => res.writeHead(status).end(JSON.stringify(page)));
      await new Promise<void>((resolve) => server.listen(path, resolve));
      open.push(
        () =>
          new Promise((resolve) => {
            server.closeAllConnections();
            server.close(() => resolve());
          }),
      );
      return { slot, state: 'ready', adminAddress: { path } };
    }),
  );
  return { status: () => ({ processes: served }) } as unknown as Supervisor;
}

const view = async (path: string, ...pages: readonly unknown[]): Promise<unknown> =>
  (
    await oneView(
      await processes(...pages.map((page): [number, unknown] => [200, page])),
      new URL(path, 'http://admin'),
    )
  )?.body;

const endpoint = (fields: object): object => ({
  address: '10.0.0.1:80',
  health: 'healthy',
  ejected: false,
  weight: 3,
  active: 1,
  opened: 2,
  sent: 9,
  timeouts: 1,
  started: 10,
  latencyMs: 2,
  consecutiveFailures: 0,
  ...fields,
});
const cluster = (fields: object, ...endpoints: readonly object[]): object => ({
  name: 'web',
  connections: 1,
  http2Connections: 1,
  pending: 0,
  requests: 2,
  limits: { maxConnections: 1024 },
  highLimits: { maxConnections: 7 },
  endpoints,
  ...fields,
});

describe('one view of several processes', () => {
  it('of clusters sums what is counted, and shows what one process found of an endpoint', async () => {
    const pages = [
      { clusters: [cluster({}, endpoint({}))] },
      {
        clusters: [
          cluster(
            { connections: 4 },
            endpoint({ ejected: true, started: 30, latencyMs: 6, consecutiveFailures: 5 }),
            endpoint({ address: '10.0.0.2:80' }),
          ),
        ],
      },
    ];
    expect(await view('/clusters?format=json', ...pages)).toEqual({
      clusters: [
        cluster(
          {
            connections: 5,
            http2Connections: 2,
            requests: 4,
            limits: { maxConnections: 2048 },
            highLimits: { maxConnections: 14 },
          },
          endpoint({
            ejected: true,
            active: 2,
            opened: 4,
            sent: 18,
            timeouts: 2,
            started: 40,
            latencyMs: 5,
            consecutiveFailures: 5,
          }),
          endpoint({ address: '10.0.0.2:80' }),
        ),
      ],
    });
    const text = (await view('/clusters', ...pages)) as string;
    expect(text).toContain(
      'web::cx_active::5\nweb::cx_http2_active::2\nweb::rq_active::4\nweb::rq_pending_active::0\n',
    );
    expect(text).toContain('web::circuit_breakers::maxConnections::2048\n');
    expect(text).toContain('web::10.0.0.1:80::ejected::true\n');
  });

  it('of certificates has what all share once, and each process its own', async () => {
    const root = { source: 'trust', serial: 'root' };
    const own = (serial: string): object => ({ source: 'workload', serial });
    expect(
      await view('/certs', { certificates: [own('a'), root] }, { certificates: [own('b'), root] }),
    ).toEqual({ certificates: [{ ...own('a'), worker: 0 }, root, { ...own('b'), worker: 1 }] });
  });

  it('of listeners, plain-text callers and the server adds up', async () => {
    const listener = { name: 'l', address: '127.0.0.1:1', draining: false };
    expect(
      await view(
        '/listeners',
        { listeners: [{ ...listener, connections: 3 }] },
        { listeners: [{ ...listener, connections: 4, draining: true }] },
      ),
    ).toEqual({ listeners: [{ ...listener, connections: 7 }] });
    const client = (address: string, connections: number, lastSeenMs: number): object => ({
      address,
      connections,
      lastSeenMs,
    });
    expect(
      await view(
        '/plaintext',
        { listeners: [{ name: 'l', clients: [client('a', 1, 5)], forgotten: 0 }] },
        { listeners: [{ name: 'l', clients: [client('a', 2, 9), client('b', 1, 1)], forgotten: 2 }] },
      ),
    ).toEqual({ listeners: [{ name: 'l', clients: [client('a', 3, 9), client('b', 1, 1)], forgotten: 2 }] });
    expect(
      await view(
        '/server_info',
        { state: 'ready', connections: 2, uptimeMs: 10, pid: 7, generation: 3 },
        { state: 'ready', connections: 3, uptimeMs: 20, pid: 8, generation: 1 },
      ),
    ).toEqual({
      state: 'ready',
      connections: 5,
      uptimeMs: 20,
      generation: 3,
      workers: [
        { worker: 0, state: 'ready', uptimeMs: 10, pid: 7, generation: 3 },
        { worker: 1, state: 'ready', uptimeMs: 20, pid: 8, generation: 1 },
      ],
    });
  });

  it('of overload has each process apart', async () => {
    expect(await view('/overload', { enabled: true }, { enabled: false })).toEqual({
      workers: [
        { worker: 0, enabled: true },
        { worker: 1, enabled: false },
      ],
    });
  });

  it('is none for one process, or a page that any can answer, and no half of a sum', async () => {
    expect(await view('/certs', { certificates: [] })).toBeUndefined();
    expect(await view('/config_dump', {}, {})).toBeUndefined();
    const one = await processes([200, { certificates: [] }], [500, {}]);
    await expect(oneView(one, new URL('http://admin/certs'))).rejects.toThrow('in slot 1 answers 500');
  });
});

describe('what is asked of all', () => {
  it('is done when all have done it, and says which has not', async () => {
    expect(await tellAll(await processes([200, 'a'], [200, 'a']), '/logging?level=debug', 200)).toEqual({
      status: 200,
      body: '"a"',
      told: 2,
    });
    expect(await tellAll(await processes([200, 'a']), '/x', 202)).toMatchObject({
      status: 503,
      body: { failed: [{ slot: 0, status: 200 }] },
    });
  });
});
