import type { CompileContext } from './compile-context.ts';
import { mappedIpv4, parseIpv4, parseIpv6 } from './ip.ts';

/** A set of networks. */
export interface CidrSet {
  /**
   * Whether an address lies in one of the networks. IPv4-mapped IPv6 addresses count as the IPv4 address, a zone
   * (`%eth0`) is ignored, and what is no address (`''` for a Unix socket) lies in none.
   */
  has(address: string): boolean;
}

/**
 * The network of an address, e.g. `10.1.0.0/16`. @returns `undefined` for what is no address
 * @param v4Bits @param v6Bits how much of it is kept
 */
export function maskAddress(address: string, v4Bits: number, v6Bits: number): string | undefined {
  const bare = address.split('%', 1)[0] ?? '';
  const words = new Uint32Array(4);
  let v4 = parseIpv4(bare);
  if (v4 === -1) {
    if (!parseIpv6(bare, words)) return undefined;
    v4 = mappedIpv4(words);
  }
  if (v4 !== -1) {
    const masked = (v4 & maskWord(v4Bits)) >>> 0;
    return `${[24, 16, 8, 0].map((shift) => (masked >>> shift) & 255).join('.')}/${v4Bits}`;
  }
  const groups = [...words].flatMap((word, index) => {
    const masked = (word & maskWord(v6Bits - index * 32)) >>> 0;
    return [masked >>> 16, masked & 0xffff];
  });
  return `${formatGroups(groups)}/${v6Bits}`;
}

/** RFC 5952 §4: the first longest run of two zero groups or more becomes `::`. */
function formatGroups(groups: readonly number[]): string {
  let [start, length] = [-1, 1];
  for (let index = 0; index < 8; index += 1) {
    let end = index;
    while (end < 8 && groups[end] === 0) end += 1;
    if (end - index > length) [start, length] = [index, end - index];
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  return start === -1
    ? text(groups)
    : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** A range of addresses, both ends within it. Four words for IPv6, one for IPv4. */
interface Range {
  readonly first: readonly number[];
  readonly last: readonly number[];
}

/** @returns `undefined` when `text` is no network: `10.0.0.0/8`, `2001:db8::/32`, or an address for itself alone */
function parseCidr(text: string): Range | undefined {
  const slash = text.indexOf('/');
  const address = slash === -1 ? text : text.slice(0, slash);
  const words = new Uint32Array(4);
  let parts: number[];
  const v4 = parseIpv4(address);
  if (v4 !== -1) parts = [v4];
  else if (parseIpv6(address, words)) parts = [...words];
  else return undefined;
  let bits = parts.length * 32;
  if (slash !== -1) {
    const length = text.slice(slash + 1);
    if (!/^(?:0|[1-9]\d{0,2})$/.test(length) || Number(length) > bits) return undefined;
    bits = Number(length);
  }
  if (parts.length === 4 && bits >= 96) {
    const mapped = mappedIpv4(words);
    if (mapped !== -1) [parts, bits] = [[mapped], bits - 96];
  }
  const mask = parts.map((_, index) => maskWord(bits - index * 32));
  return {
    first: parts.map((part, index) => (part & (mask[index] as number)) >>> 0),
    last: parts.map((part, index) => (part | ~(mask[index] as number)) >>> 0),
  };
}

function maskWord(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? 0xffff_ffff : (0xffff_ffff << (32 - bits)) >>> 0;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < a.length; index += 1) {
    const difference = (a[index] as number) - (b[index] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Sorted ranges of one family without overlaps. */
class Ranges {
  readonly #width: number;
  readonly #first: Uint32Array;
  readonly #last: Uint32Array;
  readonly #count: number;

  constructor(width: number, ranges: readonly Range[]) {
    const merged: Range[] = [];
    for (const range of ranges.toSorted((a, b) => compare(a.first, b.first))) {
      const previous = merged.at(-1);
      if (previous === undefined || compare(range.first, previous.last) > 0) merged.push(range);
      else if (compare(range.last, previous.last) > 0)
        merged[merged.length - 1] = { first: previous.first, last: range.last };
    }
    this.#width = width;
    this.#count = merged.length;
    this.#first = Uint32Array.from(merged.flatMap((range) => range.first));
    this.#last = Uint32Array.from(merged.flatMap((range) => range.last));
  }

  has(words: Uint32Array): boolean {
    let low = 0;
    let high = this.#count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(words, this.#first, middle) < 0) high = middle - 1;
      else if (this.#compare(words, this.#last, middle) > 0) low = middle + 1;
      else return true;
    }
    return false;
  }

  #compare(words: Uint32Array, table: Uint32Array, row: number): number {
    for (let index = 0; index < this.#width; index += 1) {
      const difference = (words[index] as number) - (table[row * this.#width + index] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  }
}

/** Compiles networks. A wrong one becomes an issue. @param path JSON pointer of the list */
export function compileCidrs(cidrs: readonly string[], context: CompileContext, path: string): CidrSet {
  const v4: Range[] = [];
  const v6: Range[] = [];
  for (const [index, text] of cidrs.entries()) {
    const range = parseCidr(text);
    if (range === undefined)
      context.issue(
        `${path}/${index}`,
        `${JSON.stringify(text)} is no network; write e.g. 10.0.0.0/8, 2001:db8::/32 or a single address`,
      );
    else (range.first.length === 1 ? v4 : v6).push(range);
  }
  const ranges4 = new Ranges(1, v4);
  const ranges6 = new Ranges(4, v6);
  const words = new Uint32Array(4);
  // Streams of one connection ask with the same string one after the other.
  let lastAddress: string | undefined;
  let lastAnswer = false;
  return {
    has(address) {
      if (address === lastAddress) return lastAnswer;
      lastAddress = address;
      const zone = address.indexOf('%');
      const bare = zone === -1 ? address : address.slice(0, zone);
      const single = parseIpv4(bare);
      if (single !== -1) words[0] = single;
      else if (!parseIpv6(bare, words)) return (lastAnswer = false);
      const mapped = single === -1 ? mappedIpv4(words) : single;
      if (mapped !== -1) words[0] = mapped;
      return (lastAnswer = mapped === -1 ? ranges6.has(words) : ranges4.has(words));
    },
  };
}
