import type { AttributeTable, CelJson } from './attributes/table.ts';

/** Longest text of an expression, in characters: a longer one is better written as several policies. */
export const MAX_EXPRESSION_CHARS = 4_096;
/**
 * Most parts of one expression. Nothing in it repeats (see {@link CelEngine.compile}), so that its cost is that of each part once, and no part
 * costs more than the length of what it reads.
 */
export const MAX_EXPRESSION_NODES = 512;

/** What is wrong with an expression, and where. */
export interface CelIssue {
  /** Character of the text, counted from 0. */
  readonly at: number;
  readonly message: string;
}

/** A compiled expression. @typeParam T what its attributes are read of, until the call returns */
export interface CelExpression<T> {
  /**
   * Whether a condition holds. One that asks for what is not there (a field that was not sent, an answer that did not come) does not, as
   * in Envoy.
   * @returns `undefined` where it cannot be told: types that do not fit, a division by zero, a result that is no truth value
   */
  holds(subject: T): boolean | 'absent' | undefined;
  /** The result as Envoy writes it into a text. @returns `undefined` for none */
  text(subject: T): string | undefined;
  /** The result for JSON; times and bytes as texts. @returns `undefined` for none */
  json(subject: T): CelJson | undefined;
}

/** Compiles expressions. */
export interface CelEngine {
  /**
   * Parses an expression once. Refused are, beside what is no CEL: attributes that the table does not have, functions that there are not,
   * patterns that are no RE2 or no literals, what is too large, and `all`, `exists`, `exists_one`, `map` and `filter`, which Envoy refuses too:
   * with them a caller's message would decide how long a request is judged.
   * @param issues gets all that is wrong; the expression is then of no use
   */
  compile<T>(text: string, attributes: AttributeTable<T>, issues: CelIssue[]): CelExpression<T>;
}
