import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { StoreError } from './errors.ts';
import { directoryStore, memoryStore, type SecretStore } from './store.ts';

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

  it('moves a text for one of many who try at once', async () => {
    const store = await open();
    await store.write('a', 'x');
    const won = await Promise.all(Array.from({ length: 8 }, () => store.move('a', 'b')));
    expect(won.filter(Boolean)).toHaveLength(1);
    expect([await store.read('a'), await store.read('b')]).toEqual([undefined, 'x']);
  });
});

describe('a store in a directory', () => {
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
