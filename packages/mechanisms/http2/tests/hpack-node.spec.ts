import { Duplex } from 'node:stream';
import * as http2 from 'node:http2';
import { ByteWriter } from '@tulle/fields';
import { afterEach, describe, expect, it } from 'vitest';
import { HpackDecoder, HpackEncoder, INDEX, NEVER_INDEX } from '../src/index.ts';
import { decodedFully, type Field } from './hpack-harness.ts';

/*
 * Node's HTTP/2 (nghttp2, an implementation that shares nothing with ours) as the client of a server of a few frames that
 * has our HPACK, over a pair of streams in memory: what it encodes we decode, what we encode it decodes.
 */

const DATA = 0;
const HEADERS = 1;
const SETTINGS = 4;
const PING = 6;
const CONTINUATION = 9;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const HEADER_TABLE_SIZE = 1;
const PREFACE_BYTES = 24;

function frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** Answers each request with what `answer` says. */
class Server {
  readonly decoder: HpackDecoder;
  readonly encoder: HpackEncoder = new HpackEncoder();
  readonly requests: string[][] = [];
  readonly never: string[] = [];
  readonly answer: (path: string) => readonly Field[];
  readonly stream: Duplex;
  #pending: Buffer = Buffer.alloc(0);
  #block: Buffer = Buffer.alloc(0);
  #preface = true;

  constructor(tableBytes: number, answer: (path: string) => readonly Field[]) {
    this.decoder = new HpackDecoder(tableBytes);
    this.answer = answer;
    this.stream = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        this.#receive(chunk);
        done();
      },
    });
    const setting = Buffer.alloc(6);
    setting.writeUInt16BE(HEADER_TABLE_SIZE, 0);
    setting.writeUInt32BE(tableBytes, 2);
    this.stream.push(frame(SETTINGS, 0, 0, setting));
  }

  #receive(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    if (this.#preface && this.#pending.length >= PREFACE_BYTES) {
      this.#preface = false;
      this.#pending = this.#pending.subarray(PREFACE_BYTES);
    }
    while (!this.#preface && this.#pending.length >= 9) {
      const size = this.#pending.readUIntBE(0, 3);
      if (this.#pending.length < 9 + size) return;
      const [type, flags] = [this.#pending[3] as number, this.#pending[4] as number];
      const streamId = this.#pending.readUInt32BE(5);
      const payload = this.#pending.subarray(9, 9 + size);
      this.#pending = this.#pending.subarray(9 + size);
      this.#frame(type, flags, streamId, payload);
    }
  }

  #frame(type: number, flags: number, streamId: number, payload: Buffer): void {
    if (type === SETTINGS && (flags & ACK) !== 0) this.decoder.acknowledged();
    else if (type === SETTINGS) {
      for (let at = 0; at < payload.length; at += 6)
        if (payload.readUInt16BE(at) === HEADER_TABLE_SIZE)
          this.encoder.setMaxTableBytes(payload.readUInt32BE(at + 2));
      this.stream.push(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
    } else if (type === PING && (flags & ACK) === 0) this.stream.push(frame(PING, ACK, 0, payload));
    else if (type === HEADERS || type === CONTINUATION) {
      // nghttp2 neither pads nor sends priorities here
      if ((flags & 0x28) !== 0) this.stream.destroy(new Error(`HEADERS with flags ${flags}`));
      this.#block = Buffer.concat([this.#block, payload]);
      if ((flags & END_HEADERS) !== 0) this.#request(streamId);
    }
  }

  #request(streamId: number): void {
    const { fault, sink } = decodedFully(this.decoder, this.#block);
    this.#block = Buffer.alloc(0);
    if (fault !== undefined) this.stream.destroy(new Error(fault.rule));
    this.requests.push(sink.lines);
    sink.lines.forEach((line, at) => {
      if (sink.never[at] === true) this.never.push(line);
    });
    const path = sink.lines.find((line) => line.startsWith(':path: ')) ?? '';
    const out = new ByteWriter();
    this.encoder.begin(out);
    for (const [name, value, indexing] of this.answer(path.slice(7)))
      this.encoder.field(out, name, value, indexing);
    this.stream.push(frame(HEADERS, END_HEADERS, streamId, Buffer.from(out.view())));
    this.stream.push(frame(DATA, END_STREAM, streamId, Buffer.alloc(0)));
  }
}

