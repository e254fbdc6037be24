import type { parse } from '@bufbuild/cel';
import { RE2JS } from '@bufbuild/re2';
import { MAX_PATTERN_LENGTH } from '@tulle/match';
import { didYouMean } from '@tulle/schema';
import type { AttributeTable } from './attributes/table.ts';
import { type CelIssue, MAX_EXPRESSION_NODES } from './contract.ts';

type Parsed = ReturnType<typeof parse>;
type Expr = Parsed['expr'];

/** Names that stand for types. */
const TYPES: ReadonlySet<string> = new Set(
  'bool int uint double string bytes list map null_type type'.split(' '),
);

/** What the planner knows beside functions. */
const SPECIAL: ReadonlySet<string> = new Set(['_[_]', '_?_:_', '_&&_', '_||_']);

/**
 * Looks at what can be known of an expression before it is evaluated.
 * @param patterns gets those that are compiled, by their text
 */
export function checkExpression<T>(
  parsed: Parsed,
  attributes: AttributeTable<T>,
  isFunction: (name: string) => boolean,
  patterns: Map<string, RE2JS>,
  issues: CelIssue[],
): void {
  const positions = parsed.sourceInfo?.positions ?? {};
  const report = (expr: Expr, message: string): void =>
    void issues.push({ at: positions[String(expr.id)] ?? 0, message });
  let left = MAX_EXPRESSION_NODES;
  const rest: Expr[] = [parsed.expr];
  for (let expr = rest.pop(); expr !== undefined; expr = rest.pop()) {
    left -= 1;
    if (left < 0) {
      issues.push({
        at: 0,
        message: `an expression may have ${MAX_EXPRESSION_NODES} parts, this one has more`,
      });
      return;
    }
    const { exprKind: kind } = expr;
    switch (kind.case) {
      case 'identExpr':
        checkRoot(expr, kind.value.name, attributes, report);
        break;
      case 'selectExpr':
        checkName(expr, kind.value.operand, kind.value.field, attributes, report);
        if (kind.value.operand !== undefined) rest.push(kind.value.operand);
        break;
      case 'callExpr': {
        const { function: name, target, args } = kind.value;
        if (!SPECIAL.has(name) && !isFunction(name)) report(expr, `there is no function ${name}()`);
        if (name === 'matches') checkPattern(expr, args[args.length - 1], patterns, report);
        const key = args[1]?.exprKind;
        if (name === '_[_]' && key?.case === 'constExpr' && key.value.constantKind.case === 'stringValue')
          checkName(expr, args[0], key.value.constantKind.value, attributes, report);
        if (target !== undefined) rest.push(target);
        rest.push(...args);
        break;
      }
      case 'listExpr':
        rest.push(...kind.value.elements);
        break;
      case 'structExpr':
        if (kind.value.messageName !== '') report(expr, 'makes a message; of those there is no need here');
        for (const { keyKind, value } of kind.value.entries) {
          if (keyKind.case === 'mapKey') rest.push(keyKind.value);
          if (value !== undefined) rest.push(value);
        }
        break;
      case 'comprehensionExpr':
        report(
          expr,
          'all, exists, exists_one, map and filter are refused, as Envoy does: what they cost grows with what a caller sends',
        );
        return;
      default:
    }
  }
}

type Report = (expr: Expr, message: string) => void;

function checkRoot<T>(expr: Expr, name: string, attributes: AttributeTable<T>, report: Report): void {
  if (Object.hasOwn(attributes, name) || TYPES.has(name)) return;
  const roots = Object.keys(attributes);
  const meant = didYouMean(name, roots);
  report(
    expr,
    `nothing is known here of ${JSON.stringify(name)}${meant === undefined ? `; there is ${roots.join(', ')}` : `; did you mean ${meant}?`}`,
  );
}

/** An attribute that is asked for by its name. */
function checkName<T>(
  expr: Expr,
  operand: Expr | undefined,
  name: string,
  attributes: AttributeTable<T>,
  report: Report,
): void {
  if (operand?.exprKind.case !== 'identExpr') return;
  const root = operand.exprKind.value.name;
  const known = Object.hasOwn(attributes, root) ? attributes[root] : undefined;
  if (known === undefined || typeof known === 'function' || Object.hasOwn(known, name)) return;
  const names = Object.keys(known);
  const meant = didYouMean(name, names);
  report(
    expr,
    `nothing is known here of ${root}.${name}${meant === undefined ? `; of ${root} there is ${names.join(', ')}` : `; did you mean ${root}.${meant}?`}`,
  );
}

function checkPattern(
  call: Expr,
  given: Expr | undefined,
  patterns: Map<string, RE2JS>,
  report: Report,
): void {
  const kind = given?.exprKind;
  const constant = kind?.case === 'constExpr' ? kind.value.constantKind : undefined;
  if (constant?.case !== 'stringValue')
    return report(
      call,
      'a pattern must stand in quotes: one that a caller sends could not be compiled before',
    );
  if (constant.value.length > MAX_PATTERN_LENGTH)
    return report(
      given ?? call,
      `a pattern may have ${MAX_PATTERN_LENGTH} characters, this one has ${constant.value.length}`,
    );
  try {
    patterns.set(constant.value, RE2JS.compile(constant.value));
  } catch (error) {
    report(given ?? call, `is no pattern (RE2): ${error instanceof Error ? error.message : String(error)}`);
  }
}
