/**
 * `pnpm all`: every check of the house, then: generating and building left the tree as it was.
 * With `--system`: the demo's scenes, hostile input, floods, interop and a smoke of the bench after them (`.ci/run`).
 * Ends with one line, the sum of all: a check that counts its own tests adds those, any other is one.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { houseChecks, systemChecks } from './checks.ts';
import { runCheck } from './run-check.ts';
import { type Tally, add, closingLine } from './tally.ts';
import { changedPaths, readTree } from './tree.ts';

/** Failures of one check that the summary repeats. */
const MAX_FAILURES = 20;
const root = join(import.meta.dirname, '../../..');
const sum: Tally = { passed: 0, failed: 0, skipped: 0 };
const summary: string[] = [];
const before = readTree(root);
const began = performance.now();

for (const check of process.argv.includes('--system') ? [...houseChecks, ...systemChecks] : houseChecks) {
  if (check.needs && !existsSync(join(root, check.needs))) {
    add(sum, { passed: 0, failed: 0, skipped: 1 });
    summary.push(`- ${check.name}: skipped, there is no ${check.needs} yet`);
    continue;
  }
  console.log(`\n== ${check.name}: ${check.command.join(' ')}`);
  const started = performance.now();
  const failures: string[] = [];
  const result = await runCheck(check, root, (line) => failures.push(line));
  add(sum, result);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  summary.push(
    `${result.failed > 0 ? '×' : '√'} ${check.name}: ${closingLine(result).replaceAll(',', ' ·')}, ${seconds} s`,
  );
  // Again at the end, where whoever has only the tail of the log finds them.
  if (result.failed > 0) summary.push(...failures.slice(-MAX_FAILURES).map((line) => `    ${line}`));
}

const after = readTree(root);
if (before === undefined || after === undefined) {
  add(sum, { passed: 0, failed: 0, skipped: 1 });
  summary.push('- unchanged: skipped, there is no git repository here');
} else {
  const changed = changedPaths(before, after);
  add(sum, { passed: changed.length > 0 ? 0 : 1, failed: changed.length > 0 ? 1 : 0, skipped: 0 });
  summary.push(
    changed.length > 0
      ? `× unchanged: the checks changed ${changed.join(', ')}; commit what they generate`
      : '√ unchanged: the checks left the tree as it was',
  );
}

const minutes = ((performance.now() - began) / 60_000).toFixed(1);
console.log(`\n${summary.join('\n')}\nall of it in ${minutes} min\n${closingLine(sum)}`);
process.exitCode = sum.failed > 0 ? 1 : 0;
