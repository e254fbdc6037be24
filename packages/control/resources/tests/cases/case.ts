import type { DiagnosticCode } from '../../src/index.ts';

/** What must be said: code, line, the text at the place, and a part of message or hint. */
export type Finding = readonly [code: DiagnosticCode, line: number, at: string, says: string];

/** A text and what must be said of it, in this order and nothing else. */
export interface Case {
  readonly name: string;
  readonly yaml: string;
  readonly expect: readonly Finding[];
}

export function told(name: string, yaml: string, ...expect: readonly Finding[]): Case {
  return { name, yaml, expect };
}
