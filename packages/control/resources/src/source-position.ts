/** A place in a text. */
export interface SourcePosition {
  /** As the user gave it; `-` for standard input, `''` when there is no file (REST). */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
}
