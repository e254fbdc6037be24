import { ResponseHead } from '@tulle/http1';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bodyOf, deliver, fieldsOf, newLog, Pair, recorder, type Seen, tableOf } from '../tests/carrier.ts';
import {
  block,
  data,
  frame,
  GET,
  headers,
  OPENING,
  POST,
  rst,
  settings,
  windowUpdate,
} from '../tests/frames.ts';
import { MemoryOutput } from '../tests/memory-pair.ts';
import { numbers } from '../tests/numbers.ts';
import { ClientSession, type Http2Options, type Http2Stream, ServerSession } from './index.ts';

/** Everything that a server said: events, bodies, what it wrote. */
function outcome(bytes: Buffer, cut: (left: number) => number): unknown {
  const log = newLog();
  const output = new MemoryOutput();
  const session = new ServerSession<Seen>(
    recorder(log, {
      onHead(stream, endStream) {
        if (endStream) session.writeHead(stream, 204, tableOf(), -1, true);
      },
    }),
    output,
    { streamWindowBytes: 1_000_000 },
  );
  session.start();
  deliver(bytes, cut, (chunk) => session.receive(chunk, 0, chunk.length, 0));
  const streams = [...log.streams].map(([id, seen]) => [
    id,
    bodyOf(seen),
    seen.ended,
    seen.end,
    seen.trailers,
    fieldsOf(seen.head.fields),
  ]);
  return { lines: log.lines, streams, wrote: output.take().toString('hex') };
}

const clientFrames = fc.array(
  fc.oneof(
    fc
      .integer({ min: 0, max: 9 })
      .map((n) => headers(n * 2 + 1, n % 2, ...(n % 2 === 1 ? GET : POST), `x-n:${n}`)),
    fc
      .tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 300 }), fc.boolean())
      .map(([n, size, end]) => data(n * 2 + 1, end ? 1 : 0, 'd'.repeat(size))),
    fc
      .tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 20 }))
      .map(([n, pad]) => data(n * 2 + 1, 8, `${String.fromCharCode(pad)}${'p'.repeat(20)}`)),
    fc.integer({ min: 0, max: 9 }).map((n) => rst(n * 2 + 1)),
    fc
      .tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 1000 }))
      .map(([n, by]) => windowUpdate(n * 2 + 1, by)),
    fc.constant(settings([4, 70_000])),
    fc.constant(frame(6, 0, 0, 'pingpong')),
    fc.integer({ min: 0, max: 9 }).map((n) => {
      const whole = block(...GET, 'x-long:value');
      return Buffer.concat([
        frame(1, 1, n * 2 + 1, whole.subarray(0, 7)),
        frame(9, 4, n * 2 + 1, whole.subarray(7)),
      ]);
    }),
    fc.constant(frame(99, 3, 1, 'unknown')),
  ),
  { maxLength: 25 },
);

describe('a session', () => {
  it('says the same wherever chunks are cut', () => {
    fc.assert(
      fc.property(clientFrames, fc.integer(), (frames, seed) => {
        const bytes = Buffer.concat([OPENING, ...frames]);
        const next = numbers(seed);
        const whole = outcome(bytes, (left) => left);
        expect(outcome(bytes, () => 1 + next(30))).toEqual(whole);
        expect(outcome(bytes, () => 1)).toEqual(whole);
      }),
      { numRuns: 150 },
    );
  });

  it('carries any streams whole, both ways, under any windows', () => {
    const options = fc.record({
      streamWindowBytes: fc.constantFrom(1, 100, 5000, 65_535, 200_000),
      connectionWindowBytes: fc.constantFrom(65_535, 300_000),
      maxFrameBytes: fc.constantFrom(16_384, 50_000),
      outputBytes: fc.constantFrom(1, 1000, 131_072),
      streamQueueBytes: fc.constantFrom(1, 3000, 65_536),
      headerTableBytes: fc.constantFrom(0, 100, 4096, 8192),
      maxConcurrentStreams: fc.constantFrom(1, 3, 100),
    });
    fc.assert(
      fc.property(options, options, fc.integer(), (client, server, seed) => {
        carry(client, server, seed);
      }),
      { numRuns: 60 },
    );
  });

  it('never throws and holds little, whatever comes', () => {
    fc.assert(
      fc.property(clientFrames, fc.integer(), fc.boolean(), (frames, seed, asServer) => {
        const next = numbers(seed);
        const bytes = Buffer.concat([asServer ? OPENING : settings(), ...frames]);
        for (let i = next(12); i > 0; i--) {
          // now and then a bit of a header or of a block, so that what follows is read as something else
          const at = (asServer ? 24 : 0) + next(bytes.length - (asServer ? 24 : 0));
          bytes[at] = next(3) === 0 ? next(256) : (bytes[at] as number) ^ (1 << next(8));
        }
        const log = newLog();
        const output = new MemoryOutput();
        const session = asServer
          ? new ServerSession<Seen>(recorder(log), output, { maxConcurrentStreams: 5 })
          : new ClientSession<Seen>(recorder(log), output);
        session.start();
        if (session instanceof ClientSession) for (let i = 0; i < 5; i++) openAny(session, log.streams);
        deliver(
          bytes,
          () => 1 + next(100),
          (chunk) => session.receive(chunk, 0, chunk.length, 0),
        );
        expect(session.openStreams).toBeLessThanOrEqual(5);
        expect(output.queuedBytes).toBeLessThan(10_000);
        const open = session.openStreams;
        session.abort();
        const ends = [...log.streams.values()].filter((seen) => seen.end === undefined);
        expect([session.openStreams, ends.length]).toEqual([0, 0]);
        if (session.failed && log.lines.some((line) => line.startsWith('FAULT'))) expect(open).toBe(0);
      }),
      { numRuns: 1500 },
    );
  });
});

