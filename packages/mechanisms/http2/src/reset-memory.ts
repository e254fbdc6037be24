/** Ids remembered one by one. */
const REMEMBERED = 128;

/**
 * Streams that one side reset, because frames on them mean something else than on streams that ended in order (RFC 9113
 * §5.1). The last 128 are remembered one by one; of ids up to the highest one forgotten, all are taken for reset.
 */
export class ResetMemory {
  #ids: Int32Array | undefined = undefined;
  #next = 0;
  #forgottenUpTo = 0;

  add(id: number): void {
    const ids = (this.#ids ??= new Int32Array(REMEMBERED));
    const old = ids[this.#next] as number;
    if (old > this.#forgottenUpTo) this.#forgottenUpTo = old;
    ids[this.#next] = id;
    this.#next = (this.#next + 1) % REMEMBERED;
  }

  has(id: number): boolean {
    return id <= this.#forgottenUpTo || (this.#ids !== undefined && this.#ids.includes(id));
  }
}
