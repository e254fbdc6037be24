/** Looks again until something holds that nobody tells of. @throws Error naming it when it does not in ten seconds */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const startedMs = performance.now();
  while (!(await holds())) {
    if (performance.now() - startedMs > 10_000) throw new Error(`10 s passed before ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
