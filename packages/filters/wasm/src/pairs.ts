import { MemoryFault } from './guest-memory.ts';

/** Flat `[name, value, …]`, octets. */
export type Pairs = readonly string[];

/**
 * As the ABI writes maps: how many, the lengths of each, then each with a NUL behind name and value. Nothing at all where there
 * are none.
 */
export function writePairs(pairs: Pairs): Buffer {
  const count = pairs.length / 2;
  if (count === 0) return Buffer.alloc(0);
  let size = 4 + count * 8;
  for (const text of pairs) size += text.length + 1;
  const bytes = Buffer.alloc(size);
  bytes.writeUInt32LE(count, 0);
  let at = 4;
  for (const text of pairs) at = bytes.writeUInt32LE(text.length, at);
  for (const text of pairs) at += bytes.write(text, at, 'latin1') + 1;
  return bytes;
}

/** @throws MemoryFault for what is no such map */
export function readPairs(bytes: Buffer): string[] {
  if (bytes.length < 4) return [];
  const count = bytes.readUInt32LE(0);
  let at = 4 + count * 8;
  if (at > bytes.length)
    throw new MemoryFault(`a map of ${count} pairs does not fit into ${bytes.length} bytes`);
  const pairs: string[] = [];
  for (let index = 0; index < count * 2; index++) {
    const end = at + bytes.readUInt32LE(4 + index * 4);
    if (end + 1 > bytes.length) throw new MemoryFault(`a map's pair ${index >> 1} ends behind its bytes`);
    pairs.push(bytes.toString('latin1', at, end));
    at = end + 1;
  }
  return pairs;
}
