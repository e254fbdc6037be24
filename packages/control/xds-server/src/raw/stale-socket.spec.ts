import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { removeStaleSocket } from './stale-socket.ts';

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
  await removeStaleSocket(path);
  expect(existsSync(path)).toBe(false);
});
