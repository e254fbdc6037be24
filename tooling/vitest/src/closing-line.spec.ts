import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const repository = join(import.meta.dirname, '../../..');

/** Runs vitest over these files with the reporter; returns its exit code, last line, and what it names as failed. */
function run(
  files: Record<string, string>,
): [exitCode: number | null, lastLine: string | undefined, failed: string[]] {
  const root = mkdtempSync(join(tmpdir(), 'closing-line-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(
        join(root, name),
        `import { beforeAll, describe, expect, it } from '${repository}/node_modules/vitest/dist/index.js';\n${text}`,
      );
    }
    writeFileSync(
      join(root, 'vitest.config.ts'),
      `import { closingLine } from '${import.meta.dirname}/closing-line.ts';
       export default { test: { include: ['*.spec.ts'], isolate: false, reporters: ['default', closingLine()] } };`,
    );
    const vitest = join(repository, 'node_modules/vitest/vitest.mjs');
    const { status, stdout } = spawnSync(process.execPath, [vitest, 'run', '--root', root], {
      encoding: 'utf8',
    });
    const lines = stdout.trimEnd().split('\n');
    return [status, lines.at(-1), lines.filter((line) => line.startsWith('failed: ')).toSorted()];
  } finally {
    rmSync(root, { recursive: true });
  }
}

const ok = `it('ok', () => {});`;

it('ends a good run with its counts', () => {
  expect(run({ 'a.spec.ts': `${ok} it.skip('later', () => {});`, 'b.spec.ts': ok })).toEqual([
    0,
    '2 passed, 0 failed, 1 skipped',
    [],
  ]);
});

it('counts a failed test, a failed hook, a file that does not load and an uncaught error each as failed', () => {
  const files = {
    'failed.spec.ts': `${ok} it('wrong', () => expect(1).toBe(2));`,
    'hook.spec.ts': `describe('s', () => { beforeAll(() => { throw new Error('x'); }); it('unreached', () => {}); });`,
    'load.spec.ts': `import './absent.ts';`,
    'uncaught.spec.ts': `it('late', async () => { setImmediate(() => { throw new Error('x'); }); await new Promise((r) => setTimeout(r, 20)); });`,
  };
  const [code, lastLine, failed] = run(files);
  expect([code, lastLine]).toEqual([1, '2 passed, 4 failed, 1 skipped']);
  expect(failed).toEqual([
    'failed: an error that no test caught: x',
    'failed: failed.spec.ts > wrong: expected 1 to be 2 // Object.is equality',
    'failed: hook.spec.ts > s: x',
    expect.stringContaining('failed: load.spec.ts: '),
  ]);
});

it('fails a run in which nothing ran', () => {
  expect(run({ 'a.spec.ts': `it.skip('later', () => {});` })).toEqual([
    1,
    '0 passed, 0 failed, 1 skipped',
    [],
  ]);
  expect(run({})).toEqual([1, '0 passed, 0 failed, 0 skipped', []]);
});
