import type { Compile, Getter, OperatorContext, Operators } from './operator.ts';
import type { FormatIssue } from '../format-parser.ts';

/** One of the operators that a value is looked for in. */
type Choice = string | { readonly command: string; readonly param?: string; readonly max_length?: number };

const EXAMPLE = '%COALESCE({"operators":["REQUESTED_SERVER_NAME",{"command":"REQ","param":":authority"}]})%';

/**
 * `COALESCE({"operators":[…]})`: the first of some operators that has a value.
 * @param compile of one operator
 */
export function coalesce(
  compile: (
    operator: { readonly name: string; readonly argument: string | undefined; readonly at: number },
    issues: FormatIssue[],
    context: OperatorContext,
  ) => Getter,
): Operators {
  const operator: Compile = (argument, at, issues, context) => {
    const choices = choicesOf(argument);
    if (choices === undefined) {
      issues.push({ at, message: `give a list of operators as JSON, e.g. ${EXAMPLE}` });
      return () => undefined;
    }
    const getters = choices.map((choice): Getter => {
      const { command, param, max_length: max } = typeof choice === 'string' ? { command: choice } : choice;
      const get = compile({ name: command, argument: param, at }, issues, context);
      return max === undefined
        ? get
        : (record) => {
            const value = get(record);
            return typeof value === 'string' ? value.slice(0, max) : value;
          };
    });
    return (record) => {
      for (const get of getters) {
        const value = get(record);
        if (value !== undefined && value !== '') return value;
      }
      return undefined;
    };
  };
  return { COALESCE: operator };
}

/** @returns `undefined` for anything else than such a list */
function choicesOf(argument: string | undefined): readonly Choice[] | undefined {
  let given: unknown;
  try {
    given = JSON.parse(argument ?? '');
  } catch {
    return undefined;
  }
  const operators = (given as { readonly operators?: unknown } | null)?.operators;
  return Array.isArray(operators) && operators.length > 0 && operators.every(isChoice)
    ? operators
    : undefined;
}

function isChoice(given: unknown): given is Choice {
  if (typeof given === 'string') return true;
  if (typeof given !== 'object' || given === null) return false;
  const { command, param, max_length: max, ...more } = given as Record<string, unknown>;
  return (
    typeof command === 'string' &&
    (param === undefined || typeof param === 'string') &&
    (max === undefined || (Number.isInteger(max) && (max as number) > 0)) &&
    Object.keys(more).length === 0
  );
}
