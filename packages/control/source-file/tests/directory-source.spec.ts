import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Diagnostic, ResourceSource, SourceBatch } from '@tulle/resources';
import { directorySource } from '../src/index.ts';

const service = (name: string, spec = 'ports: [{ port: 80 }]'): string =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ${spec} }\n`;
let directory = '';
let source: ResourceSource;
const held = new Map<string, string[]>();
let faults: readonly Diagnostic[] = [];
let batches = 0;
let wake = (): void => {};

/** Resolves when `condition` holds after something was told. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition())
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tulle-files-'));
  mkdirSync(join(directory, 'mesh'));
  held.clear();
  batches = 0;
  writeFileSync(join(directory, 'mesh', 'a.yaml'), service('a'));
  source = directorySource({ directory: join(directory, 'mesh'), debounceMs: 5, pollMs: 50 });
  await source.start({
    held: [],
    apply(batch: SourceBatch) {
      batches += 1;
      for (const { owner, resources } of batch.updates)
        held.set(
          owner.split('/').at(-1) ?? '',
          resources.map((r) => r.resource.metadata.name),
        );
      wake();
      return [];
    },
    faults(now) {
      faults = now;
      wake();
    },
  });
});
afterEach(async () => {
  await source.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('a watched directory', () => {
  it('hands over what is there, then what changes, then what goes', async () => {
    expect([...held]).toEqual([['a.yaml', ['a']]]);
    mkdirSync(join(directory, 'mesh', 'deep'));
    writeFileSync(join(directory, 'mesh', 'deep', 'b.yml'), `${service('b')}---\n${service('c')}`);
    await until(() => held.has('b.yml'));
    expect(held.get('b.yml')).toEqual(['b', 'c']);
    rmSync(join(directory, 'mesh', 'a.yaml'));
    await until(() => held.get('a.yaml')?.length === 0);
  });

  it('keeps the last good content of a file that breaks, tells why, and heals', async () => {
    writeFileSync(join(directory, 'mesh', 'a.yaml'), service('a', 'prots: []'));
    await until(() => faults.length > 0);
    expect(faults.map((d) => d.code)).toContain('TULLE0201');
    expect(held.get('a.yaml')).toEqual(['a']);
    expect(batches).toBe(1);
    writeFileSync(join(directory, 'mesh', 'a.yaml'), service('a2'));
    await until(() => held.get('a.yaml')?.[0] === 'a2' && faults.length === 0);
  });

  it('never takes a vanished directory for an empty one, and follows it when it is back', async () => {
    renameSync(join(directory, 'mesh'), join(directory, 'away'));
    await until(() => faults.some((d) => d.code === 'TULLE0106'));
    expect(held.get('a.yaml')).toEqual(['a']);
    renameSync(join(directory, 'away'), join(directory, 'mesh'));
    writeFileSync(join(directory, 'mesh', 'a.yaml'), service('back'));
    await until(() => held.get('a.yaml')?.[0] === 'back');
  });
});
