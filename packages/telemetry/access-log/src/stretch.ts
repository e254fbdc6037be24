/** Spellings of one stretch that are remembered; with the first one past it, all are forgotten and learnt anew. */
const MAX_KNOWN = 256;

interface Known {
  readonly b: unknown;
  readonly c: unknown;
  readonly d: unknown;
  readonly e: unknown;
  readonly f: unknown;
  readonly g: unknown;
  readonly bytes: Uint8Array;
}

/**
 * A part of a line that depends on a few values which seldom change, encoded once for each combination that is in use.
 * {@link find} looks it up by those values; where it answers nothing, {@link keep} stores the text for them.
 */
export class Stretch {
  /** By the value that differs most; of those that share it, the latest is remembered. */
  readonly #known: Map<unknown, Known> = new Map<unknown, Known>();
  #a: unknown;
  #b: unknown;
  #c: unknown;
  #d: unknown;
  #e: unknown;
  #f: unknown;
  #g: unknown;

  /** @param a the value that tells most combinations apart */
  find(
    a: unknown,
    b: unknown,
    c?: unknown,
    d?: unknown,
    e?: unknown,
    f?: unknown,
    g?: unknown,
  ): Uint8Array | undefined {
    const known = this.#known.get(a);
    if (
      known !== undefined &&
      known.b === b &&
      known.c === c &&
      known.d === d &&
      known.e === e &&
      known.f === f &&
      known.g === g
    )
      return known.bytes;
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
    this.#e = e;
    this.#f = f;
    this.#g = g;
    return undefined;
  }

  /** Stores the text for the values that the last {@link find} did not know. */
  keep(json: string): Uint8Array {
    const bytes = Buffer.from(json, 'utf8');
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(this.#a, {
      b: this.#b,
      c: this.#c,
      d: this.#d,
      e: this.#e,
      f: this.#f,
      g: this.#g,
      bytes,
    });
    return bytes;
  }
}
