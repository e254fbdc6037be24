import type { HpackEntry } from './entry.ts';

/** The dynamic table of a decoder (RFC 7541 §2.3.2): a ring, the newest entry has index 0. */
export class DecoderTable {
  #entries: (HpackEntry | undefined)[] = [];
  #newest = 0;
  #count = 0;
  #sizeBytes = 0;
  #capacityBytes: number;

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes;
  }

  /** Entries now. */
  get count(): number {
    return this.#count;
  }

  /** What the entries count (RFC 7541 §4.1). */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** What they may count: the peer's last size update. */
  get capacityBytes(): number {
    return this.#capacityBytes;
  }

  /** The entry added `index` entries before the newest. */
  get(index: number): HpackEntry | undefined {
    return index < this.#count
      ? this.#entries[(this.#newest - index) & (this.#entries.length - 1)]
      : undefined;
  }

  /** Adds the newest entry; one larger than the table empties it, which is no error (RFC 7541 §4.4). */
  add(entry: HpackEntry): void {
    this.#evict(this.#capacityBytes - entry.sizeBytes);
    if (entry.sizeBytes > this.#capacityBytes) return;
    if (this.#count === this.#entries.length) this.#grow();
    this.#newest = (this.#newest + 1) & (this.#entries.length - 1);
    this.#entries[this.#newest] = entry;
    this.#count++;
    this.#sizeBytes += entry.sizeBytes;
  }

  resize(capacityBytes: number): void {
    this.#capacityBytes = capacityBytes;
    this.#evict(capacityBytes);
  }

  #evict(keepBytes: number): void {
    while (this.#sizeBytes > keepBytes && this.#count > 0) {
      const oldest = (this.#newest - this.#count + 1) & (this.#entries.length - 1);
      this.#sizeBytes -= (this.#entries[oldest] as HpackEntry).sizeBytes;
      this.#entries[oldest] = undefined;
      this.#count--;
    }
  }

  #grow(): void {
    const size = Math.max(8, this.#entries.length * 2);
    const next = Array.from({ length: size }, (_, at): HpackEntry | undefined =>
      at < this.#count ? this.get(this.#count - 1 - at) : undefined,
    );
    this.#entries = next;
    this.#newest = (this.#count - 1) & (size - 1);
  }
}
