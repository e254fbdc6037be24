import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Log } from '@tulle/filter';

import { createControlPlane, fileState, type StateStore } from '../src/index.ts';
import { resourcesOf } from './generations.ts';
import { joiningNode } from './joining-node.ts';
import { manualClock } from './manual-clock.ts';

describe('a state that cannot be saved', () => {
  const failing = (): StateStore & { broken: boolean; saves: number } => {
    const store = {
      broken: false,
      saves: 0,
      load: () => ({ resources: [], workloads: [] }),
      save(): void {
        store.saves++;
        if (store.broken) throw new Error('ENOSPC: no space left on device');
      },
    };
    return store;
  };

  it('refuses an apply whole, every time it is tried, until it can be saved', async () => {
    const store = failing();
    const plane = createControlPlane({ trustDomain: 'mesh.local', state: store });
    store.broken = true;
    for (let attempt = 0; attempt < 2; attempt++)
      expect(() => plane.apply(resourcesOf(1), [])).toThrow(
        expect.objectContaining({ code: 'TULLE_STATE_UNSAVED' }),
      );
    expect(plane.resources()).toEqual([]);
    store.broken = false;
    expect(plane.apply(resourcesOf(1), []).changeId).toBeDefined();
    await plane.close();
  });

  it('keeps the mesh going: sidecars come and go, status says it, and it is saved when that is possible again', async () => {
    const store = failing();
    const clock = manualClock();
    const errors: string[] = [];
    const quiet = (): void => {};
    const log: Log = {
      debug: quiet,
      info: quiet,
      warn: quiet,
      error: (message) => void errors.push(message),
    };
    const plane = createControlPlane({ trustDomain: 'mesh.local', state: store, clock, log });
    store.broken = true;
    const handle = plane.provider.open(joiningNode('orders'));
    expect(plane.resources()).toHaveLength(1);
    clock.advance(200);
    expect(plane.status().unsaved).toMatch(/no space left/);
    handle.closed('clean');
    expect(plane.resources()).toEqual([]);
    clock.advance(5_000);
    expect(errors).toEqual([expect.stringMatching(/cannot be saved/)]);
    store.broken = false;
    const before = store.saves;
    clock.advance(5_000);
    expect(store.saves).toBe(before + 1);
    expect(plane.status().unsaved).toBeUndefined();
    await plane.close();
  });
});

describe('a state that can be saved', () => {
  it('has who joins after a pause at once, and who joins in the next 200 ms with one save', async () => {
    const saved: string[][] = [];
    const clock = manualClock();
    const plane = createControlPlane({
      trustDomain: 'mesh.local',
      clock,
      state: {
        load: () => ({ resources: [], workloads: [] }),
        save: ({ workloads }) => void saved.push(workloads.map(({ metadata: { name } }) => name)),
      },
    });
    plane.provider.open(joiningNode('one'));
    clock.advance(0);
    expect(saved).toEqual([['one.one-1']]);
    plane.provider.open(joiningNode('two'));
    clock.advance(150);
    plane.provider.open(joiningNode('three'));
    clock.advance(49);
    expect(saved).toHaveLength(1);
    clock.advance(1);
    expect(saved.slice(1)).toEqual([['one.one-1', 'two.two-1', 'three.three-1']]);
    clock.advance(1_000);
    expect(saved).toHaveLength(2);
    await plane.close();
  });
});

const mounted = ((): boolean => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const probe = mkdtempSync(join(tmpdir(), 'tulle-mount-'));
  const ok = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', probe]).status === 0;
  if (ok) spawnSync('umount', [probe]);
  rmSync(probe, { recursive: true });
  return ok;
})();

describe.skipIf(!mounted)('on a real file system that is full (needs root and tmpfs)', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tulle-full-'));
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]).status !== 0)
      throw new Error('the file system of the test cannot be mounted');
  });
  afterEach(() => {
    spawnSync('umount', [directory]);
    rmSync(directory, { recursive: true });
  });

  it('what was saved stays whole, and saving works again when there is room', () => {
    const path = join(directory, 'resources');
    const store = fileState(path);
    const first = { resources: resourcesOf(1), workloads: [] };
    store.save(first);
    const whole = readFileSync(path);
    // All but a page: the next save gets a part of its bytes written.
    const ballast = join(directory, 'ballast');
    fill(ballast, 4096);
    const large = {
      resources: Array.from({ length: 60 }, (_, i) => resourcesOf(i + 1)).flat(),
      workloads: [],
    };
    expect(() => store.save(large)).toThrow();
    expect(readFileSync(path)).toEqual(whole);
    expect(() => statSync(`${path}.new`)).toThrow(/ENOENT/);
    unlinkSync(ballast);
    expect(fileState(path).load()).toEqual(first);
    store.save({ resources: resourcesOf(2), workloads: [] });
    expect(fileState(path).load().resources).toEqual(resourcesOf(2));
  });
});

/** Fills the file system but for `left` bytes. */
function fill(path: string, left: number): void {
  let bytes = 1024 * 1024;
  for (; bytes > 0; bytes -= 4096) {
    try {
      writeFileSync(path, Buffer.alloc(bytes));
      break;
    } catch {
      unlinkSync(path);
    }
  }
  if (bytes > left) writeFileSync(path, Buffer.alloc(bytes - left));
}
