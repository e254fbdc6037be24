import type { CelEngine } from './contract.ts';

let loaded: CelEngine | undefined;

/** The engine, where this process has loaded it; whoever compiles a configuration loads it where that {@link hasCel}. */
export function loadedCelEngine(): CelEngine | undefined {
  return loaded;
}

/** What is said of an expression where the engine is not there. */
export const NO_CEL_ENGINE =
  'is CEL, and its engine was not loaded; await loadCelEngine() of @tulle/cel before';

/** Loads the engine (some 100 ms and 20 MB): only worth it where a configuration has an expression. */
export async function loadCelEngine(): Promise<CelEngine> {
  return (loaded ??= (await import('./engine.ts')).createCelEngine());
}
