import fc from 'fast-check';
import { expect, it } from 'vitest';
import { KeyedBuckets } from './keyed-buckets.ts';
import { TokenBucket } from './token-bucket.ts';

it('keeps the keys that were used last, whatever the order of use', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), { maxLength: 60 }),
      (maxKeys, uses) => {
        let evicted = 0;
        const table = new KeyedBuckets<TokenBucket>({
          maxKeys,
          make: (_key, nowMs) => new TokenBucket({ capacity: 1, refillPerSecond: 0.001 }, nowMs),
          replace(bucket, _key, nowMs) {
            bucket.reset(nowMs);
            return bucket;
          },
          onEvict: () => (evicted += 1),
        });
        let recent: string[] = [];
        let expectedEvicted = 0;
        for (const key of uses) {
          const known = recent.includes(key);
          // A key that was kept has spent its token; one that was forgotten begins anew.
          expect(table.bucket(key, 0).take(1, 0)).toBe(!known);
          recent = [...recent.filter((other) => other !== key), key];
          if (recent.length > maxKeys) {
            recent.shift();
            expectedEvicted += 1;
          }
          expect([table.size, evicted]).toEqual([recent.length, expectedEvicted]);
        }
      },
    ),
  );
});
