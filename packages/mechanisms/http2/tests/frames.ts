import {
  CLIENT_PREFACE,
  FLAG_END_HEADERS,
  FRAME_CONTINUATION,
  FRAME_DATA,
  FRAME_HEADERS,
  FRAME_RST_STREAM,
  FRAME_SETTINGS,
  FRAME_WINDOW_UPDATE,
} from '../src/wire.ts';

/** A frame, written without the codec. */
export function frame(type: number, flags: number, id: number, payload: Buffer | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const bytes = Buffer.alloc(9 + body.length);
  bytes.writeUIntBE(body.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(id, 5);
  body.copy(bytes, 9);
  return bytes;
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** A header block of literals that no table keeps (RFC 7541 §6.2.2). Each line is `name: value`; a name may begin with a colon. */
export function block(...lines: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value, 'latin1');
    if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
    const size = [127];
    let rest = bytes.length - 127;
    for (; rest >= 128; rest >>= 7) size.push((rest & 127) | 128);
    return Buffer.concat([Buffer.from([...size, rest]), bytes]);
  };
  for (const line of lines) {
    const colon = line.indexOf(':', 1);
    parts.push(Buffer.from([0]), text(line.slice(0, colon)), text(line.slice(colon + 1)));
  }
  return Buffer.concat(parts);
}

export const settings = (...pairs: readonly (readonly [number, number])[]): Buffer =>
  frame(
    FRAME_SETTINGS,
    0,
    0,
    Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id]), uint32(value)]))),
  );
export const headers = (id: number, flags: number, ...lines: readonly string[]): Buffer =>
  frame(FRAME_HEADERS, flags | FLAG_END_HEADERS, id, block(...lines));
export const continuation = (id: number, flags: number, payload: Buffer | string = ''): Buffer =>
  frame(FRAME_CONTINUATION, flags, id, payload);
export const data = (id: number, flags: number, payload: Buffer | string = ''): Buffer =>
  frame(FRAME_DATA, flags, id, payload);
export const rst = (id: number, code = 8): Buffer => frame(FRAME_RST_STREAM, 0, id, uint32(code));
export const windowUpdate = (id: number, increment: number): Buffer =>
  frame(FRAME_WINDOW_UPDATE, 0, id, uint32(increment));

/** What a client sends before its first request. */
export const OPENING: Buffer = Buffer.concat([CLIENT_PREFACE, settings()]);

/** Lines of a plain GET. */
export const GET: readonly string[] = [':method:GET', ':scheme:http', ':path:/', ':authority:a.example'];
export const POST: readonly string[] = [':method:POST', ':scheme:http', ':path:/', ':authority:a.example'];

/** The frames in `bytes` as text: type, flags, id, and the code of those that have one. */
export function framesOf(bytes: Buffer): string[] {
  const names = [
    'DATA',
    'HEADERS',
    'PRIORITY',
    'RST',
    'SETTINGS',
    'PUSH',
    'PING',
    'GOAWAY',
    'WINDOW',
    'CONT',
  ];
  const found: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUIntBE(at, 3);
    const type = bytes[at + 3] as number;
    let line = `${names[type]} ${bytes[at + 4]} ${bytes.readUInt32BE(at + 5)}`;
    if (type === 3 || type === 8) line += ` ${bytes.readUInt32BE(at + 9)}`;
    else if (type === 7)
      line += ` ${bytes.readUInt32BE(at + 9)} ${bytes.readUInt32BE(at + 13)} ${bytes.toString('latin1', at + 17, at + 9 + length)}`;
    else line += ` ${length}`;
    found.push(line);
    at += 9 + length;
  }
  return found;
}
