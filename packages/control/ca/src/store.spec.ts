import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { StoreError } from './errors.ts';
import { directoryStore, memoryStore, type SecretStore } from './store.ts';

const run = promisify(execFile);
const made: string[] = [];
afterEach(async () => {
  for (const path of made.splice(0)) await rm(path, { recursive: true });
});
async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tulle-store-'));
  made.push(directory);
  return directory;
}
const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

describe.each([
  ['in memory', async (): Promise<SecretStore> => memoryStore()],
  ['in a directory', async (): Promise<SecretStore> => directoryStore(join(await temporary(), 'ca'))],
])('a store %s', (_where, open) => {
  it('keeps texts by name', async () => {
    const store = await open();
    expect(await store.read('a')).toBeUndefined();
    await store.write('a', 'one');
    await store.write('a', 'two');
    await store.write('b.json', '');
    expect(await store.read('a')).toBe('two');
    expect((await store.list()).toSorted()).toEqual(['a', 'b.json']);
    await store.remove('a');
    await store.remove('a');
    expect(await store.read('a')).toBeUndefined();
  });

  it('makes a text for one of many who try at once', async () => {
    const store = await open();
    const won = await Promise.all(Array.from({ length: 8 }, (_, i) => store.create('a', `${i}`)));
    expect(won.filter(Boolean)).toHaveLength(1);
    expect(await store.read('a')).toBe(`${won.indexOf(true)}`);
    expect(await store.list()).toEqual(['a']);
    await store.remove('a');
    expect(await store.create('a', 'again')).toBe(true);
  });
});

describe('a store in a directory', () => {
  it('on a full disk says so, keeps the text of before and leaves nothing behind', async (context) => {
    const directory = await temporary();
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'tmpfs', directory]).then(
      () => true,
      () => false,
    );
    if (!mounted) return context.skip('a small disk can be mounted by root only');
    try {
      const store = directoryStore(directory);
      await store.write('state.json', 'before');
      const large = 'x'.repeat(100_000);
      await expect(store.write('state.json', large)).rejects.toThrow('ENOSPC');
      await expect(store.create('token.json', large)).rejects.toThrow('ENOSPC');
      expect(await store.read('state.json')).toBe('before');
      expect(await readdir(directory)).toEqual(['state.json']);
      await store.write('state.json', 'after');
      expect(await store.read('state.json')).toBe('after');
    } finally {
      await run('umount', [directory]);
    }
    return undefined;
  });

  it('makes directory and files for their owner only, whatever the umask', async () => {
    const directory = join(await temporary(), 'deep', 'ca');
    const before = process.umask(0);
    try {
      await directoryStore(directory).write('key.pem', 'secret');
    } finally {
      process.umask(before);
    }
    expect([await modeOf(directory), await modeOf(join(directory, 'key.pem'))]).toEqual(['700', '600']);
  });

  it.each([0o750, 0o705, 0o770])('refuses a directory of mode %o and says how to close it', async (mode) => {
    const directory = join(await temporary(), 'ca');
    await mkdir(directory);
    await chmod(directory, mode);
    const store = directoryStore(directory);
    await expect(store.write('a', 'x')).rejects.toThrow(`chmod 0700 ${directory}`);
    await chmod(directory, 0o700);
    await store.write('a', 'x');
    expect(await store.read('a')).toBe('x');
  });

  it('with a shared directory, refuses only what others may write', async () => {
    const directory = join(await temporary(), 'state');
    await mkdir(directory);
    await chmod(directory, 0o755);
    await directoryStore(directory, { directory: 'not-writable' }).write('a', 'x');
    expect(await modeOf(join(directory, 'a'))).toBe('600');
    await chmod(directory, 0o775);
    await expect(directoryStore(directory, { directory: 'not-writable' }).read('a')).rejects.toThrow(
      StoreError,
    );
  });

  it('refuses a file that others may read, and a symbolic link', async () => {
    const directory = join(await temporary(), 'ca');
    const store = directoryStore(directory);
    await store.write('key.pem', 'secret');
    await chmod(join(directory, 'key.pem'), 0o640);
    await expect(store.read('key.pem')).rejects.toThrow(/mode 0640.*chmod 0600/);
    await symlink('/etc/hostname', join(directory, 'link.pem'));
    await expect(store.read('link.pem')).rejects.toThrow('symbolic link');
  });

  it('clears what a crash left half written, and nothing else', async () => {
    const directory = join(await temporary(), 'ca');
    await directoryStore(directory).write('ca.json', 'whole');
    await writeFile(join(directory, '.ca.json.0123456789ab.new'), 'hal', { mode: 0o600 });
    await writeFile(join(directory, '.keep'), '', { mode: 0o600 });
    const store = directoryStore(directory);
    expect(await store.read('ca.json')).toBe('whole');
    expect((await readdir(directory)).toSorted()).toEqual(['.keep', 'ca.json']);
    expect(await store.list()).toEqual(['ca.json']);
  });

  it.each(['../ca.json', 'a/b', '', '.hidden', 'A', 'a\0b'])('refuses %j as a name', async (name) => {
    await expect(directoryStore(join(await temporary(), 'ca')).read(name)).rejects.toThrow(StoreError);
  });
});