function openAny(session: ClientSession<Seen>, streams: Map<number, Seen>): Http2Stream<Seen> {
  const seen: Seen = {
    head: new ResponseHead(),
    body: [],
    trailers: undefined,
    ended: false,
    end: undefined,
  };
  const stream = session.open(seen, seen.head as ResponseHead);
  streams.set(stream.id, seen);
  session.writeRequestHead(stream, 'POST', 'http', 'a.example', '/', tableOf(), -1, false);
  return stream;
}

/** One side of one stream: what is to be sent, and how far it is. */
interface Sending {
  readonly body: Buffer;
  readonly trailers: boolean;
  at: number;
  done: boolean;
}

/** Sends 12 requests with bodies, which are answered with bodies, in random pieces; nothing may be lost or mixed up. */
function carry(client: Partial<Http2Options>, server: Partial<Http2Options>, seed: number): void {
  const next = numbers(seed);
  // small windows need as many round trips as they fit into the body
  const most = Math.min(30_000, 100 * Math.min(client.streamWindowBytes ?? 0, server.streamWindowBytes ?? 0));
  const make = (n: number): Sending => ({
    body: Buffer.from(Array.from({ length: next(3) === 0 ? 0 : next(most) }, (_, i) => (n * 7 + i) & 255)),
    trailers: next(3) === 0,
    at: 0,
    done: false,
  });
  const up = new Map<number, Sending>();
  const down = new Map<number, Sending>();
  const owed: [session: 'client' | 'server', stream: Http2Stream<Seen>, id: number, bytes: number][] = [];
  const pair: Pair = new Pair({
    client,
    server,
    onServer: {
      onHead: (stream) => {
        down.set(stream.id, make(stream.id + 100));
        pair.server.writeHead(stream, 200, tableOf(`x-id:${stream.id}`), -1, false);
      },
      onData: (stream, _chunk, start, end) => void owed.push(['server', stream, stream.id, end - start]),
    },
    onClient: {
      onData: (stream, _chunk, start, end) => void owed.push(['client', stream, stream.id, end - start]),
    },
  });
  const write = (side: 'client' | 'server', sends: Map<number, Sending>): void => {
    for (const [id, sending] of sends) {
      const session = pair[side];
      const stream = session.streams.get(id);
      if (sending.done || stream === undefined || !stream.writable) continue;
      const size = Math.min(1 + next(9000), sending.body.length - sending.at);
      const end = sending.at + size;
      const owned = next(2) === 0;
      const last = end === sending.body.length;
      const withEnd = last && !sending.trailers && next(2) === 0;
      const piece = Buffer.from(sending.body.subarray(sending.at, end));
      const kept = session.writeData(stream, piece, 0, size, owned, withEnd);
      if (!kept) piece.fill(0xdd);
      sending.at = end;
      if (!last) continue;
      sending.done = true;
      if (!withEnd) session.writeEnd(stream, sending.trailers ? tableOf(`x-end:${id}`) : undefined);
    }
  };
  for (let round = 0; round < 20_000; round++) {
    if (up.size < 12 && pair.client.canOpen) {
      const stream = pair.request('POST', `/${up.size}`, tableOf('x-any:thing'), -1, false);
      up.set(stream.id, make(stream.id));
    }
    write('client', up);
    write('server', down);
    pair.run(() => 1 + next(20_000));
    for (const [side, stream, id, bytes] of owed.splice(0))
      if (stream.id === id) pair[side].consume(stream, bytes);
    if (up.size === 12 && pair.client.openStreams + pair.server.openStreams === 0) break;
  }
  expect([pair.client.openStreams, pair.server.openStreams, up.size]).toEqual([0, 0, 12]);
  const faults = [...pair.clientLog.lines, ...pair.serverLog.lines].filter((line) =>
    /fault|FAULT/.test(line),
  );
  expect(faults).toEqual([]);
  for (const [sends, log] of [
    [up, pair.serverLog],
    [down, pair.clientLog],
  ] as const) {
    // a server may have refused what was sent before its limit was known
    for (const [id, sending] of sends) {
      const seen = log.streams.get(id);
      if (pair.clientLog.streams.get(id)?.end !== 'closed') continue;
      expect(Buffer.concat(seen?.body ?? []).equals(sending.body), `body of ${id}`).toBe(true);
      expect(seen?.trailers).toEqual(sending.trailers ? [`x-end: ${id}`] : undefined);
    }
  }
}
