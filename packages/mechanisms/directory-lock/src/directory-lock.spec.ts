import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DirectoryInUseError, lockDirectory } from './directory-lock.ts';

describe('the lock of a directory', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tulle-lock-'));
  });
  afterEach(async () => rm(directory, { recursive: true }));

  it('is held by one taker of a process at a time, and can be taken again when it was released', async () => {
    const first = await lockDirectory(directory);
    await expect(lockDirectory(directory)).rejects.toMatchObject({ directory, pid: process.pid });
    await expect(lockDirectory(directory)).rejects.toThrow(DirectoryInUseError); // the refusal did not free it
    first.release();
    (await lockDirectory(directory)).release();
  });

  it('names the process that holds it, and ends with that process, however it ends', async () => {
    const script = `
      const { lockDirectory } = await import(${JSON.stringify(join(import.meta.dirname, 'index.ts'))});
      globalThis.lock = await lockDirectory(${JSON.stringify(directory)});
      console.log('held');
      setInterval(() => undefined, 1000);`;
    const other = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(other.stdout, 'data');
      await expect(lockDirectory(directory)).rejects.toThrow(
        `${directory} is in use by process ${other.pid}; stop that process`,
      );
      await writeFile(join(directory, '.lock-holder'), 'nonsense');
      await expect(lockDirectory(directory)).rejects.toThrow('in use by another process');
    } finally {
      other.kill('SIGKILL');
      await once(other, 'exit');
    }
    (await lockDirectory(directory)).release();
  });
});
