/**
 * Things at rest, last in, first out. It keeps its own size: an array that becomes empty gives its storage away, and the
 * next push allocates another, 150 bytes each time, which at the end of every request adds up.
 */
export class Stack<T> {
  readonly #items: (T | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#size < this.#items.length) this.#items[this.#size] = item;
    else this.#items.push(item);
    this.#size++;
  }

  pop(): T | undefined {
    if (this.#size === 0) return undefined;
    const at = --this.#size;
    const item = this.#items[at];
    this.#items[at] = undefined;
    return item;
  }

  /** The one that was pushed first of those that are left. */
  get oldest(): T | undefined {
    return this.#size === 0 ? undefined : this.#items[0];
  }

  /** Takes `item` out, wherever it is. @returns whether it was there */
  remove(item: T): boolean {
    for (let i = this.#size - 1; i >= 0; i--) {
      if (this.#items[i] !== item) continue;
      this.#items.copyWithin(i, i + 1, this.#size);
      this.#items[--this.#size] = undefined;
      return true;
    }
    return false;
  }
}
