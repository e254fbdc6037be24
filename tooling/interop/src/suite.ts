/** Something of this machine that a suite cannot do without. */
export interface Need {
  readonly what: string;
  /** Looks for it, or brings it into the cache. @returns why it is not to be had, and how to get it; undefined when it is there */
  missing(): Promise<string | undefined>;
}

/** One behaviour that is proved against somebody else's implementation. */
export interface Case<Context> {
  readonly name: string;
  /** Throws with what is wrong. @returns what it found, where that says more than that it passed */
  run(context: Context): Promise<string | void>;
}

/** What a suite set up for its cases. */
export interface Opened<Context> {
  readonly context: Context;
  close(): Promise<void>;
}

/** A run of Tulle against one other implementation: what it needs, what it sets up, what it proves. */
export interface Suite<Context> {
  readonly name: string;
  readonly about: string;
  readonly needs: readonly Need[];
  open(): Promise<Opened<Context>>;
  readonly cases: readonly Case<Context>[];
}

/** A suite whose context nobody else sees. */
export interface RunnableSuite {
  readonly name: string;
  readonly about: string;
  run(say: (line: string) => void): Promise<Tally>;
}

/** Makes a suite that can stand in a list with others. */
export function runnable<Context>(suite: Suite<Context>): RunnableSuite {
  return { name: suite.name, about: suite.about, run: (say) => runSuite(suite, say) };
}

/** What came of a suite's cases. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Runs a suite. Where something is missing, every case counts as skipped and the reason is told; a set-up that fails is one
 * failure and skips the cases.
 */
async function runSuite<Context>(suite: Suite<Context>, say: (line: string) => void): Promise<Tally> {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  say(`${suite.name}: ${suite.about}`);
  for (const need of suite.needs) {
    const reason = await need.missing();
    if (reason === undefined) continue;
    tally.skipped = suite.cases.length;
    say(`  - ${suite.cases.length} cases skipped: ${need.what} is missing, ${reason}`);
    return tally;
  }
  let opened: Opened<Context>;
  try {
    opened = await suite.open();
  } catch (error) {
    say(`  × cannot be set up: ${textOf(error)}`);
    return { passed: 0, failed: 1, skipped: suite.cases.length };
  }
  try {
    for (const one of suite.cases) {
      const started = performance.now();
      try {
        const found = await one.run(opened.context);
        tally.passed++;
        say(
          `  √ ${one.name}${found === undefined ? '' : `: ${found}`}, ${((performance.now() - started) / 1000).toFixed(1)} s`,
        );
      } catch (error) {
        tally.failed++;
        say(`  × ${one.name}: ${textOf(error)}`);
      }
    }
  } finally {
    await opened.close();
  }
  return tally;
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const cause =
    error instanceof Error && error.cause !== undefined ? `\nbecause of ${textOf(error.cause)}` : '';
  return (text + cause).replaceAll('\n', '\n    ');
}
