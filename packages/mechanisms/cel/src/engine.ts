import { celEnv, isCelError, parse, plan } from '@bufbuild/cel';
import { RE2JS } from '@bufbuild/re2';
import type { AttributeTable } from './attributes/table.ts';
import { bind } from './bindings.ts';
import { checkExpression } from './check.ts';
import { type CelEngine, type CelExpression, type CelIssue, MAX_EXPRESSION_CHARS } from './contract.ts';
import { isAbsence } from './failure.ts';
import { toJson, toText } from './result.ts';

/** Of the functions that there are: those of an environment without attributes. */
const FUNCTIONS = celEnv().funcs;

const NOTHING: CelExpression<unknown> = {
  holds: () => undefined,
  text: () => undefined,
  json: () => undefined,
};

/** The engine of `loadCelEngine`. */
export function createCelEngine(): CelEngine {
  return {
    compile<T>(text: string, attributes: AttributeTable<T>, issues: CelIssue[]): CelExpression<T> {
      const before = issues.length;
      const patterns = new Map<string, RE2JS>();
      const parsed = parsedFrom(text, issues);
      if (parsed !== undefined)
        checkExpression(parsed, attributes, (name) => FUNCTIONS.find(name) !== undefined, patterns, issues);
      if (parsed === undefined || issues.length > before) return NOTHING;
      // An environment of its own, so that its patterns live as long as it does.
      const env = celEnv({ re2: { compile: (pattern) => patterns.get(pattern) ?? RE2JS.compile(pattern) } });
      return expressionOf(plan(env, parsed), attributes);
    },
  };
}

function parsedFrom(text: string, issues: CelIssue[]): ReturnType<typeof parse> | undefined {
  if (text.trim() === '') {
    issues.push({ at: 0, message: 'the expression is empty' });
    return undefined;
  }
  if (text.length > MAX_EXPRESSION_CHARS) {
    issues.push({
      at: 0,
      message: `an expression may have ${MAX_EXPRESSION_CHARS} characters, this one has ${text.length}`,
    });
    return undefined;
  }
  try {
    return parse(text);
  } catch (error) {
    issues.push({ at: offsetOf(error), message: `is no CEL: ${reasonOf(error)}` });
    return undefined;
  }
}

/** Of errors of the parser, which say where. */
function offsetOf(error: unknown): number {
  const location = (error as { readonly location?: { readonly start?: { readonly offset?: unknown } } })
    .location;
  return typeof location?.start?.offset === 'number' ? location.start.offset : 0;
}

function reasonOf(error: unknown): string {
  if (error instanceof RangeError) return 'it is nested too deep';
  return error instanceof Error ? error.message.replace(/^<input>:\d+:\d+: /, '') : String(error);
}

function expressionOf<T>(run: ReturnType<typeof plan>, attributes: AttributeTable<T>): CelExpression<T> {
  const bound = bind(attributes);
  const evaluate = (subject: T): ReturnType<typeof run> => {
    const values = bound.over(subject);
    try {
      return run(values);
    } finally {
      bound.letGo();
    }
  };
  return {
    holds(subject) {
      const result = evaluate(subject);
      if (typeof result === 'boolean') return result;
      return isCelError(result) && isAbsence(result) ? 'absent' : undefined;
    },
    text(subject) {
      const result = evaluate(subject);
      return isCelError(result) ? undefined : toText(result);
    },
    json(subject) {
      const result = evaluate(subject);
      return isCelError(result) ? undefined : toJson(result);
    },
  };
}
