/** A run of Tulle against somebody else's implementation. */
export interface Suite {
  readonly name: string;
  /** Why it cannot run on this machine, or undefined: a missing tool by name and how to get it. */
  readonly unavailable: () => string | undefined;
  /** Throws with the first thing that is wrong. */
  readonly run: () => Promise<void>;
}

export const suites: readonly Suite[] = [];
