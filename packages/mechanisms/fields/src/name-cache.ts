import { knownNameId } from './known-names.ts';
import { latin1Slice } from './latin1.ts';
import { TOKEN_LOWER } from './octets.ts';

/** Spellings remembered. Each has two slots it may stand in; a newcomer replaces, so junk names cost time, never memory. */
const SLOTS = 2048;
/** Longer names are decoded each time; no usual name is longer. Keeps the cache under 200 KiB. */
const MAX_CACHED_BYTES = 40;
const WORDS = MAX_CACHED_BYTES / 4;

const slotSize: Uint8Array = new Uint8Array(SLOTS + 1);
const slotFirst: Int32Array = new Int32Array(SLOTS + 1);
const slotLast: Int32Array = new Int32Array(SLOTS + 1);
const slotWords: Int32Array = new Int32Array(SLOTS * WORDS);
const slotName: string[] = Array.from({ length: SLOTS + 1 }, () => '');
const slotId: Uint8Array = new Uint8Array(SLOTS + 1);
/** Slot of the name looked up last when it cannot be cached. */
const SCRATCH = SLOTS;

/**
 * Finds the field name spelt by `bytes[start, end)`, at least one octet, as a handle for {@link nameOf} and
 * {@link nameIdOf}. Valid until the next call. Spellings are compared octet for octet with ones that were checked
 * before, so that a usual name costs a few word comparisons.
 * @param view over the same memory as `bytes`, readable 4 octets beyond `end`
 * @returns -1 when an octet is no token char
 */
export function findName(bytes: Buffer, view: DataView, start: number, end: number): number {
  const size = end - start;
  let first: number;
  let last: number;
  if (size >= 4) {
    first = view.getInt32(start, true);
    last = view.getInt32(end - 4, true);
  } else {
    first = view.getInt32(start, true) & ((1 << (size * 8)) - 1);
    last = first;
  }
  const slot = slotOf(first, last, size);
  if (
    slotSize[slot] === size &&
    slotFirst[slot] === first &&
    slotLast[slot] === last &&
    sameMiddle(view, start, size, slot)
  )
    return slot;
  const other = slot ^ 1;
  if (
    slotSize[other] === size &&
    slotFirst[other] === first &&
    slotLast[other] === last &&
    sameMiddle(view, start, size, other)
  )
    return other;
  return learn(bytes, view, start, end, first, last, slot);
}

/** Lower-case name of a handle. */
export function nameOf(handle: number): string {
  return slotName[handle] as string;
}

/** Known-name number of a handle, 0 for other names. */
export function nameIdOf(handle: number): number {
  return slotId[handle] as number;
}

function slotOf(first: number, last: number, size: number): number {
  const mixed = Math.imul(first, 0x9e3779b1) ^ Math.imul(last, 0x85ebca77) ^ Math.imul(size, 0xc2b2ae3d);
  return (mixed ^ (mixed >>> 15)) & (SLOTS - 1);
}

function sameMiddle(view: DataView, start: number, size: number, slot: number): boolean {
  let word = slot * WORDS;
  for (let at = 4; at < size - 4; at += 4)
    if (slotWords[word++] !== view.getInt32(start + at, true)) return false;
  return true;
}

function learn(
  bytes: Buffer,
  view: DataView,
  start: number,
  end: number,
  first: number,
  last: number,
  slot: number,
): number {
  for (let at = start; at < end; at++) if (TOKEN_LOWER[bytes[at] as number] === 0) return -1;
  const size = end - start;
  // as the key of an object it becomes the engine's one copy of that text: comparing such strings compares pointers
  const name = Object.keys({ [latin1Slice(bytes, start, end).toLowerCase()]: 0 })[0] as string;
  const id = knownNameId(name);
  if (size > MAX_CACHED_BYTES) {
    slotName[SCRATCH] = name;
    slotId[SCRATCH] = id;
    return SCRATCH;
  }
  if (slotSize[slot] !== 0) {
    // the older of the two leaves, so that one junk name cannot push out both
    if (slotSize[slot ^ 1] === 0 || (newest[slot >> 1] as number) === (slot & 1)) slot ^= 1;
  }
  newest[slot >> 1] = slot & 1;
  slotSize[slot] = size;
  slotFirst[slot] = first;
  slotLast[slot] = last;
  let word = slot * WORDS;
  for (let at = 4; at < size - 4; at += 4) slotWords[word++] = view.getInt32(start + at, true);
  slotName[slot] = name;
  slotId[slot] = id;
  return slot;
}

/** Which of each pair of slots was filled last. */
const newest: Uint8Array = new Uint8Array(SLOTS / 2);
