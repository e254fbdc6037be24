/**
 * Bytes as the data path moves them: Node's buffers, whose methods are faster than those of `Uint8Array`. The one place
 * where the pure rooms (decision D11) get at them; where there is no Node, another module stands here.
 */
export type Bytes = Buffer;

export const NO_BYTES: Bytes = Buffer.alloc(0);

/** @returns a copy of its own, or the UTF-8 bytes of a text */
export function copyBytes(bytes: Uint8Array | string): Bytes {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : Buffer.from(bytes);
}

/** @returns the bytes that base64 (RFC 4648 §4 and §5, padded or not) stands for; what is none is passed over */
export function fromBase64(text: string): Bytes {
  return Buffer.from(text, 'base64');
}

/** @returns the parts as one; the part itself where there is just one */
export function joinBytes(parts: readonly Bytes[]): Bytes {
  return parts.length === 1 ? (parts[0] as Bytes) : Buffer.concat(parts);
}

/** Below this Node cuts copies from a shared block, which then lives as long as the last of them. */
const POOLED_BYTES = 2048;

/** Room for `size` bytes that were not cleared: the caller fills all of it. Large ones are freed by themselves. */
export function roomFor(size: number): Bytes {
  return size < POOLED_BYTES ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size);
}
