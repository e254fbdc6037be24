import { kindOf } from './indexing.ts';
import { ENTRY_OVERHEAD_BYTES } from './entry.ts';
import { FIRST_DYNAMIC, STATIC_TABLE } from './static-table.ts';

/** A field in the dynamic table of an encoder, linked with the others of its name. */
export class EncoderEntry {
  readonly slot: NameSlot;
  readonly value: string;
  readonly sizeBytes: number;
  /** Entries that were added before it: its index is how many came after. */
  readonly serial: number;
  older: EncoderEntry | undefined;
  newer: EncoderEntry | undefined = undefined;

  constructor(slot: NameSlot, value: string, serial: number) {
    this.slot = slot;
    this.value = value;
    this.sizeBytes = slot.name.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.serial = serial;
    this.older = slot.newest;
  }
}

/** All that an encoder knows of one name. */
export class NameSlot {
  readonly id: number;
  readonly name: string;
  /** First index of the name in the static table, 0 when it has none. */
  readonly staticIndex: number;
  /** How many entries from there on have the name. */
  readonly staticCount: number;
  readonly kind: number;
  newest: EncoderEntry | undefined = undefined;
  /** Mark of the last value that was not put in; see `markOf`. */
  missed = 0;

  constructor(id: number, name: string) {
    this.id = id;
    this.name = name;
    this.staticIndex = Math.max(0, STATIC_NAMES.get(name) ?? 0);
    let count = 0;
    while (this.staticIndex > 0 && STATIC_TABLE[this.staticIndex + count]?.name === name) count++;
    this.staticCount = count;
    this.kind = kindOf(id);
  }
}

const STATIC_NAMES: ReadonlyMap<string, number> = new Map(
  STATIC_TABLE.map((entry, index): [string, number] => [entry.name, index]).toReversed(),
);

/** The dynamic table of an encoder: a queue, oldest first. */
export class EncoderTable {
  #entries: (EncoderEntry | undefined)[] = [];
  #oldest = 0;
  #count = 0;
  #added = 0;
  #sizeBytes = 0;
  #capacityBytes: number;
  readonly #released: (slot: NameSlot) => void;

  /** @param released a name has no entry any more */
  constructor(capacityBytes: number, released: (slot: NameSlot) => void) {
    this.#capacityBytes = capacityBytes;
    this.#released = released;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get capacityBytes(): number {
    return this.#capacityBytes;
  }

  /** Index of an entry as HPACK counts (RFC 7541 §2.3.3). */
  indexOf(entry: EncoderEntry): number {
    return FIRST_DYNAMIC + this.#added - 1 - entry.serial;
  }

  /** Adds a field that is no larger than the table. @param value must not share memory with anything larger */
  add(slot: NameSlot, value: string): void {
    this.#evict(this.#capacityBytes - slot.name.length - value.length - ENTRY_OVERHEAD_BYTES);
    const entry = new EncoderEntry(slot, value, this.#added++);
    if (slot.newest !== undefined) slot.newest.newer = entry;
    slot.newest = entry;
    if (this.#count === this.#entries.length) this.#grow();
    this.#entries[(this.#oldest + this.#count) & (this.#entries.length - 1)] = entry;
    this.#count++;
    this.#sizeBytes += entry.sizeBytes;
  }

  resize(capacityBytes: number): void {
    this.#capacityBytes = capacityBytes;
    this.#evict(capacityBytes);
  }

  #evict(keepBytes: number): void {
    while (this.#sizeBytes > keepBytes && this.#count > 0) {
      const entry = this.#entries[this.#oldest] as EncoderEntry;
      this.#entries[this.#oldest] = undefined;
      this.#oldest = (this.#oldest + 1) & (this.#entries.length - 1);
      this.#count--;
      this.#sizeBytes -= entry.sizeBytes;
      const { slot, newer } = entry;
      if (newer !== undefined) newer.older = undefined;
      else {
        slot.newest = undefined;
        this.#released(slot);
      }
    }
  }

  #grow(): void {
    const { length } = this.#entries;
    const next = Array.from({ length: Math.max(8, length * 2) }, (_, at): EncoderEntry | undefined =>
      at < this.#count ? this.#entries[(this.#oldest + at) & (length - 1)] : undefined,
    );
    this.#entries = next;
    this.#oldest = 0;
  }
}
