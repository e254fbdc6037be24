import { type CelIssue, loadedCelEngine, NO_CEL_ENGINE, STREAM_ATTRIBUTES } from '@tulle/cel';
import type { RateLimitActions } from '@tulle/model';
import { compileValue } from './compile-edits.ts';
import type { Issues } from './issues.ts';

/**
 * Checks the texts with operators and the expressions by which requests are described to filters that limit rates: those compile them with
 * the first request, which is too late to refuse one. @param path of the list
 */
export function checkRateLimits(
  limits: readonly RateLimitActions[] | undefined,
  path: string,
  issues: Issues,
): void {
  for (const [index, { actions }] of (limits ?? []).entries())
    for (const [at, action] of actions.entries()) {
      const here = `${path}/${index}/actions/${at}`;
      if (action.kind === 'address-match' && action.format === true)
        compileValue(action.value, `${here}/value`, issues);
      else if (action.kind === 'cel') checkExpression(action.cel, `${here}/cel`, issues);
    }
}

function checkExpression(text: string, path: string, issues: Issues): void {
  const engine = loadedCelEngine();
  if (engine === undefined) issues.add(path, NO_CEL_ENGINE);
  const faults: CelIssue[] = [];
  engine?.compile(text, STREAM_ATTRIBUTES, faults);
  for (const { at, message } of faults) issues.add(path, `column ${at + 1}: ${message}`);
}
