import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('importing the package does not load the library that signs: a sidecar has only the client', async () => {
  const index = join(import.meta.dirname, '../src/index.ts');
  // The signing library needs the reflection polyfill, which leaves its mark on `Reflect`.
  const script = `const ca = await import(${JSON.stringify(index)});
    console.log(typeof ca.createIdentityClient, typeof Reflect.getMetadata);
    const opened = await ca.createCa({ trustDomain: 'example.org', store: ca.memoryStore() });
    opened.close();
    console.log(typeof Reflect.getMetadata);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  expect(stdout).toBe('function undefined\nfunction\n');
});
