import type { StreamRecord } from '@tulle/telemetry';
import type { FormatIssue } from '../format-parser.ts';

/** A value that stays what it is in JSON: a number with all its digits, a truth value, a list or an object. */
export interface JsonValue {
  readonly json: unknown;
}

/** What an operator stands for in one record; `undefined` and `''`: unset. */
export type Getter = (record: StreamRecord) => string | number | JsonValue | undefined;

/** How formats are filled. */
export interface OperatorContext {
  /** Whether the query of a path is shown. */
  readonly query: 'keep' | 'strip';
  /** What `HOSTNAME` and `ENVIRONMENT` stand for; absent: they are refused. */
  readonly host?: { readonly name: string; variable(name: string): string | undefined };
  /** Operators beside those that there are. */
  readonly more?: Readonly<Record<string, Getter>>;
}

/** Makes the getter of an operator; what is wrong goes to `issues`. */
export type Compile = (
  argument: string | undefined,
  at: number,
  issues: FormatIssue[],
  context: OperatorContext,
) => Getter;

/** Operators by name. */
export type Operators = Readonly<Record<string, Compile>>;

/** An operator that takes no argument. */
export const plain =
  (get: Getter): Compile =>
  (argument, at, issues) => {
    if (argument !== undefined) issues.push({ at, message: 'this operator takes no argument' });
    return get;
  };

/** An operator that needs one. */
export const named =
  (example: string, make: (argument: string, context: OperatorContext) => Getter): Compile =>
  (argument, at, issues, context) => {
    if (argument === undefined || argument === '')
      issues.push({ at, message: `this operator needs an argument, e.g. ${example}` });
    return make(argument ?? '', context);
  };

/** Whole milliseconds, as Envoy writes them; below 0: unset. */
export const ms = (value: number): number | undefined => (value < 0 ? undefined : Math.floor(value));
