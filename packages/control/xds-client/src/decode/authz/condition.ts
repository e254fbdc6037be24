import type { AuthzExpression } from '@tulle/model';
import type { Policy } from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import type { Constant, Expr } from '@tulle/xds-proto/google/api/expr/v1alpha1/syntax';
import type { CelMatcher } from '@tulle/xds-proto/xds/type/matcher/v3/cel';
import type { DecodeContext } from '../context.ts';

/** The condition of a policy, which comes parsed, as text: that is what a person reads, and what the model has. */
export function decodeCondition(
  context: DecodeContext,
  { condition, checkedCondition }: Policy,
  path: string,
): Extract<AuthzExpression, { readonly cel: string }> | undefined {
  if (condition !== undefined && checkedCondition !== undefined)
    context.refuse(`${path}.checked_condition`, 'must not be set where condition is');
  const [expr, here] =
    condition === undefined
      ? [checkedCondition?.expr, `${path}.checked_condition.expr`]
      : [condition, `${path}.condition`];
  if (checkedCondition !== undefined && expr === undefined) context.refuse(here, 'is missing');
  return expr && saidAsText(context, expr, here);
}

type CelExpression = Extract<AuthzExpression, { readonly cel: string }>;

function saidAsText(context: DecodeContext, expr: Expr, path: string): CelExpression {
  return { cel: celOf(context, expr, path) };
}

/** An expression that comes parsed, as text. */
export function celOf(context: DecodeContext, expr: Expr, path: string): string {
  try {
    return textOf(expr, MAX_DEPTH);
  } catch (error) {
    if (!(error instanceof Unsayable)) throw error;
    context.refuse(path, error.message);
    return 'false';
  }
}

/** An expression in a matcher (`xds.type.matcher.v3.CelMatcher`). */
export function decodeCelMatcher(
  context: DecodeContext,
  { exprMatch }: CelMatcher,
  path: string,
): CelExpression {
  const at = `${path}.expr_match`;
  const { celExprChecked, celExprParsed, exprSpecifier: other } = exprMatch ?? {};
  const given: readonly (readonly [field: string, expr: unknown])[] = [
    ['cel_expr_checked', celExprChecked?.expr],
    ['cel_expr_parsed', celExprParsed?.expr],
    [other?.case === 'checkedExpr' ? 'checked_expr' : 'parsed_expr', other?.value?.expr],
  ];
  // The messages of CEL's own packages and of Google's say the same in the same words.
  const [found, ...more] = given.filter(([, expr]) => expr !== undefined);
  if (found === undefined || more.length > 0) {
    context.refuse(
      at,
      'must have one expression that is parsed: cel_expr_parsed, cel_expr_checked, parsed_expr or checked_expr',
    );
    return { cel: 'false' };
  }
  return saidAsText(context, found[1] as Expr, `${at}.${found[0]}.expr`);
}

/** As deep as parts stand in parts: deeper ones no parser takes. */
const MAX_DEPTH = 64;

/** Something that no text of CEL says, or that is refused. */
class Unsayable extends Error {}

const BINARY: Readonly<Record<string, string>> = {
  '_&&_': '&&',
  '_||_': '||',
  '_==_': '==',
  '_!=_': '!=',
  '_<_': '<',
  '_<=_': '<=',
  '_>_': '>',
  '_>=_': '>=',
  '_+_': '+',
  '_-_': '-',
  '_*_': '*',
  '_/_': '/',
  '_%_': '%',
  '@in': 'in',
  _in_: 'in',
};

