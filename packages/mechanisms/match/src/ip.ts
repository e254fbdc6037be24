/**
 * IP addresses as four 32-bit words, most significant first; IPv4 (and IPv4-mapped IPv6, RFC 4291 §2.5.5.2, which is the
 * same peer seen through a dual-stack socket) as one word.
 */

/** @returns the address as an unsigned number, -1 when `text` is no dotted IPv4 address (decimal, no leading zeros) */
export function parseIpv4(text: string, start = 0): number {
  let value = 0;
  let octet = -1;
  let dots = 0;
  for (let index = start; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code >= 0x30 && code <= 0x39) {
      if (octet === 0) return -1;
      octet = (octet === -1 ? 0 : octet * 10) + code - 0x30;
      if (octet > 255) return -1;
    } else if (code === 0x2e && octet !== -1 && dots < 3) {
      value = value * 256 + octet;
      octet = -1;
      dots += 1;
    } else {
      return -1;
    }
  }
  return dots === 3 && octet !== -1 ? value * 256 + octet : -1;
}

/**
 * Parses an IPv6 address (RFC 4291 §2.2) without brackets and zone.
 * @param words gets the four words; undefined content when the result is false
 */
export function parseIpv6(text: string, words: Uint32Array): boolean {
  words.fill(0);
  let groups = 0;
  let gap = -1;
  let index = 0;
  if (text.startsWith('::')) {
    gap = 0;
    index = 2;
    if (text.length === 2) return true;
  }
  while (index < text.length) {
    let end = index;
    let value = 0;
    for (; end < text.length && end - index <= 4; end += 1) {
      const digit = hexDigit(text.charCodeAt(end));
      if (digit === -1) break;
      value = value * 16 + digit;
    }
    if (text.charCodeAt(end) === 0x2e) {
      const tail = parseIpv4(text, index);
      if (tail === -1 || groups > 6) return false;
      put(words, groups, Math.floor(tail / 65_536));
      put(words, groups + 1, tail % 65_536);
      groups += 2;
      index = text.length;
      break;
    }
    if (end === index || end - index > 4 || groups > 7) return false;
    put(words, groups, value);
    groups += 1;
    index = end;
    if (index === text.length) break;
    if (text.charCodeAt(index) !== 0x3a) return false;
    index += 1;
    if (text.charCodeAt(index) === 0x3a) {
      if (gap !== -1) return false;
      gap = groups;
      index += 1;
    } else if (index === text.length) {
      return false;
    }
  }
  if (gap === -1) return groups === 8;
  if (groups > 7) return false;
  // What follows the gap moves to the end.
  const moved = groups - gap;
  for (let step = 1; step <= moved; step += 1) put(words, 8 - step, take(words, groups - step));
  for (let group = gap; group < 8 - moved; group += 1) put(words, group, 0);
  return true;
}

/** The IPv4 address inside an IPv4-mapped one, -1 for any other. */
export function mappedIpv4(words: Uint32Array): number {
  return words[0] === 0 && words[1] === 0 && words[2] === 0xffff ? (words[3] as number) : -1;
}

/** Canonical text of an IPv6 address (RFC 5952): lower case, longest run of zeros as `::`. */
export function formatIpv6(words: Uint32Array): string {
  const groups = Array.from({ length: 8 }, (_, index) => take(words, index));
  let best = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start += 1) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length += 1;
    if (length > bestLength) [best, bestLength] = [start, length];
  }
  const text = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return best === -1 ? text(0, 8) : `${text(0, best)}::${text(best + bestLength, 8)}`;
}

function put(words: Uint32Array, group: number, value: number): void {
  const word = group >> 1;
  const old = words[word] as number;
  words[word] =
    (group & 1) === 0 ? ((old & 0xffff) | (value << 16)) >>> 0 : ((old & 0xffff_0000) | value) >>> 0;
}

function take(words: Uint32Array, group: number): number {
  const word = words[group >> 1] as number;
  return (group & 1) === 0 ? word >>> 16 : word & 0xffff;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Whether a text is an IPv4 or IPv6 address, without brackets, zone or port. */
export function isIpAddress(text: string): boolean {
  return parseIpv4(text) !== -1 || (text.includes(':') && parseIpv6(text, new Uint32Array(4)));
}

/**
 * An IP address with a port, as connections are named: `10.1.2.3:80`, `[2001:db8::1]:80`. The port may be 0, of one that nobody knows.
 * @returns `undefined` where the text is none
 */
export function parseIpPort(text: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([\d.]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  return isIpAddress(host) && port <= 65_535 ? { host, port } : undefined;
}
