import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runCheck } from './run-check.ts';
import { parseClosingLine, resultOf } from './tally.ts';
import { changedPaths, readTree } from './tree.ts';

describe('a result', () => {
  it('is read from a line that is nothing but the counts', () => {
    expect(parseClosingLine('12 passed, 0 failed, 3 skipped')).toEqual({ passed: 12, failed: 0, skipped: 3 });
    expect(parseClosingLine('Tests 12 passed, 0 failed, 3 skipped')).toBeUndefined();
  });

  it('is the stated counts, or the check itself as one', () => {
    expect(resultOf(true, { passed: 12, failed: 0, skipped: 3 })).toEqual({
      passed: 12,
      failed: 0,
      skipped: 3,
    });
    expect(resultOf(true, undefined)).toEqual({ passed: 1, failed: 0, skipped: 0 });
    expect(resultOf(false, undefined)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  it('is never without a failure when the exit code was not 0', () => {
    expect(resultOf(false, { passed: 12, failed: 0, skipped: 0 }).failed).toBe(1);
  });
});

describe('runCheck', () => {
  const shown: string[] = [];
  const failures: string[] = [];
  beforeEach(() => {
    shown.length = 0;
    failures.length = 0;
    for (const stream of [process.stdout, process.stderr]) {
      vi.spyOn(stream, 'write').mockImplementation((text) => shown.push(String(text)) > 0);
    }
    for (const method of ['log', 'error'] as const) {
      vi.spyOn(console, method).mockImplementation((text) => void shown.push(`${text}\n`));
    }
  });
  afterEach(() => vi.restoreAllMocks());

  const sh = (script: string, timeoutMinutes = 1, stopGraceMs?: number): ReturnType<typeof runCheck> =>
    runCheck(
      { name: 'sh', command: ['sh', '-c', script], timeoutMinutes },
      tmpdir(),
      (line) => failures.push(line),
      stopGraceMs,
    );

  it('shows both outputs and holds back the closing line', async () => {
    expect(await sh('echo out; echo err >&2; echo "2 passed, 0 failed, 1 skipped"')).toEqual({
      passed: 2,
      failed: 0,
      skipped: 1,
    });
    expect(shown.toSorted()).toEqual(['err\n', 'out\n']);
  });

  it('hands on the lines that name a failure', async () => {
    await sh('echo "failed: a.spec.ts > b: c"; echo "  × case, 0.1 s"; echo "  √ other × case"; exit 1');
    expect(failures).toEqual(['failed: a.spec.ts > b: c', '× case, 0.1 s']);
  });

  it('fails a command that fails or does not start', async () => {
    expect((await sh('exit 3')).failed).toBe(1);
    const absent = await runCheck(
      { name: 'x', command: ['/absent/tool'], timeoutMinutes: 1 },
      tmpdir(),
      () => {},
    );
    expect(absent.failed).toBe(1);
  });

  it('stops a check that takes too long, with what it started', async () => {
    expect((await sh('sleep 300 & sleep 300', 0.001)).failed).toBe(1);
    expect(shown).toEqual(['sh: stopped after 0.001 minutes\n']);
    expect(failures).toEqual(['stopped after 0.001 minutes']);
  });

  it('lets what is stopped take down what it made, also where the check itself has ended by then', async () => {
    const cleaning = `sh -c 'trap "sleep 0.3; echo taken down; exit" TERM; while :; do sleep 0.05; done' 2>/dev/null & sleep 300`;
    expect((await sh(cleaning, 0.005)).failed).toBe(1);
    expect(shown).toEqual(['taken down\n', 'sh: stopped after 0.005 minutes\n']);
  });

  it('kills what does not end when it is told to', async () => {
    // It holds the output, which is read to its end.
    const deaf = `sh -c 'trap "" TERM; while :; do sleep 0.05; done' 2>/dev/null & sleep 300`;
    expect((await sh(deaf, 0.005, 200)).failed).toBe(1);
    expect(failures).toEqual(['stopped after 0.005 minutes']);
  });
});

it('names the files that were added, changed and removed, and no ignored ones', () => {
  const root = mkdtempSync(join(tmpdir(), 'tree-'));
  try {
    execFileSync('git', ['init', '-q'], { cwd: root });
    const write = (path: string, text: string): void => writeFileSync(join(root, path), text);
    write('.gitignore', 'dist');
    write('same', '1');
    write('edited', '1');
    write('removed', '1');
    const before = readTree(root);
    write('edited', '2');
    write('added', '1');
    write('dist', '1');
    rmSync(join(root, 'removed'));
    expect(changedPaths(before ?? new Map(), readTree(root) ?? new Map())).toEqual([
      'added',
      'edited',
      'removed',
    ]);
    rmSync(join(root, '.git'), { recursive: true });
    expect(readTree(root)).toBeUndefined();
  } finally {
    rmSync(root, { recursive: true });
  }
});
