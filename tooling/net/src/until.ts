/** Looks again until something holds that nobody tells of. @throws Error naming it when it does not in time, by default ten seconds */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 10_000,
): Promise<void> {
  const startedMs = performance.now();
  while (!(await holds())) {
    if (performance.now() - startedMs > limitMs) throw new Error(`${limitMs / 1000} s passed before ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
