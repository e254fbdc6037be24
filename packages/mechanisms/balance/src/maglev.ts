import { hashText } from './hash-text.ts';
import type { HashTable, MakeTable } from './hash-table.ts';

/**
 * Maglev's table (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, §3.4, with
 * weights as Envoy has them): endpoints take turns in claiming the next free place of their own permutation, so that each
 * has its share of places to within one turn, and a change moves few of the others'.
 * @param size a prime, much more than endpoints
 */
export function maglevOf(size: number): MakeTable {
  return (members) => {
    const owners = members.length === 0 ? new Uint32Array(0) : fill(members, size);
    return {
      size: owners.length,
      placeOf: (hash) => hash % size,
      at: (place) => owners[place] as number,
    } satisfies HashTable;
  };
}

const FREE = 0xffff_ffff;

function fill(members: Parameters<MakeTable>[0], size: number): Uint32Array {
  const owners = new Uint32Array(size).fill(FREE);
  const heaviest = members.reduce((most, { share }) => Math.max(most, share), 0);
  const offsets = Uint32Array.from(members, ({ address }) => hashText(address) % size);
  const skips = Uint32Array.from(members, ({ address }) => (hashText(address, 1) % (size - 1)) + 1);
  const places = Float64Array.from(offsets);
  const due = new Float64Array(members.length);
  for (let turn = 1, left = size; left > 0; turn += 1) {
    for (let index = 0; index < members.length && left > 0; index += 1) {
      // A share of half the heaviest has every other turn.
      if (turn * (members[index] as { share: number }).share < (due[index] as number)) continue;
      due[index] = (due[index] as number) + heaviest;
      let place = places[index] as number;
      while (owners[place] !== FREE) place = (place + (skips[index] as number)) % size;
      owners[place] = index;
      places[index] = (place + (skips[index] as number)) % size;
      left -= 1;
    }
  }
  return owners;
}

/** Whether a table may have this size: only with a prime does every skip reach every place. */
export function isPrime(value: number): boolean {
  if (value < 2 || !Number.isInteger(value)) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor += 1) if (value % divisor === 0) return false;
  return true;
}
