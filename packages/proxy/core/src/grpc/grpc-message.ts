/** Longest message: a caller's limit of a head, often 8 KiB, has to have room for all of it, encoded. */
const MAX_MESSAGE_BYTES = 1_024;

const DIGITS = '0123456789ABCDEF';

/**
 * `grpc-message` of a text in UTF-8: visible ASCII and blanks stand for themselves but `%`, all else percent-encoded
 * (grpc/doc/PROTOCOL-HTTP2.md); without the line ends at its end, and cut where it is long.
 */
export function encodeGrpcMessage(bytes: Uint8Array): string {
  let end = bytes.length;
  while (end > 0 && ((bytes[end - 1] as number) === 0x0a || (bytes[end - 1] as number) === 0x0d)) end--;
  if (end > MAX_MESSAGE_BYTES) {
    end = MAX_MESSAGE_BYTES;
    // Not in the middle of a character.
    while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  }
  let text = '';
  for (let i = 0; i < end; i++) {
    const byte = bytes[i] as number;
    // A blank at either end would not survive as a field value.
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25 && (byte !== 0x20 || (i > 0 && i < end - 1));
    text += plain
      ? String.fromCharCode(byte)
      : `%${DIGITS[byte >> 4] as string}${DIGITS[byte & 15] as string}`;
  }
  return text;
}
