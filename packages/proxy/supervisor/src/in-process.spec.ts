import { mkdtemp, rm } from 'node:fs/promises';
import net, { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emptyProxyConfig, isInternalAddress, type Address, type TcpAddress } from '@tulle/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canBindSockets } from './bound-socket.ts';
import type { CreateEngine } from './engine.ts';
import { createInProcessSupervisor } from './in-process.ts';

/** Says its name to whoever connects, on each listener. */
const greeter: CreateEngine<string> = async ({ settings, listeners }) => {
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(
      servers.splice(0).map(async (server) => new Promise((resolve) => server.close(resolve))),
    );
  };
  return {
    async apply(config) {
      for (const { address } of config.listeners) {
        if (isInternalAddress(address)) continue;
        const { handle } = await listeners.acquire(address);
        const server = createServer((socket) => socket.end(settings));
        await new Promise<void>((resolve) => server.listen(handle, resolve));
        servers.push(server);
      }
    },
    drain: close,
    close,
  };
};

const greeting = async ({ host, port }: TcpAddress): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = '';
    net
      .connect(port, host)
      .setEncoding('utf8')
      .on('data', (piece: string) => (text += piece))
      .on('close', () => resolve(text))
      .on('error', reject);
  });

describe('a supervisor of one process', () => {
  let dir = '';
  const internals = net as { _createServerHandle?: unknown };
  const own = internals._createServerHandle;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ip-'));
  });
  afterEach(async () => {
    internals._createServerHandle = own;
    await rm(dir, { recursive: true });
  });

  it.each([
    ['binds without accepting', true],
    ['does without the private API where a Node lacks it', false],
  ])('%s', async (_, present) => {
    if (!present) delete internals._createServerHandle;
    expect(canBindSockets()).toBe(present);
    const sv = createInProcessSupervisor({ createEngine: greeter, settings: 'hello', runDir: dir });
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const taken = other.address() as { port: number };
    await expect(sv.bind({ host: '127.0.0.1', port: taken.port })).rejects.toThrow(
      `cannot listen on 127.0.0.1:${taken.port}: EADDRINUSE, another process listens there`,
    );
    other.close();
    const address = (await sv.bind({ host: '127.0.0.1', port: 0 })) as TcpAddress;
    expect(address.port).toBeGreaterThan(0);
    const listener = (at: Address): (typeof emptyProxyConfig)['listeners'][number] => ({
      name: 'l',
      address: at,
      filterChains: [],
    });
    await sv.start({ ...emptyProxyConfig, version: '1', listeners: [listener(address)] });
    expect(await greeting(address)).toBe('hello');
    await sv.restart({ settings: 'again' });
    expect(await greeting(address)).toBe('again');
    await sv.stop(100);
    await expect(greeting(address)).rejects.toThrow('ECONNREFUSED');
  });
});
