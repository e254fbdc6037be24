import net from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import {
  ACK,
  block,
  CONTINUATION,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  HEADERS,
  integer,
  PING,
  ping,
  PRIORITY,
  RST_STREAM,
  rst,
  SETTINGS,
  settings,
  u32,
  windowUpdate,
} from '../http2/frames.ts';
import { FrameReader, type Frame } from '../http2/reader.ts';
import { answer } from '../http2/scripted-origin.ts';
import { ATTACK_MS, FLOOD_OVER_MS, type AttackTerms, type Outcome } from './attack.ts';

/** An origin that attacks the proxy which asks it something. */
export interface OriginAttack extends AttackTerms {
  /** Requests that are sent to it at once; default 1. */
  readonly requests?: number;
  /** What it does once a request's head came: frames to send over and over; absent: nothing at all. */
  readonly flood?: (streamId: number, round: number) => Buffer;
  /** Sent once before. */
  readonly before?: (streamId: number) => Buffer;
  /** Sent instead, once for each request. */
  readonly reply?: (streamId: number) => Buffer;
  /** SETTINGS that it begins with. */
  readonly settings?: Buffer;
  /** Whether callers may get an answer below 500 (it is for the proxy to judge, and what it got is valid). */
  readonly mayAnswer?: boolean;
  /** Of requests that came, how many are too many. */
  readonly mostRequests?: number;
  /** Of streams that are open at once, as an origin counts them, how many are too many. */
  readonly mostStreams?: number;
}

const PER_ROUND = 200;
const many = (count: number, make: (at: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, at) => make(at)));
const OK: readonly (readonly [string, string])[] = [[':status', '200']];

const flooding = (
  what: string,
  flood: (streamId: number, round: number) => Buffer,
  more: Partial<OriginAttack> = {},
): OriginAttack => ({
  what,
  overWithinMs: FLOOD_OVER_MS,
  flood,
  ...more,
});

/** The exhaustion list of the attack checklist, from origins. */
export const ORIGIN_ATTACKS: readonly OriginAttack[] = [
  flooding('PING', () => many(PER_ROUND, () => ping())),
  flooding('SETTINGS', () => many(PER_ROUND, () => settings())),
  flooding('empty DATA', (id) => many(PER_ROUND, () => data(id, '')), {
    before: (id) => answer(id, OK),
    mayAnswer: true,
  }),
  flooding('PRIORITY', (id) =>
    many(PER_ROUND, () => frame(PRIORITY, 0, id + 2, Buffer.concat([u32(0), Buffer.from([1])]))),
  ),
  flooding('WINDOW_UPDATE of 1', () => many(PER_ROUND, () => windowUpdate(0, 1))),
  flooding('unknown frames', () => many(PER_ROUND, () => frame(0xfa, 0, 0))),
  flooding('CONTINUATION without octets', (id) => many(PER_ROUND, () => frame(CONTINUATION, 0, id)), {
    before: (id) => frame(HEADERS, 0, id, block(OK)),
  }),
  flooding('CONTINUATION of 16 KiB', (id) => frame(CONTINUATION, 0, id, Buffer.alloc(16_384, 0x88)), {
    before: (id) => frame(HEADERS, 0, id, block(OK)),
  }),
  flooding('a field of 10 MB', (id) => frame(CONTINUATION, 0, id, Buffer.alloc(16_384, 0x61)), {
    before: (id) =>
      frame(
        HEADERS,
        0,
        id,
        Buffer.concat([block(OK), Buffer.from([0, 1, 0x78]), integer(0, 0x7f, 10_000_000)]),
      ),
  }),
  flooding('interim answers', (id) => many(PER_ROUND, () => answer(id, [[':status', '103']]))),
  flooding('GOAWAY over and over', (id) => many(PER_ROUND, () => frame(GOAWAY, 0, 0, u32(id, 0)))),
  {
    what: 'a table entry of 4,000 octets, 300 times an answer',
    reply: (id) =>
      frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        id,
        Buffer.concat([
          Buffer.from([0x88, 0x40, 1, 0x78]),
          integer(0, 0x7f, 4000),
          Buffer.alloc(4000, 0x61),
          Buffer.alloc(300, 0xbe),
        ]),
      ),
    requests: 100,
  },
  {
    what: 'every stream reset',
    reply: (id) => rst(id, 2),
    requests: 300,
    mostRequests: 300,
  },
  {
    what: 'every stream refused, again and again',
    reply: (id) => rst(id, 7),
    requests: 300,
    // the attempts that are allowed for what is provably unsent, and no storm
    mostRequests: 1500,
  },
  {
    what: 'no answer at all',
    requests: 50,
    overWithinMs: 9000,
  },
  {
    what: 'heads of answers, and nothing more',
    requests: 50,
    before: (id) => answer(id, OK),
    mayAnswer: true,
  },
  {
    what: 'a bound on streams while callers reset',
    settings: settings([1, 0], [3, 20]),
    mostStreams: 20,
    mayAnswer: true,
  },
];