const sessions: http2.ClientHttp2Session[] = [];
afterEach(() => {
  for (const session of sessions.splice(0)) session.destroy();
});

function connect(server: Server, headerTableSize: number): http2.ClientHttp2Session {
  const session = http2.connect('http://a.example', {
    createConnection: () => server.stream,
    settings: { headerTableSize },
  });
  sessions.push(session);
  return session;
}

/** Name and value of each line of the response, in order. */
function fetchLines(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
): Promise<string[]> {
  const { promise, resolve, reject } = Promise.withResolvers<string[]>();
  const request = session.request(headers);
  session.once('error', reject);
  request.once('error', reject);
  request.once('response', (_headers, _flags, raw: string[]) => {
    session.removeListener('error', reject);
    const lines: string[] = [];
    for (let i = 0; i < raw.length; i += 2) lines.push(`${raw[i]}: ${raw[i + 1]}`);
    resolve(lines);
  });
  request.resume();
  return promise;
}

/** Values that repeat, that differ, and that are long, as a function of the message's number. */
const fieldsOf = (at: number): readonly [string, string][] => [
  ['x-constant', 'the same each time'],
  ['x-alternating', at % 2 === 0 ? 'even' : 'odd'],
  ['x-number', String(at * 7919)],
  ['x-long', 'long '.repeat(at % 40).trim()],
  [`x-name-${at % 60}`, 'a name out of sixty'],
  ['x-odd', Buffer.from([0xe9, 0xff, 0xa0 + (at % 90)]).toString('latin1')],
  ['cache-control', at % 3 === 0 ? 'no-store' : 'max-age=60'],
  ['date', `Mon, 01 Jan 2024 00:00:${String(at % 60).padStart(2, '0')} GMT`],
];

describe("HPACK with Node's HTTP/2 as the peer", () => {
  it.each([
    [4096, 4096],
    [0, 0],
    [300, 200],
    [4096, 100],
    [16384, 65536],
    [100, 4096],
  ])(
    'agrees on every field, with a table of %i octets for requests and of %i for responses',
    async (ours, theirs) => {
      const server = new Server(ours, (path) => [
        [':status', '200'],
        ...fieldsOf(Number(path.slice(1))).map(([name, value], at): Field =>
          at % 4 === 1 ? [name, value, INDEX] : [name, value],
        ),
        ['x-secret', 'not for tables', NEVER_INDEX],
      ]);
      const session = connect(server, theirs);
      for (let at = 0; at < 150; at++) {
        const lines = await fetchLines(session, {
          ':path': `/${at}`,
          ':authority': 'a.example',
          authorization: 'Bearer 1',
          ...Object.fromEntries(fieldsOf(at)),
          [http2.sensitiveHeaders]: ['authorization'],
        });
        const want = fieldsOf(at).map(([name, value]) => `${name}: ${value}`);
        expect(lines.filter((line) => !line.startsWith(':') && !line.startsWith('x-secret'))).toEqual(want);
        expect(lines).toContain('x-secret: not for tables');
        const sent = server.requests.at(-1) ?? [];
        expect(sent).toContain('authorization: Bearer 1');
        for (const line of want) expect(sent).toContain(line);
        expect(sent.filter((line) => line.startsWith(':')).toSorted()).toEqual([
          ':authority: a.example',
          ':method: GET',
          `:path: /${at}`,
          ':scheme: http',
        ]);
      }
      expect(new Set(server.never)).toEqual(new Set(['authorization: Bearer 1']));
      expect(server.decoder.tableBytes).toBeLessThanOrEqual(Math.max(ours, 0));
      expect(server.encoder.tableBytes).toBeLessThanOrEqual(Math.min(theirs, 4096));
    },
  );
});