const IDENTIFIER = /^[A-Za-z_]\w*$/;
const QUALIFIED = /^\.?[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/;

/** With all parentheses, so that nobody has to know what binds more tightly. */
export function textOf(expr: Expr | undefined, depth: number = MAX_DEPTH): string {
  if (depth === 0) throw new Unsayable(`is nested deeper than ${MAX_DEPTH}`);
  const part = (one: Expr | undefined): string => textOf(one, depth - 1);
  // Behind a number a point would be part of it.
  const operandText = (one: Expr | undefined): string =>
    one?.exprKind.case === 'constExpr' ? `(${part(one)})` : part(one);
  const kind = expr?.exprKind;
  switch (kind?.case) {
    case 'constExpr':
      return constantText(kind.value);
    case 'identExpr':
      if (!QUALIFIED.test(kind.value.name))
        throw new Unsayable(`names ${JSON.stringify(kind.value.name)}, which is no name in CEL`);
      return kind.value.name;
    case 'selectExpr': {
      const { operand, field, testOnly } = kind.value;
      if (testOnly) {
        if (!IDENTIFIER.test(field))
          throw new Unsayable(`asks whether there is ${JSON.stringify(field)}, which is no name in CEL`);
        return `has(${operandText(operand)}.${field})`;
      }
      return IDENTIFIER.test(field)
        ? `${operandText(operand)}.${field}`
        : `${operandText(operand)}[${JSON.stringify(field)}]`;
    }
    case 'callExpr':
      return callText(kind.value.function, kind.value.target, kind.value.args, part, operandText);
    case 'listExpr':
      return `[${kind.value.elements.map(part).join(', ')}]`;
    case 'structExpr':
      if (kind.value.messageName !== '')
        throw new Unsayable(`makes a ${kind.value.messageName}; messages are not made here`);
      return `{${kind.value.entries
        .map(({ keyKind, value }) =>
          keyKind.case === 'mapKey'
            ? `${part(keyKind.value)}: ${part(value)}`
            : `${JSON.stringify(keyKind.value ?? '')}: ${part(value)}`,
        )
        .join(', ')}}`;
    case 'comprehensionExpr':
      throw new Unsayable(
        'has a comprehension (all, exists, exists_one, map, filter), which is refused, as Envoy does: what it costs grows with what a caller sends',
      );
    default:
      throw new Unsayable('has a part that says nothing');
  }
}

function callText(
  name: string,
  target: Expr | undefined,
  args: readonly Expr[],
  part: (expr: Expr | undefined) => string,
  operandText: (expr: Expr | undefined) => string,
): string {
  const [first, second, third] = args;
  if (target === undefined) {
    const operator = Object.hasOwn(BINARY, name) ? BINARY[name] : undefined;
    // Operators that are && and || take any number of parts in some parsers.
    if (operator !== undefined && args.length >= 2) return `(${args.map(part).join(` ${operator} `)})`;
    if (name === '!_' && args.length === 1) return `(!${part(first)})`;
    if (name === '-_' && args.length === 1) return `(-${part(first)})`;
    if (name === '_?_:_' && args.length === 3) return `(${part(first)} ? ${part(second)} : ${part(third)})`;
    if (name === '_[_]' && args.length === 2) return `${operandText(first)}[${part(second)}]`;
  }
  if (!QUALIFIED.test(name)) throw new Unsayable(`calls ${JSON.stringify(name)}, which is no function`);
  return `${target === undefined ? '' : `${operandText(target)}.`}${name}(${args.map(part).join(', ')})`;
}

function constantText({ constantKind: kind }: Constant): string {
  switch (kind.case) {
    case 'nullValue':
      return 'null';
    case 'boolValue':
    case 'int64Value':
      return String(kind.value);
    case 'uint64Value':
      return `${kind.value}u`;
    case 'doubleValue':
      if (!Number.isFinite(kind.value))
        throw new Unsayable(`has the number ${kind.value}, which no text says`);
      return /[.e]/.test(String(kind.value))
        ? String(kind.value)
        : `${Object.is(kind.value, -0) ? '-0' : kind.value}.0`;
    case 'stringValue':
      return JSON.stringify(kind.value);
    case 'bytesValue':
      return `b"${[...kind.value].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}"`;
    default:
      throw new Unsayable(
        `has a ${kind.case ?? 'constant without a value'}; give duration("…") or timestamp("…")`,
      );
  }
}
