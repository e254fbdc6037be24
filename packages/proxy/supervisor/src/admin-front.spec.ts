import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, request, type ClientRequest, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address } from '@tulle/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveAdminFront, type AdminFront } from './admin-front.ts';
import type { Supervisor } from './supervisor.ts';

let dir: string;
const open: (() => Promise<void>)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'front-'));
});
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
  rmSync(dir, { recursive: true });
});

/** The admin interface of an engine process, as far as the front sees it. */
async function engine(
  slot: number,
  status: number,
  body = 'draining\n',
): Promise<{ path: string; asked: string[] }> {
  const asked: string[] = [];
  const path = join(dir, `engine-${slot}.sock`);
  const server: Server = createServer((req, res) => {
    asked.push(`${req.method ?? ''} ${req.url ?? ''}`);
    res.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  open.push(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  return { path, asked };
}

async function front(
  engines: readonly { readonly path: string }[],
  address: Address = { host: '127.0.0.1', port: 0 },
): Promise<AdminFront> {
  const processes = engines.map(({ path }, slot) => ({
    slot,
    generation: 1,
    state: 'ready' as const,
    adminAddress: { path },
  }));
  const supervisor = {
    status: () => ({ processes }),
    adminAddress: (slot: number) => processes[slot]?.adminAddress,
    restart: () => Promise.resolve(),
  } as unknown as Supervisor;
  const served = await serveAdminFront({ supervisor, address });
  open.push(() => served.close());
  return served;
}

function ask(
  { address }: AdminFront,
  path: string,
  headers: Record<string, string> = {},
  method = 'POST',
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const { port } = address as { port: number };
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (reply) => {
      let body = '';
      reply.setEncoding('utf8').on('data', (text: string) => (body += text));
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, body }));
    });
    sent.on('error', reject).end();
  });
}

describe('POST /drain_listeners', () => {
  it('takes every process out of service, or one by its slot', async () => {
    const engines = [await engine(0, 202), await engine(1, 202)];
    const served = await front(engines);
    const { status, body } = await ask(served, '/drain_listeners?graceful');
    expect([status, JSON.parse(body)]).toEqual([202, { draining: 2 }]);
    expect(engines.map(({ asked }) => asked)).toEqual([
      ['POST /drain_listeners?graceful'],
      ['POST /drain_listeners?graceful'],
    ]);
    await ask(served, '/drain_listeners?worker=1');
    expect(engines.map(({ asked }) => asked.length)).toEqual([1, 2]);
  });

  it('says which process does not', async () => {
    const served = await front([await engine(0, 202), await engine(1, 500)]);
    const { status, body } = await ask(served, '/drain_listeners');
    expect([status, JSON.parse(body)]).toEqual([
      503,
      { error: 'not every engine process drains', failed: [{ slot: 1, status: 500 }] },
    ]);
  });
});

describe('a page of another site', () => {
  it('reaches neither the engines nor the supervisor', async () => {
    const only = await engine(0, 202);
    const served = await front([only]);
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }] as Record<
      string,
      string
    >[])
      for (const path of ['/drain_listeners', '/supervisor/restart', '/logging?level=debug'])
        expect((await ask(served, path, headers)).status).toBe(403);
    expect(only.asked).toEqual([]);
  });
});

describe('the socket of the front', () => {
  it('replaces one that nobody serves on, and neither a live one nor another file', async () => {
    const path = join(dir, 'admin.sock');
    const bound = spawnSync(process.execPath, [
      '-e',
      `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ]);
    expect(bound.signal).toBe('SIGKILL');
    await front([], { path });
    await expect(front([], { path })).rejects.toThrow(/another process listens on/);
    const file = join(dir, 'precious');
    writeFileSync(file, 'precious');
    await expect(front([], { path: file })).rejects.toThrow(/exists and is no socket/);
    expect(readFileSync(file, 'utf8')).toBe('precious');
  });
});

describe('a request with a body', () => {
  const post = (served: AdminFront, length: number): ClientRequest => {
    const { host, port } = served.address as { host: string; port: number };
    return request({ host, port, path: '/explain', method: 'POST', headers: { 'content-length': length } });
  };

  it('is handed on when it is whole: an engine that has answered closes', async () => {
    const only = await engine(0, 200, '{}');
    const asking = post(await front([only]), 4);
    asking.write('ab');
    await once(asking, 'socket').then(async ([socket]: unknown[]) => once(socket as Socket, 'connect'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(only.asked).toEqual([]);
    asking.end('cd');
    const [reply] = (await once(asking, 'response')) as [IncomingMessage];
    expect([reply.statusCode, only.asked]).toEqual([200, ['POST /explain']]);
    reply.resume();
  });

  it('is refused when it is too long', async () => {
    const only = await engine(0, 200, '{}');
    const asking = post(await front([only]), 70_000);
    asking.on('error', () => {});
    asking.end(Buffer.alloc(70_000));
    const [reply] = (await once(asking, 'response')) as [IncomingMessage];
    expect([reply.statusCode, only.asked]).toEqual([413, []]);
    reply.resume();
  });
});

describe('GET /explain', () => {
  const page = (...times: string[]): string =>
    JSON.stringify({ requestId: 'a', explanations: times.map((startedAt) => ({ startedAt })) });
  const explain = async (served: AdminFront): Promise<[number, unknown]> => {
    const { status, body } = await ask(served, '/explain?request-id=a', {}, 'GET');
    return [status, JSON.parse(body)];
  };

  it('asks every process, since any may have had the request, and says which had', async () => {
    const served = await front([
      await engine(0, 200, page('2026-01-01T00:00:01Z')),
      await engine(1, 404, JSON.stringify({ error: 'not here' })),
      await engine(2, 200, page('2026-01-01T00:00:02Z', '2026-01-01T00:00:00Z')),
    ]);
    expect(await explain(served)).toEqual([
      200,
      {
        requestId: 'a',
        explanations: [
          { startedAt: '2026-01-01T00:00:02Z', worker: 2 },
          { startedAt: '2026-01-01T00:00:01Z', worker: 0 },
          { startedAt: '2026-01-01T00:00:00Z', worker: 2 },
        ],
      },
    ]);
  });

  it('says that none has it only where all were asked', async () => {
    const here = await engine(0, 404, JSON.stringify({ error: 'not here' }));
    expect(await explain(await front([here]))).toEqual([404, { error: 'not here' }]);
    const [status, body] = await explain(await front([here, { path: join(dir, 'gone.sock') }]));
    expect(status).toBe(503);
    expect((body as { error: string }).error).toMatch(/slot 1 does not answer/);
    expect((await explain(await front([])))[0]).toBe(503);
  });
});
