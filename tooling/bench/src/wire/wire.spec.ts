import { Duplex, PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { H2Connection } from './h2-connection.ts';
import { DATA, END_STREAM, frame, FrameReader } from './h2-frames.ts';
import { HeaderEncoder, saysOk, type Fields } from './header-encoder.ts';

describe('frames', () => {
  it('come out whole however the bytes are cut', () => {
    const bytes = Buffer.concat([frame(DATA, 0, 1, Buffer.from('abc')), frame(DATA, END_STREAM, 3)]);
    for (let size = 1; size <= bytes.length; size++) {
      const seen: unknown[] = [];
      const reader = new FrameReader((type, flags, stream, payload) =>
        seen.push([type, flags, stream, payload.toString()]),
      );
      for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
      expect(seen).toEqual([
        [DATA, 0, 1, 'abc'],
        [DATA, END_STREAM, 3, ''],
      ]);
    }
  });
});

describe('header blocks', () => {
  const head: Fields = [
    [':status', '200'],
    ['server', 'a'],
  ];
  const trailers: Fields = [['grpc-status', '0']];

  it('are literal once, then indices, which move when others come in between', () => {
    const encoder = new HeaderEncoder();
    expect(encoder.encode(head)).toEqual(Buffer.from('\x88\x40\x06server\x01a', 'latin1'));
    expect(encoder.encode(head)).toEqual(Buffer.from([0x88, 0x80 | 62]));
    encoder.encode(trailers);
    expect(encoder.encode(trailers)).toEqual(Buffer.from([0x80 | 62]));
    expect(encoder.encode(head)).toEqual(Buffer.from([0x88, 0x80 | 63]));
  });

  it('never index where the peer has no table, and say so once', () => {
    const encoder = new HeaderEncoder();
    encoder.withoutTable();
    expect(encoder.encode(trailers)).toEqual(Buffer.from('\x20\x00\x0bgrpc-status\x010', 'latin1'));
    expect(encoder.encode(trailers)).toEqual(Buffer.from('\x00\x0bgrpc-status\x010', 'latin1'));
  });

  it('are known to say 200 behind a change of the table size', () => {
    expect(saysOk(Buffer.from([0x3f, 0xe1, 0x1f, 0x88]))).toBe(true);
    expect(saysOk(Buffer.from([0x20, 0x8d]))).toBe(false);
  });
});

describe('a connection', () => {
  it('echoes more than the windows hold, nothing lost', async () => {
    const [left, right] = pair();
    let back = '';
    const sent = 'x'.repeat(200_000);
    await new Promise<void>((resolve) => {
      const server: H2Connection = new H2Connection(
        right,
        {
          headers() {},
          data: (stream, bytes, endStream) => server.sendData(stream, bytes, endStream),
          reset() {},
        },
        { role: 'server', streamWindowBytes: 1000 },
      );
      const client: H2Connection = new H2Connection(
        left,
        {
          headers() {},
          data(stream, bytes, endStream) {
            back += bytes.toString();
            server.grant(stream, bytes.length);
            server.flush();
            if (endStream) resolve();
          },
          reset() {},
        },
        { role: 'client' },
      );
      client.sendHeaders(1, [[':method', 'POST']], false);
      client.sendData(1, Buffer.from(sent), true);
      client.flush();
    });
    expect(back).toBe(sent);
  });
});

function pair(): [Duplex, Duplex] {
  const [there, back] = [new PassThrough(), new PassThrough()];
  return [Duplex.from({ readable: back, writable: there }), Duplex.from({ readable: there, writable: back })];
}
