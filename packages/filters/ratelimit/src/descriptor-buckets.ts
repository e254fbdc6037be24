import type { Bucket, DescriptorBucket, DescriptorLimits } from '@tulle/model';
import { KeyedBuckets, TokenBucket } from '@tulle/time';
import type { Entry } from './compile-action.ts';

/** A bucket of one descriptor. */
export interface FoundBucket {
  readonly bucket: TokenBucket;
  /** Whether requests go on that find no token. */
  readonly shadow: boolean;
}

/** How many buckets are kept of one descriptor with empty values (Envoy's default of `max_dynamic_descriptors`). */
const MAX_DYNAMIC = 20;

/** Buckets of one configuration: that of everybody, and those of descriptors. */
export class DescriptorBuckets {
  readonly standard: TokenBucket;
  readonly #exact = new Map<string, FoundBucket>();
  readonly #open: readonly OpenBuckets[];

  /** @param onEvict one of a value gave way to another */
  constructor(
    { bucket, buckets = [], maxDynamic = MAX_DYNAMIC }: DescriptorLimits,
    nowMs: number,
    onEvict: () => void,
  ) {
    this.standard = makeBucket(bucket, nowMs);
    const open: OpenBuckets[] = [];
    for (const one of buckets)
      if (one.entries.some(({ value }) => value === '')) open.push(new OpenBuckets(one, maxDynamic, onEvict));
      else
        this.#exact.set(keyOf(one.entries), {
          bucket: makeBucket(one.bucket, nowMs),
          shadow: one.shadow === true,
        });
    this.#open = open;
  }

  /** The bucket of a descriptor: where all its values are listed, else of the first that leaves some open. */
  find(entries: readonly Entry[], nowMs: number): FoundBucket | undefined {
    const key = keyOf(entries);
    const exact = this.#exact.get(key);
    if (exact !== undefined || this.#open.length === 0) return exact;
    return this.#open.find((one) => one.fits(entries))?.bucket(key, nowMs);
  }
}

/** Buckets of a descriptor that leaves values open, one for each value that came. */
class OpenBuckets {
  readonly #entries: readonly Entry[];
  readonly #buckets: KeyedBuckets<FoundBucket>;

  constructor({ entries, bucket, shadow = false }: DescriptorBucket, maxKeys: number, onEvict: () => void) {
    this.#entries = entries;
    const make = (_key: string, nowMs: number): FoundBucket => ({
      bucket: makeBucket(bucket, nowMs),
      shadow,
    });
    this.#buckets = new KeyedBuckets<FoundBucket>({
      maxKeys,
      make,
      // A request may still use the old one.
      replace: (_old, key, nowMs) => make(key, nowMs),
      onEvict,
    });
  }

  fits(entries: readonly Entry[]): boolean {
    return (
      entries.length === this.#entries.length &&
      this.#entries.every(({ key, value }, index) => {
        const entry = entries[index] as Entry;
        return entry.key === key && (value === '' || entry.value === value);
      })
    );
  }

  bucket(key: string, nowMs: number): FoundBucket {
    return this.#buckets.bucket(key, nowMs);
  }
}

function makeBucket({ capacity, tokens, intervalMs }: Bucket, nowMs: number): TokenBucket {
  return new TokenBucket({ capacity, refillPerSecond: (tokens * 1_000) / intervalMs }, nowMs);
}

/** With its length before it, a text cannot run into the next one. */
function keyOf(entries: readonly Entry[]): string {
  let key = '';
  for (const { key: name, value } of entries) key += `${name.length}:${name}${value.length}:${value}`;
  return key;
}
