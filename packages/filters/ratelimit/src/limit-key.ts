import type { HttpStream } from '@tulle/filter';
import type { RateLimitKey } from '@tulle/model';

/** Gives the key whose bucket a request uses. */
export type KeyOf = (stream: HttpStream) => string;

/** Values longer than this are kept by their hash, so that a key cannot be made to cost memory. */
const MAX_VALUE_LENGTH = 128;

/** Compiles what tells buckets apart. A request that lacks a value has `''` there. */
export function compileKey(by: readonly RateLimitKey[]): KeyOf {
  const parts = by.map(compilePart);
  const [first] = parts;
  if (first === undefined) return () => '';
  if (parts.length === 1) return first;
  return (stream) => {
    let key = '';
    // With its length before it, a value cannot run into the next one.
    for (const part of parts) {
      const value = part(stream);
      key += `${value.length}:${value}`;
    }
    return key;
  };
}

function compilePart(part: RateLimitKey): KeyOf {
  if (part === 'identity') return (stream) => bounded(stream.connection.peerIdentity ?? '');
  if (part === 'address') return (stream) => stream.connection.remoteAddress;
  const name = part.header.toLowerCase();
  return (stream) => bounded(stream.request.headers.get(name) ?? '');
}

function bounded(value: string): string {
  if (value.length <= MAX_VALUE_LENGTH) return value;
  // Two FNV-1a hashes with different starts: 64 bits, beside the length.
  let one = 0x811c9dc5;
  let two = 0x01000193 ^ value.length;
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    one = Math.imul(one ^ code, 0x01000193);
    two = Math.imul(two ^ code, 0x85ebca6b);
  }
  return `#${value.length}:${(one >>> 0).toString(36)}${(two >>> 0).toString(36)}`;
}
