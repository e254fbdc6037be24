import { type CelIssue, loadedCelEngine, NO_CEL_ENGINE, STREAM_ATTRIBUTES } from '@tulle/cel';
import {
  compileCidrs,
  CompileContext,
  compileHeaderMatch,
  compileQueryMatch,
  compileStringMatch,
  loadedRegexEngine,
} from '@tulle/match';
import type { RateLimitAction, RateLimitActions } from '@tulle/model';
import { compileValue } from './compile-edits.ts';
import type { Issues } from './issues.ts';

/**
 * Checks what the schema cannot of how requests are described to filters that limit rates: those compile it with the first request,
 * which is too late to refuse it. @param path of the list
 */
export function checkRateLimits(
  limits: readonly RateLimitActions[] | undefined,
  path: string,
  issues: Issues,
): void {
  if (limits === undefined) return;
  const context = new CompileContext(loadedRegexEngine());
  for (const [index, { actions }] of limits.entries())
    for (const [at, action] of actions.entries())
      checkAction(action, `${path}/${index}/actions/${at}`, context, issues);
  for (const issue of context.issues) issues.add(issue.path, issue.message);
}

function checkAction(action: RateLimitAction, path: string, context: CompileContext, issues: Issues): void {
  switch (action.kind) {
    case 'address-match':
      compileCidrs(action.cidrs, context, `${path}/cidrs`);
      if (action.format === true) compileValue(action.value, `${path}/value`, issues);
      return;
    case 'header-match':
      for (const [index, one] of action.headers.entries()) {
        const here = `${path}/headers/${index}`;
        if (one.name.startsWith(':')) compileStringMatch(one.match, context, `${here}/match`);
        else compileHeaderMatch(one, context, here);
      }
      return;
    case 'query-match':
      for (const [index, one] of action.query.entries())
        compileQueryMatch(one, context, `${path}/query/${index}`);
      return;
    case 'cel':
      checkExpression(action.cel, `${path}/cel`, issues);
      return;
    default:
  }
}

function checkExpression(text: string, path: string, issues: Issues): void {
  const engine = loadedCelEngine();
  if (engine === undefined) issues.add(path, NO_CEL_ENGINE);
  const faults: CelIssue[] = [];
  engine?.compile(text, STREAM_ATTRIBUTES, faults);
  for (const { at, message } of faults) issues.add(path, `column ${at + 1}: ${message}`);
}
