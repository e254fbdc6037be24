import { hashText } from './hash-text.ts';
import type { HashTable, MakeTable } from './hash-table.ts';

/** Indices of endpoints that fit beside a hash of 32 bits into the 53 of a number. */
const MAX_MEMBERS = 2 ** 21;

/**
 * Consistent hashing on a ring (Envoy `RingHashLoadBalancer`): each endpoint has points on it in proportion to its share,
 * a hash leads to the next point. There are at least `minSize` and at most `maxSize` of them.
 */
export function ringOf(minSize: number, maxSize: number): MakeTable {
  return (members) => {
    const points = pointsOf(members.slice(0, MAX_MEMBERS), minSize, maxSize);
    const { length: size } = points;
    const hashes = Uint32Array.from(points, (point) => Math.floor(point / MAX_MEMBERS));
    const owners = Uint32Array.from(points, (point) => point % MAX_MEMBERS);
    return {
      size,
      placeOf: (hash) => firstFrom(hashes, hash),
      at: (place) => owners[place] as number,
    } satisfies HashTable;
  };
}

/** Points in the order of the ring: the hash, and the endpoint's index beside it. */
function pointsOf(members: Parameters<MakeTable>[0], minSize: number, maxSize: number): Float64Array {
  const total = members.reduce((sum, { share }) => sum + share, 0);
  if (total === 0) return new Float64Array(0);
  const lightest = members.reduce((least, { share }) => Math.min(least, share), Infinity) / total;
  // Points of the lightest: Envoy takes the next whole number, which is another one for every set, so that others' hashes
  // move as well when one endpoint comes. A power of two stays the same until the set has doubled.
  const each = 2 ** Math.max(0, Math.ceil(Math.log2(lightest * minSize)));
  const scale = Math.min(each / lightest, maxSize);
  const points: number[] = [];
  let wanted = 0;
  for (const [index, { address, share }] of members.entries()) {
    wanted += (scale * share) / total;
    for (let nth = 0; points.length < wanted && points.length < maxSize; nth += 1)
      points.push(hashText(`${address}_${nth}`) * MAX_MEMBERS + index);
  }
  return Float64Array.from(points).sort();
}

/** Index of the first hash that is not below; past the last one the ring begins anew. */
function firstFrom(hashes: Uint32Array, hash: number): number {
  let low = 0;
  let high = hashes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((hashes[middle] as number) < hash) low = middle + 1;
    else high = middle;
  }
  return low === hashes.length ? 0 : low;
}
