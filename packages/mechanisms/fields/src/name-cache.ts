import { KNOWN_NAMES } from './known-names.ts';
import { TOKEN_LOWER } from './octets.ts';

/** Multiplier of the name hash: `hash = Math.imul(hash, 31) + lowerCaseOctet | 0`, starting at 0. */
export const NAME_HASH_FACTOR = 31;

const KNOWN_SLOTS = 512;
/** Other names remembered; a newcomer replaces what shares its slot, so junk names cost time, never memory. */
const OTHER_SLOTS = 1024;
/** Longer names are decoded each time, which bounds the memory of the cache to about 100 KiB. */
const MAX_CACHED_NAME_BYTES = 64;

const knownHash: Int32Array = new Int32Array(KNOWN_SLOTS);
const knownId: Uint8Array = new Uint8Array(KNOWN_SLOTS);

for (let id = 1; id < KNOWN_NAMES.length; id++) {
  const hash = hashName(KNOWN_NAMES[id] as string);
  let slot = hash & (KNOWN_SLOTS - 1);
  while (knownId[slot] !== 0) slot = (slot + 1) & (KNOWN_SLOTS - 1);
  knownId[slot] = id;
  knownHash[slot] = hash;
}

const otherHash: Int32Array = new Int32Array(OTHER_SLOTS);
const otherName: string[] = new Array<string>(OTHER_SLOTS).fill('');

/** Hash of a lower-case name, as a scanner computes it from octets. */
export function hashName(name: string): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, NAME_HASH_FACTOR) + name.charCodeAt(i)) | 0;
  return hash;
}

/** Id of the name in `bytes[start, end)` in any case, whose octets are token chars and hash to `hash`; 0 when not a known one. */
export function findKnownName(bytes: Uint8Array, start: number, end: number, hash: number): number {
  let slot = hash & (KNOWN_SLOTS - 1);
  for (let id = knownId[slot] as number; id !== 0; id = knownId[slot] as number) {
    if (knownHash[slot] === hash && sameName(KNOWN_NAMES[id] as string, bytes, start, end)) return id;
    slot = (slot + 1) & (KNOWN_SLOTS - 1);
  }
  return 0;
}

/** The lower-case string for a name that {@link findKnownName} does not know; shared between requests where it can be. */
export function internName(bytes: Buffer, start: number, end: number, hash: number): string {
  const slot = (hash ^ (hash >>> 15)) & (OTHER_SLOTS - 1);
  if (otherHash[slot] === hash) {
    const name = otherName[slot] as string;
    if (sameName(name, bytes, start, end)) return name;
  }
  const name = bytes.latin1Slice(start, end).toLowerCase();
  if (name.length <= MAX_CACHED_NAME_BYTES) {
    otherHash[slot] = hash;
    otherName[slot] = name;
  }
  return name;
}

function sameName(name: string, bytes: Uint8Array, start: number, end: number): boolean {
  const size = end - start;
  if (name.length !== size) return false;
  for (let i = 0; i < size; i++) {
    if (name.charCodeAt(i) !== TOKEN_LOWER[bytes[start + i] as number]) return false;
  }
  return true;
}
