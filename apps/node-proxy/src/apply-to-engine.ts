import { isTulleError } from '@tulle/filter';
import type { ApplyResult } from '@tulle/xds-client';

/** An engine that ends while it is given a configuration has a successor; it may be the configuration that ends each. */
const ATTEMPTS = 3;

/**
 * Has a configuration taken, also where the engine ends meanwhile for reasons of its own.
 * @param apply rejects with a TulleError where the configuration is refused, with another where no engine took it
 * @returns `undefined`: it is in force
 */
export async function applyToEngine(
  apply: () => Promise<void>,
): Promise<Extract<ApplyResult, { readonly ok: false }> | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      await apply();
      return undefined;
    } catch (error) {
      const issues = isTulleError(error) ? error.issues : [];
      if (issues.length > 0) return { ok: false, issues };
      if (attempt < ATTEMPTS && !isTulleError(error)) continue;
      return {
        ok: false,
        issues: [{ path: '', message: error instanceof Error ? error.message : String(error) }],
      };
    }
  }
}
