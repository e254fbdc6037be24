import {
  type CelExpression,
  type CelIssue,
  loadedCelEngine,
  NO_CEL_ENGINE,
  RECORD_ATTRIBUTES,
} from '@tulle/cel';
import type { StreamRecord } from '@tulle/telemetry';
import type { Compile, Getter, Operators } from './operator.ts';

/** `CEL(expression)`, the extension `envoy.formatter.cel`. What comes to no result is unset. */
const cel =
  (operator: string, getter: (expression: CelExpression<StreamRecord>) => Getter): Compile =>
  (argument, at, issues) => {
    const engine = loadedCelEngine();
    if (engine === undefined) {
      issues.push({ at, message: `%${operator}(…)% ${NO_CEL_ENGINE}` });
      return () => undefined;
    }
    const found: CelIssue[] = [];
    const expression = engine.compile(argument ?? '', RECORD_ATTRIBUTES, found);
    // Columns are those of the format.
    for (const issue of found)
      issues.push({ at: at + operator.length + 2 + issue.at, message: issue.message });
    return getter(expression);
  };

/** Operators of CEL: `CEL` is always a text, `TYPED_CEL` keeps its type in JSON. */
export const CEL_OPERATORS: Operators = {
  CEL: cel('CEL', (expression) => (record) => emptyKept(expression.text(record))),
  TYPED_CEL: cel('TYPED_CEL', (expression) => (record) => {
    const value = expression.json(record);
    if (typeof value === 'number' || value === undefined) return value;
    return typeof value === 'string' ? emptyKept(value) : { json: value };
  }),
};

/** A result that is an empty text is there, other than a field that was not sent. */
const emptyKept = (text: string | undefined): ReturnType<Getter> => (text === '' ? EMPTY : text);
const EMPTY = { json: '' } as const;
