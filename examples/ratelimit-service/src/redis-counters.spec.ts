import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@redis/client';
import { afterEach, describe, expect, it } from 'vitest';
import type { Counters } from './counters.ts';
import { redisCounters } from './redis-counters.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Lines that the counters log, to be awaited. */
function lines(): { log: (line: string) => void; next: () => Promise<string> } {
  const told: string[] = [];
  const waiting: ((line: string) => void)[] = [];
  return {
    log(line) {
      const first = waiting.shift();
      if (first === undefined) told.push(line);
      else first(line);
    },
    next: async () => told.shift() ?? new Promise((resolve) => waiting.push(resolve)),
  };
}

function countersAt(port: number, times: { readonly timeoutMs?: number; readonly stallMs?: number } = {}) {
  const { log, next } = lines();
  const counters = redisCounters({
    url: `redis://127.0.0.1:${port}`,
    log,
    ...times,
  });
  cleanups.push(() => counters.close());
  return { counters, next };
}

const hit = (key: string, add = 1) => ({ key, add, ttlSeconds: 60 });
const fails = async (counters: Counters): Promise<string> =>
  counters.raise([hit('a')]).then(
    () => 'it was counted',
    (error: Error) => error.message,
  );

it('without Redis fails at once, says so once, and closes', async () => {
  const { counters, next } = countersAt(await freePort());
  expect(await next()).toMatch(/^Redis is away: .*ECONNREFUSED/);
  expect(await fails(counters)).toBe('Redis is away');
});

it('gives up on one that does not answer, and in the end on its connection', async () => {
  const silent = net.createServer().listen(0, '127.0.0.1');
  const sockets: net.Socket[] = [];
  // It greets the client (HELLO, CLIENT SETINFO) and answers nothing after that.
  silent.on('connection', (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      for (const _ of bytes.toString().matchAll(/HELLO|SETINFO|MAINT_NOTIFICATIONS/g))
        socket.write('+OK\r\n');
    });
  });
  await once(silent, 'listening');
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const { counters, next } = countersAt((silent.address() as AddressInfo).port, {
    timeoutMs: 20,
    stallMs: 50,
  });
  expect(await next()).toBe('Redis is there');
  expect(await fails(counters)).toBe('Redis gave no answer within 20 ms');
  expect(sockets).toHaveLength(1);
  while ((await fails(counters)) !== 'Redis is away');
  expect(await next()).toBe('Redis is away: no answer for 50 ms');
  expect(await next()).toBe('Redis is there');
  expect(sockets).toHaveLength(2);
});

const installed = spawnSync('redis-server', ['--version']).status === 0;
describe.skipIf(!installed)('with Redis (needs redis-server on PATH)', () => {
  async function redisAt(port: number): Promise<ChildProcess> {
    const directory = mkdtempSync(join(tmpdir(), 'tulle-redis-'));
    const server = spawn(
      'redis-server',
      ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory],
      { stdio: 'ignore' },
    );
    cleanups.push(async () => {
      if (server.exitCode === null && server.signalCode === null) {
        server.kill('SIGKILL');
        await once(server, 'exit');
      }
      rmSync(directory, { recursive: true });
    });
    return server;
  }

  it('counts of several processes are one, and end with their window', async () => {
    const port = await freePort();
    await redisAt(port);
    const [one, two] = [countersAt(port), countersAt(port)];
    for (const { next } of [one, two]) while ((await next()) !== 'Redis is there');
    expect(await one.counters.raise([hit('a'), hit('b', 5), hit('a')])).toEqual([1, 5, 2]);
    expect(await two.counters.raise([hit('a', 10)])).toEqual([12]);
    const client = createClient({ url: `redis://127.0.0.1:${port}` });
    await client.connect();
    cleanups.push(() => client.destroy());
    expect(await client.ttl('a')).toBeGreaterThan(55);
    expect(await client.ttl('b')).toBeLessThanOrEqual(60);
  });

  it('fails while Redis is away, and counts again when it is back', async () => {
    const port = await freePort();
    const first = await redisAt(port);
    const { counters, next } = countersAt(port);
    while ((await next()) !== 'Redis is there');
    expect(await counters.raise([hit('a', 7)])).toEqual([7]);
    first.kill('SIGKILL');
    expect(await next()).toMatch(/^Redis is away: /);
    expect(await fails(counters)).toBe('Redis is away');
    await redisAt(port);
    expect(await next()).toBe('Redis is there');
    expect(await counters.raise([hit('a')])).toEqual([1]);
  });
});
