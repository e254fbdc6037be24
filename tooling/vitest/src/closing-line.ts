import type { Reporter, TestModule } from 'vitest/node';

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * Counts a run. Besides failed tests, these count as failed: a file that does not load, a suite whose hook threw
 * (its tests read as skipped), a test that never finished, and an error that no test caught.
 */
export function tally(modules: readonly TestModule[], unhandledErrors: number): Tally {
  let [passed, failed, skipped] = [0, unhandledErrors, 0];
  for (const module of modules) {
    for (const group of [module, ...module.children.allSuites()]) if (group.errors().length > 0) failed++;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') passed++;
      else if (state === 'skipped') skipped++;
      else failed++;
    }
  }
  return { passed, failed, skipped };
}

/** Failures named at the end of a run; a run with more is broken in another way. */
const MAX_NAMED = 20;

/** One line for each failure, with the first line of its message: at the end of a long log they are all that is read. */
export function failures(
  modules: readonly TestModule[],
  unhandled: readonly { message?: string }[],
): string[] {
  const lines: string[] = [];
  const say = (where: string, message: string | undefined): void => {
    lines.push(`failed: ${where}: ${(message ?? 'no message').split('\n')[0]}`);
  };
  for (const module of modules) {
    const path = module.relativeModuleId;
    if (module.errors().length > 0) say(path, module.errors()[0]?.message);
    for (const suite of module.children.allSuites())
      if (suite.errors().length > 0) say(`${path} > ${suite.fullName}`, suite.errors()[0]?.message);
    for (const test of module.children.allTests()) {
      const result = test.result();
      if (result.state === 'failed') say(`${path} > ${test.fullName}`, result.errors[0]?.message);
      else if (result.state === 'pending') say(`${path} > ${test.fullName}`, 'it never ended');
    }
  }
  for (const error of unhandled) say('an error that no test caught', error.message);
  return lines.length > MAX_NAMED
    ? [...lines.slice(0, MAX_NAMED), `failed: and ${lines.length - MAX_NAMED} more`]
    : lines;
}

/**
 * Prints `N passed, N failed, N skipped` as the last line of the run, above it what failed, and fails a run in which
 * nothing ran.
 */
export function closingLine(): Reporter {
  let result: Tally = { passed: 0, failed: 1, skipped: 0 }; // what a run that dies before its end reports
  let named: readonly string[] = ['failed: the run ended before its tests did'];
  return {
    onInit(): void {
      process.once('exit', () => {
        if (result.failed > 0 || result.passed === 0) process.exitCode ||= 1;
        for (const line of named) process.stdout.write(`${line}\n`);
        process.stdout.write(`${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped\n`);
      });
    },
    onTestRunEnd(modules, unhandledErrors): void {
      result = tally(modules, unhandledErrors.length);
      named = failures(modules, unhandledErrors);
    },
  };
}
