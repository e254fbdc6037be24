import type { Headers } from '@tulle/filter';

/** Flag of a frame that holds trailers instead of a message (PROTOCOL-WEB.md). */
const TRAILERS = 0x80;
const HEAD_BYTES = 5;

/** Trailers as the last frame of a body: flag, length in four octets, then field lines as HTTP/1 writes them. */
export function trailerFrame(trailers: Headers): Buffer {
  let lines = '';
  for (let i = 0; i < trailers.length; i++) lines += `${trailers.name(i)}: ${trailers.value(i)}\r\n`;
  const frame = Buffer.allocUnsafe(HEAD_BYTES + lines.length);
  frame[0] = TRAILERS;
  frame.writeUInt32BE(lines.length, 1);
  // Values are latin1 strings, an octet each.
  frame.write(lines, HEAD_BYTES, 'latin1');
  return frame;
}
