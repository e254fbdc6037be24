import type { ByteWriter } from '@tulle/fields';
import {
  FLAG_ACK,
  FRAME_GOAWAY,
  FRAME_HEADER_BYTES,
  FRAME_PING,
  FRAME_RST_STREAM,
  FRAME_SETTINGS,
  FRAME_WINDOW_UPDATE,
} from './wire.ts';

/** Writes a frame header (RFC 9113 §4.1). */
export function writeFrameHeader(
  out: ByteWriter,
  length: number,
  type: number,
  flags: number,
  id: number,
): void {
  out.reserve(FRAME_HEADER_BYTES);
  putFrameHeader(out.buffer, out.length, length, type, flags, id);
  out.length += FRAME_HEADER_BYTES;
}

/** The same into bytes that are there already. */
export function putFrameHeader(
  bytes: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  id: number,
): void {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  bytes[at + 5] = id >>> 24;
  bytes[at + 6] = id >>> 16;
  bytes[at + 7] = id >>> 8;
  bytes[at + 8] = id;
}

function writeUint32(out: ByteWriter, value: number): void {
  out.reserve(4);
  const { buffer } = out;
  let at = out.length;
  buffer[at++] = value >>> 24;
  buffer[at++] = value >>> 16;
  buffer[at++] = value >>> 8;
  buffer[at++] = value;
  out.length = at;
}

/** RST_STREAM (RFC 9113 §6.4). */
export function writeReset(out: ByteWriter, id: number, code: number): void {
  writeFrameHeader(out, 4, FRAME_RST_STREAM, 0, id);
  writeUint32(out, code);
}

/** WINDOW_UPDATE (RFC 9113 §6.9). @param id 0 for the connection */
export function writeWindowUpdate(out: ByteWriter, id: number, increment: number): void {
  writeFrameHeader(out, 4, FRAME_WINDOW_UPDATE, 0, id);
  writeUint32(out, increment);
}

/** SETTINGS (RFC 9113 §6.5). @param pairs identifier, value, identifier, … */
export function writeSettings(out: ByteWriter, pairs: readonly number[]): void {
  writeFrameHeader(out, pairs.length * 3, FRAME_SETTINGS, 0, 0);
  for (let i = 0; i < pairs.length; i += 2) {
    out.reserve(2);
    out.buffer[out.length++] = (pairs[i] as number) >>> 8;
    out.buffer[out.length++] = pairs[i] as number;
    writeUint32(out, pairs[i + 1] as number);
  }
}

/** SETTINGS with ACK. */
export function writeSettingsAck(out: ByteWriter): void {
  writeFrameHeader(out, 0, FRAME_SETTINGS, FLAG_ACK, 0);
}

/** PING with a token in its last four octets, zeros before (RFC 9113 §6.7). */
export function writePing(out: ByteWriter, token: number): void {
  writeFrameHeader(out, 8, FRAME_PING, 0, 0);
  writeUint32(out, 0);
  writeUint32(out, token);
}

/** The answer to a PING: its eight octets. */
export function writePong(out: ByteWriter, bytes: Buffer, start: number): void {
  writeFrameHeader(out, 8, FRAME_PING, FLAG_ACK, 0);
  out.bytes(bytes, start, start + 8);
}

/** GOAWAY (RFC 9113 §6.8). @param debug ASCII, for whoever reads the peer's log */
export function writeGoaway(out: ByteWriter, lastStreamId: number, code: number, debug: string): void {
  writeFrameHeader(out, 8 + debug.length, FRAME_GOAWAY, 0, 0);
  writeUint32(out, lastStreamId);
  writeUint32(out, code);
  out.latin1(debug);
}
