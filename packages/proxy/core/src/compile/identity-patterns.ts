/** SPIFFE ids, exact or by prefix (`spiffe://mesh/ns/edge/*`). */
export class IdentityPatterns {
  readonly #exact: ReadonlySet<string>;
  /** Each ends in a slash. */
  readonly #prefixes: readonly string[];

  /** @param patterns an id, or one that ends in a slash and an asterisk */
  constructor(patterns: readonly string[]) {
    this.#exact = new Set(patterns.filter((pattern) => !pattern.endsWith('/*')));
    this.#prefixes = patterns
      .filter((pattern) => pattern.endsWith('/*'))
      .map((pattern) => pattern.slice(0, -1));
  }

  /** Whether a proven id is among them. */
  has(id: string): boolean {
    if (this.#exact.has(id)) return true;
    for (let i = 0; i < this.#prefixes.length; i++)
      if (id.startsWith(this.#prefixes[i] as string)) return true;
    return false;
  }
}

/** Why a pattern stands for no id, as a sentence; `''` when it does. */
export function identityPatternFault(pattern: string): string {
  if (/^spiffe:\/\/[^/?#*]+(?:\/[^/?#*]+)*(?:\/\*)?$/.test(pattern)) return '';
  return `${JSON.stringify(pattern)} is no SPIFFE id; write spiffe://domain/path, which may end in /*`;
}