/** What the origin tells of an attack. */
export interface OriginOutcome extends Outcome {
  readonly requests: number;
  readonly mostStreams: number;
}

/** Listens, and attacks as it is told. */
export class AttackingOrigin {
  #attack: OriginAttack | undefined = undefined;
  #requests = 0;
  #mostStreams = 0;
  #bytesSent = 0;
  #from: number | undefined = undefined;
  #overAfterMs: number | undefined = undefined;
  readonly #sockets: Set<net.Socket> = new Set();
  readonly #server: net.Server = net.createServer((socket) => this.#serve(socket));

  async start(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  begin(attack: OriginAttack): void {
    this.#attack = attack;
    this.#requests = 0;
    this.#mostStreams = 0;
    this.#bytesSent = 0;
    this.#from = undefined;
    this.#overAfterMs = undefined;
  }

  end(): OriginOutcome {
    this.#attack = undefined;
    for (const socket of this.#sockets) socket.destroy();
    return {
      overAfterMs: this.#overAfterMs,
      bytesSent: this.#bytesSent,
      held: 1,
      requests: this.#requests,
      mostStreams: this.#mostStreams,
    };
  }

  #serve(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    const reader = new FrameReader();
    let preface = 24;
    let flooding = false;
    /** Open on this connection, which is what SETTINGS_MAX_CONCURRENT_STREAMS bounds. */
    let streams = 0;
    /** The proxy knows our SETTINGS: before, it may think that any number is allowed. */
    let known = false;
    socket.write(this.#attack?.settings ?? settings([1, 0]));
    socket.on('data', (chunk: Buffer) => {
      const skipped = Math.min(preface, chunk.length);
      preface -= skipped;
      for (const it of reader.push(chunk.subarray(skipped))) {
        if (it.type === SETTINGS && (it.flags & ACK) !== 0) known = true;
        if (it.type === SETTINGS && (it.flags & ACK) === 0) socket.write(frame(SETTINGS, ACK, 0));
        if (it.type === PING && (it.flags & ACK) === 0) socket.write(frame(PING, ACK, 0, it.payload));
        if (it.type === RST_STREAM) streams--;
        if (it.type !== HEADERS || this.#attack === undefined) continue;
        this.#requests++;
        streams++;
        if (known) this.#mostStreams = Math.max(this.#mostStreams, streams);
        const { before, reply, flood } = this.#attack;
        if (before !== undefined) socket.write(before(it.streamId));
        if (reply !== undefined) {
          socket.write(reply(it.streamId));
          streams--;
        }
        if (flood !== undefined && !flooding) {
          flooding = true;
          void this.#flood(socket, it, flood);
        }
      }
    });
  }

  async #flood(
    socket: net.Socket,
    { streamId }: Frame,
    flood: (id: number, round: number) => Buffer,
  ): Promise<void> {
    const from = performance.now();
    this.#from ??= from;
    for (let round = 0; !socket.destroyed && performance.now() - from < ATTACK_MS; round++) {
      const bytes = flood(streamId, round);
      this.#bytesSent += bytes.length;
      const more = socket.write(bytes);
      await new Promise<void>((resolve) => {
        if (more) return setImmediate(resolve);
        const timer = setTimeout(resolve, 20);
        socket.once('drain', () => {
          clearTimeout(timer);
          resolve();
        });
        return undefined;
      });
    }
    if (socket.destroyed) this.#overAfterMs ??= performance.now() - this.#from;
  }
}
