/** Runs a job, but does not wait longer for it. Its failure was reported where it happened. */
export async function within(limitMs: number, job: () => Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, limitMs);
  job().then(resolve, resolve);
  await promise;
  clearTimeout(timer);
}

/** Longest that flushing may hold up a drain: less than the 5 s that a sink is given. */
export const FLUSH_LIMIT_MS = 4_000;
/** Longest for what came after the drain. */
export const LAST_FLUSH_LIMIT_MS = 2_000;
/** Longest for ending what is under way. */
export const CLOSE_LIMIT_MS = 1_000;
