/**
 * A writer of HTTP/2 frames and header blocks that checks nothing, for attacks: written from RFC 9113 §4, §6 and RFC 7541
 * §6 alone, it shares nothing with the codec of the proxy.
 */

export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const WITH_PRIORITY = 0x20;

export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

const EMPTY: Buffer = Buffer.alloc(0);

/** One frame. @param length what its head says, when that is not the truth */
export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Buffer | string = EMPTY,
  length?: number,
): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(length ?? body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, body]);
}

export const HEADER_TABLE_SIZE = 1;
export const ENABLE_PUSH = 2;
export const INITIAL_WINDOW_SIZE = 4;
export const MAX_FRAME_SIZE = 5;
export const ENABLE_CONNECT_PROTOCOL = 8;

/** A SETTINGS frame of pairs of number and value. */
export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  pairs.forEach(([id, value], at) => {
    payload.writeUInt16BE(id, at * 6);
    payload.writeUInt32BE(value, at * 6 + 2);
  });
  return frame(SETTINGS, 0, 0, payload);
}

export function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => bytes.writeUInt32BE(value >>> 0, at * 4));
  return bytes;
}

export const windowUpdate = (streamId: number, bytes: number): Buffer =>
  frame(WINDOW_UPDATE, 0, streamId, u32(bytes));
export const rst = (streamId: number, code = 8): Buffer => frame(RST_STREAM, 0, streamId, u32(code));
export const ping = (flags = 0): Buffer => frame(PING, flags, 0, Buffer.alloc(8, 7));
export const data = (streamId: number, body: string | Buffer, flags = 0): Buffer =>
  frame(DATA, flags, streamId, body);

export type Fields = readonly (readonly [name: string, value: string])[];

/** A header block of literals that leave every table alone: no index, no Huffman code. */
export function block(fields: Fields): Buffer {
  return Buffer.concat(
    fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])),
  );
}

/** A string as HPACK has it, plainly. */
export function text(value: string): Buffer {
  return Buffer.concat([integer(0, 0x7f, value.length), Buffer.from(value, 'latin1')]);
}

/** An integer behind the first bits of an octet (RFC 7541 §5.1). */
export function integer(first: number, mask: number, value: number): Buffer {
  if (value < mask) return Buffer.from([first | value]);
  const octets = [first | mask];
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) | 128);
  octets.push(rest);
  return Buffer.from(octets);
}

/** HEADERS, whole. @param flags END_STREAM by default */
export function headers(streamId: number, fields: Fields | Buffer, flags: number = END_STREAM): Buffer {
  const payload = Buffer.isBuffer(fields) ? fields : block(fields);
  return frame(HEADERS, flags | END_HEADERS, streamId, payload);
}

/** HEADERS and CONTINUATION frames of at most `most` octets each. */
export function continued(
  streamId: number,
  fields: Fields | Buffer,
  most: number,
  flags: number = END_STREAM,
): Buffer {
  const payload = Buffer.isBuffer(fields) ? fields : block(fields);
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < payload.length; at += most) {
    const last = at + most >= payload.length ? END_HEADERS : 0;
    const part = payload.subarray(at, at + most);
    frames.push(
      at === 0 ? frame(HEADERS, flags | last, streamId, part) : frame(CONTINUATION, last, streamId, part),
    );
  }
  return Buffer.concat(frames);
}
