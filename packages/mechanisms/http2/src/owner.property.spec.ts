import { RequestHead, ResponseHead } from '@tulle/http1';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deliver, tableOf } from '../tests/carrier.ts';
import { MemoryOutput } from '../tests/memory-pair.ts';
import { numbers } from '../tests/numbers.ts';
import { ClientSession, type Http2Events, type Http2Stream, ServerSession } from './index.ts';

/** A stream as one owner knows it. */
interface Known {
  readonly id: number;
  readonly head: RequestHead | ResponseHead;
  peerEnds: number;
  over: number;
}

/** An owner that does anything at any time, also from inside an event, and writes down what must not happen. */
class Owner {
  readonly wrong: string[] = [];
  readonly known: Known[] = [];
  readonly output: MemoryOutput = new MemoryOutput();
  readonly session: ClientSession<Known> | ServerSession<Known>;
  readonly #next: (below: number) => number;
  #live: Http2Stream<Known>[] = [];
  #depth = 0;
  #failed = false;

  constructor(server: boolean, next: (below: number) => number) {
    this.#next = next;
    const options = {
      maxConcurrentStreams: 20,
      streamWindowBytes: 300,
      outputBytes: 2000,
      streamQueueBytes: 500,
    };
    this.session = server
      ? new ServerSession<Known>(this.#events(), this.output, options)
      : new ClientSession<Known>(this.#events(), this.output, options);
    this.session.start();
  }

  #events(): Http2Events<Known> {
    const end = (stream: Http2Stream<Known>): void => {
      const known = this.#check(stream, 'end');
      known.over++;
      this.#live = this.#live.filter((it) => it !== stream);
      this.act();
    };
    const peerEnd = (stream: Http2Stream<Known>): void => {
      if (++stream.user.peerEnds > 1) this.wrong.push(`${stream.id}: the peer's side ended twice`);
    };
    return {
      requestHead: (stream) => {
        if (this.#next(20) === 0) return undefined;
        stream.user = { id: stream.id, head: new RequestHead(), peerEnds: 0, over: 0 };
        this.known.push(stream.user);
        this.#live.push(stream);
        this.act(); // before the head is there, already
        return stream.open ? (stream.user.head as RequestHead) : undefined;
      },
      onHead: (stream, endStream) => {
        this.#check(stream, 'head');
        if (endStream) peerEnd(stream);
        this.act();
      },
      onHeadFault: (stream) => {
        this.#check(stream, 'head fault');
        this.act();
      },
      onInformational: (stream) => {
        this.#check(stream, 'interim');
        this.act();
      },
      onData: (stream, _chunk, start, to, endStream) => {
        const known = this.#check(stream, 'data');
        if (known.peerEnds > 0) this.wrong.push(`${known.id}: data after the peer's end`);
        if (endStream) peerEnd(stream);
        if (this.#next(2) === 0) this.session.consume(stream, to - start);
        this.act();
      },
      onEnd: (stream) => {
        this.#check(stream, 'end of the peer');
        peerEnd(stream);
        this.act();
      },
      onReset: end,
      onClosed: end,
      onDrain: (stream) => {
        this.#check(stream, 'drain');
        if (!stream.writable) this.wrong.push(`${stream.id}: drained and not writable`);
        this.act();
      },
      onSettings: () => this.act(),
      onSettingsAck: () => this.act(),
      onGoaway: () => this.act(),
      onPong: () => this.act(),
      onStreamFault: () => this.act(),
      onFault: () => {
        if (this.#failed) this.wrong.push('the connection failed twice');
        this.#failed = true;
        this.act();
      },
    };
  }

  #check(stream: Http2Stream<Known>, event: string): Known {
    const known = stream.user;
    if (known === undefined || known.over > 0 || known.id !== stream.id)
      this.wrong.push(`${stream.id}: ${event} on a stream that is over`);
    return known;
  }

  /** Does something, or a few things. */
  act(): void {
    if (this.#depth > 2) return;
    this.#depth++;
    for (let i = this.#next(3); i > 0; i--) this.#one();
    this.#depth--;
  }

  #one(): void {
    const next = this.#next;
    const { session } = this;
    const stream = this.#live[next(this.#live.length || 1)];
    const action = next(40);
    if (action < 6 && session instanceof ClientSession && session.canOpen) {
      const user: Known = { id: session.nextStreamId, head: new ResponseHead(), peerEnds: 0, over: 0 };
      const opened = session.open(user, user.head as ResponseHead);
      this.known.push(user);
      this.#live.push(opened);
      const method = next(4) === 0 ? 'HEAD' : 'POST';
      const fault = session.writeRequestHead(
        opened,
        method,
        'http',
        next(30) === 0 ? '' : 'a',
        '/',
        tableOf('x-a:1'),
        -1,
        next(2) === 0,
      );
      if (fault !== undefined) this.#mineOver(opened, user);
    } else if (action === 39 && next(10) === 0) session.goaway(0, next(2) === 0);
    else if (action === 38) session.ping(next(1000));
    else if (action === 37) session.pump();
    else if (stream === undefined) return;
    else if (action < 14)
      session.writeData(stream, Buffer.alloc(600, 'd'), 0, next(600), next(2) === 0, next(6) === 0);
    else if (action < 18) session.writeEnd(stream, next(2) === 0 ? tableOf('x-end:1') : undefined);
    else if (action < 26 && session instanceof ServerSession)
      session.writeHead(stream, 200, tableOf('x-b:2'), -1, next(3) === 0);
    else if (action < 28 && session instanceof ServerSession) session.writeInterim(stream, 103, undefined);
    else if (action < 30) {
      const { user } = stream;
      session.reset(stream, next(14));
      this.#mineOver(stream, user);
    } else session.consume(stream, next(400));
  }

  #mineOver(stream: Http2Stream<Known>, known: Known): void {
    known.over++;
    this.#live = this.#live.filter((it) => it !== stream);
  }
}

describe('an owner that does anything at any time', () => {
  it('hears of each stream in order, and of its end exactly once', () => {
    fc.assert(
      fc.property(fc.integer(), fc.boolean(), (seed, damage) => {
        const next = numbers(seed);
        const client = new Owner(false, next);
        const server = new Owner(true, next);
        for (let round = 0; round < 60; round++) {
          client.act();
          server.act();
          for (const [from, to] of [
            [client, server],
            [server, client],
          ] as const) {
            const bytes = from.output.take();
            if (damage && next(40) === 0 && bytes.length > 0) bytes[next(bytes.length)] = next(256);
            deliver(
              bytes,
              () => 1 + next(400),
              (chunk) => to.session.receive(chunk, 0, chunk.length, round),
            );
          }
          client.session.pump();
          server.session.pump();
        }
        client.session.abort();
        server.session.abort();
        for (const owner of [client, server]) {
          expect(owner.wrong).toEqual([]);
          expect(owner.known.filter((it) => it.over !== 1)).toEqual([]);
          expect(owner.session.openStreams).toBe(0);
        }
      }),
      { numRuns: 300 },
    );
  });
});
