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

/** Prints `N passed, N failed, N skipped` as the last line of the run, and fails a run in which nothing ran. */
export function closingLine(): Reporter {
  let result: Tally = { passed: 0, failed: 1, skipped: 0 }; // what a run that dies before its end reports
  return {
    onInit(): void {
      process.once('exit', () => {
        if (result.failed > 0 || result.passed === 0) process.exitCode ||= 1;
        process.stdout.write(`${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped\n`);
      });
    },
    onTestRunEnd(modules, unhandledErrors): void {
      result = tally(modules, unhandledErrors.length);
    },
  };
}
