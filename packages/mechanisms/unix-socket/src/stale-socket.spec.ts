import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { removeStaleSocket, socketState } from './stale-socket.ts';

const directory = mkdtempSync(join(tmpdir(), 'tulle-socket-'));
afterAll(() => rmSync(directory, { recursive: true }));

it('leaves a file and a socket in use alone, and says so', async () => {
  const file = join(directory, 'precious');
  writeFileSync(file, 'mine');
  await expect(removeStaleSocket(file)).rejects.toThrow(/is no socket/);
  const path = join(directory, 'live');
  const server = createServer().listen(path);
  await once(server, 'listening');
  await expect(removeStaleSocket(path)).rejects.toThrow(/another process listens/);
  expect([existsSync(file), existsSync(path)]).toEqual([true, true]);
  server.close();
  await once(server, 'close');
  // Closing removes the file.
  expect([existsSync(path), await socketState(path)]).toEqual([false, 'absent']);
  await removeStaleSocket(path);
});

it('removes what a killed process left behind', async () => {
  const path = join(directory, 'left');
  const owner = spawn(process.execPath, [
    '-e',
    `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('listening'))`,
  ]);
  await once(owner.stdout, 'data');
  expect(await socketState(path)).toBe('served');
  owner.kill('SIGKILL');
  await once(owner, 'exit');
  expect([existsSync(path), await socketState(path)]).toEqual([true, 'stale']);
  await removeStaleSocket(path);
  expect(existsSync(path)).toBe(false);
});

// Elsewhere (BSD, macOS) a full queue is refused like a missing listener, and cannot be told from it.
it.runIf(process.platform === 'linux')(
  'leaves the socket of an owner who is too busy to accept',
  async () => {
    const path = join(directory, 'busy');
    const server = createServer().listen({ path, backlog: 1 });
    await once(server, 'listening');
    // All within one turn, so that the owner accepts none of them before the probe.
    const waiting = Array.from({ length: 8 }, () => connect(path).on('error', () => {}));
    const asked = removeStaleSocket(path);
    await expect(asked).rejects.toThrow(/EAGAIN/);
    expect(existsSync(path)).toBe(true);
    for (const socket of waiting) socket.destroy();
    server.close();
    await once(server, 'close');
  },
);
