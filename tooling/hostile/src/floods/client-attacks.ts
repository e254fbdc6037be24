import type { Target } from '../client.ts';
import { RawClient } from '../http2/client.ts';
import {
  block,
  CONTINUATION,
  data,
  END_STREAM,
  frame,
  HEADER_TABLE_SIZE,
  HEADERS,
  headers,
  INITIAL_WINDOW_SIZE,
  integer,
  ping,
  PREFACE,
  PRIORITY,
  rst,
  settings,
  u32,
  windowUpdate,
} from '../http2/frames.ts';
import { request } from '../http2/http2-case.ts';
import { ATTACK_MS, FLOOD_OVER_MS, sleep, type ClientAttack, type Outcome } from './attack.ts';
import { CUT_AFTER_MS, HEAD_TIMEOUT_MS, STREAM_IDLE_TIMEOUT_MS } from './proxy-options.ts';

const path = (at: number): string => `/attack/${at}`;
const streamOf = (at: number): number => at * 2 + 1;
const many = (count: number, make: (at: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, at) => make(at)));

/** Waits for the proxy's SETTINGS and acknowledges them; from then on only the attack is sent. */
async function settle(client: RawClient): Promise<void> {
  await client.until(() => client.settled, 2000);
  client.mute();
}

interface FloodOptions {
  /** Sent once, behind preface and SETTINGS. */
  readonly before?: Buffer;
  readonly settings?: readonly (readonly [number, number])[];
  /** Nothing of what comes back is read. */
  readonly deaf?: boolean;
}

/** Writes what `next` gives, as fast as the kernel takes it, until the proxy closes or the time is over. */
async function flood(
  target: Target,
  next: (round: number) => Buffer,
  options: FloodOptions = {},
): Promise<Outcome> {
  const client = new RawClient(target);
  client.hello(...(options.settings ?? []));
  await settle(client);
  if (options.before !== undefined) client.send(options.before);
  if (options.deaf === true) client.socket.pause();
  const from = performance.now();
  for (let round = 0; !client.closed && performance.now() - from < ATTACK_MS; round++) {
    if (client.send(next(round))) await new Promise((resolve) => setImmediate(resolve));
    else
      await new Promise<void>((resolve) => {
        const timer = setTimeout(go, 20);
        function go(): void {
          clearTimeout(timer);
          client.socket.removeListener('drain', go);
          client.socket.removeListener('close', go);
          resolve();
        }
        client.socket.once('drain', go);
        client.socket.once('close', go);
      });
  }
  const overAfterMs = client.closed ? performance.now() - from : undefined;
  client.destroy();
  return { overAfterMs, bytesSent: client.bytesSent, held: 1 };
}

const frameFlood = (what: string, next: (round: number) => Buffer, options?: FloodOptions): ClientAttack => ({
  what,
  // who reads nothing sees no GOAWAY, only the close, which waits a second for its being read
  overWithinMs: options?.deaf === true ? FLOOD_OVER_MS + CUT_AFTER_MS : FLOOD_OVER_MS,
  run: (target) => flood(target, next, options),
});

const PER_ROUND = 200;
const open: Buffer = headers(1, request('POST', path(1)), 0);

const FRAME_FLOODS: readonly ClientAttack[] = [
  frameFlood('PING', () => many(PER_ROUND, () => ping())),
  frameFlood('PING, nothing read', () => many(PER_ROUND, () => ping()), { deaf: true }),
  frameFlood('SETTINGS', () => many(PER_ROUND, () => settings([HEADER_TABLE_SIZE, 4096]))),
  frameFlood('SETTINGS, nothing read', () => many(PER_ROUND, () => settings()), { deaf: true }),
  frameFlood('RST_STREAM behind HEADERS', (round) =>
    many(PER_ROUND, (at) => {
      const id = streamOf(round * PER_ROUND + at);
      return Buffer.concat([headers(id, request('GET', path(id))), rst(id)]);
    }),
  ),
  frameFlood('RST_STREAM behind HEADERS of bodies', (round) =>
    many(PER_ROUND, (at) => {
      const id = streamOf(round * PER_ROUND + at);
      return Buffer.concat([headers(id, request('POST', path(id)), 0), data(id, 'x'), rst(id)]);
    }),
  ),
  frameFlood('resets that the proxy is made to send', (round) =>
    many(PER_ROUND, (at) => {
      const id = streamOf(round * PER_ROUND + at);
      return Buffer.concat([headers(id, request('POST', path(id)), 0), windowUpdate(id, 0)]);
    }),
  ),
  frameFlood('resets for malformed requests', (round) =>
    many(PER_ROUND, (at) =>
      headers(streamOf(round * PER_ROUND + at), [
        [':method', 'GET'],
        ['Bad', 'name'],
      ]),
    ),
  ),
  frameFlood('CONTINUATION without octets', () => many(PER_ROUND, () => frame(CONTINUATION, 0, 1)), {
    before: frame(HEADERS, END_STREAM, 1, block(request('GET', path(1)))),
  }),
  frameFlood('CONTINUATION of 16 KiB', () => frame(CONTINUATION, 0, 1, Buffer.alloc(16_384, 0x82)), {
    before: frame(HEADERS, END_STREAM, 1, block(request('GET', path(1)))),
  }),
  frameFlood('empty DATA', () => many(PER_ROUND, () => data(1, '')), { before: open }),
  frameFlood('padding alone', () => many(PER_ROUND, () => frame(0, 8, 1, Buffer.from([0]))), {
    before: open,
  }),
  frameFlood('PRIORITY', (round) =>
    many(PER_ROUND, (at) =>
      frame(PRIORITY, 0, streamOf(round * PER_ROUND + at), Buffer.concat([u32(0), Buffer.from([1])])),
    ),
  ),
  frameFlood('WINDOW_UPDATE of 1', () => many(PER_ROUND, () => windowUpdate(0, 1))),
  frameFlood('WINDOW_UPDATE of 1 of a stream', () => many(PER_ROUND, () => windowUpdate(1, 1)), {
    before: open,
  }),
  frameFlood('unknown frames', () => many(PER_ROUND, () => frame(0xfa, 0, 0))),
  frameFlood('a field of 10 MB', () => frame(CONTINUATION, 0, 1, Buffer.alloc(16_384, 0x61)), {
    before: frame(
      HEADERS,
      END_STREAM,
      1,
      Buffer.concat([
        block(request('GET', path(1))),
        Buffer.from([0, 1, 0x78]),
        integer(0, 0x7f, 10_000_000),
      ]),
    ),
  }),
  frameFlood('streams beyond the limit', (round) =>
    many(PER_ROUND, (at) => headers(streamOf(round * PER_ROUND + at), request('POST', path(at)), 0)),
  ),
];

/** Requests that cost more than they look. None is invalid by itself: they may be answered 431, or go on at bounded cost. */
const COMPRESSION: readonly ClientAttack[] = [
  {
    what: 'a table entry of 4,000 octets, 300 times a request',
    run: (target) =>
      flood(target, (round) => {
        const bomb = Buffer.concat([
          block(request('GET', path(1))),
          round === 0
            ? Buffer.concat([Buffer.from([0x40, 1, 0x78]), integer(0, 0x7f, 4000), Buffer.alloc(4000, 0x61)])
            : Buffer.alloc(0),
          Buffer.alloc(300, 0xbe),
        ]);
        return headers(streamOf(round), bomb);
      }),
  },
  {
    what: 'a table that is emptied and filled again',
    run: (target) =>
      flood(target, (round) =>
        headers(
          streamOf(round),
          Buffer.concat([
            Buffer.from([0x20, 0x3f, 0xe1, 0x1f]),
            block(request('GET', path(1))),
            many(100, (at) => Buffer.from([0x40, 2, 0x78, 0x30 + (at % 70), 1, 0x61])),
          ]),
        ),
      ),
  },
];

/** Opens `count` connections, lets `each` begin, and waits until all are over or the time is. */
async function hold(
  target: Target,
  count: number,
  waitMs: number,
  each: (client: RawClient) => void | Promise<void>,
  tick: (client: RawClient, round: number) => void,
  over: (client: RawClient) => boolean,
): Promise<Outcome> {
  const clients: RawClient[] = [];
  for (let at = 0; at < count; at++) {
    const client = new RawClient(target);
    clients.push(client);
    await each(client);
    if (at % 100 === 99) await sleep(10);
  }
  const from = performance.now();
  let overAfterMs: number | undefined;
  for (let round = 0; performance.now() - from < waitMs && overAfterMs === undefined; round++) {
    await sleep(100);
    for (const client of clients) if (!client.closed) tick(client, round);
    if (clients.every((client) => client.closed || over(client))) overAfterMs = performance.now() - from;
  }
  const bytesSent = clients.reduce((sum, client) => sum + client.bytesSent, 0);
  for (const client of clients) client.destroy();
  return { overAfterMs, bytesSent, held: count };
}

const nothing = (): void => {};
const never = (): boolean => false;
const answered =
  (...ids: readonly number[]) =>
  ({ answers }: RawClient): boolean =>
    ids.every((id) => answers.of(id).status > 0 || answers.of(id).reset !== undefined);

/** Asks for long answers with windows as large as can be, reads nothing, and looks later what became of them. */
async function unread(target: Target): Promise<Outcome> {
  const client = new RawClient(target);
  client.hello([INITIAL_WINDOW_SIZE, 2 ** 31 - 1]);
  await settle(client);
  const from = performance.now();
  client.send(windowUpdate(0, 2 ** 31 - 1 - 65_535));
  client.send(many(100, (at) => headers(streamOf(at), request('GET', '/big'))));
  client.socket.pause();
  await sleep(2 * STREAM_IDLE_TIMEOUT_MS + CUT_AFTER_MS);
  client.socket.resume();
  const { answers } = client;
  const over = await client.until(
    () =>
      client.closed ||
      Array.from({ length: 100 }, (_, at) => answers.of(streamOf(at))).every(
        ({ ended, reset }) => ended || reset !== undefined,
      ),
    1000,
  );
  const resets = [...answers.streams.values()].filter(({ reset }) => reset !== undefined).length;
  client.destroy();
  return {
    overAfterMs: over ? performance.now() - from : undefined,
    bytesSent: client.bytesSent,
    held: 1,
    ...(resets === 0 && !client.closed ? { fault: 'no stream was reset: the answers waited in memory' } : {}),
  };
}

const SLOW: readonly ClientAttack[] = [
  {
    what: 'a preface in pieces',
    overWithinMs: HEAD_TIMEOUT_MS + CUT_AFTER_MS,
    run: (target) =>
      hold(
        target,
        50,
        6000,
        nothing,
        (client, round) => client.send(PREFACE.subarray(round % 24, (round % 24) + 1)),
        never,
      ),
  },
  {
    what: 'a head in pieces',
    overWithinMs: HEAD_TIMEOUT_MS + CUT_AFTER_MS,
    run: (target) => {
      const head = headers(1, request('GET', path(1), ['x-long', 'a'.repeat(1000)]));
      return hold(
        target,
        50,
        6000,
        async (client) => {
          client.hello();
          await settle(client);
        },
        (client, round) => client.send(head.subarray(round, round + 1)),
        never,
      );
    },
  },
  {
    what: 'a head in CONTINUATION, one in 100 ms',
    overWithinMs: HEAD_TIMEOUT_MS + CUT_AFTER_MS,
    run: (target) =>
      hold(
        target,
        50,
        6000,
        async (client) => {
          client.hello();
          await settle(client);
          client.send(frame(HEADERS, END_STREAM, 1, block(request('GET', path(1)))));
        },
        (client) => client.send(frame(CONTINUATION, 0, 1, block([['x', 'a']]))),
        never,
      ),
  },
  {
    // octets move, so that it is no idle stream, and a request that is still being sent has no timeout yet: it may go on
    what: 'a body of one octet in 100 ms',
    run: (target) =>
      hold(
        target,
        50,
        8000,
        async (client) => {
          client.hello();
          await settle(client);
          client.send(headers(1, request('POST', path(1)), 0));
        },
        (client) => client.send(data(1, 'x')),
        answered(1),
      ),
  },
  {
    what: 'windows of nothing for 100 long answers',
    // what moves is looked at when a timer ends, which is twice the timeout at most
    overWithinMs: 2 * STREAM_IDLE_TIMEOUT_MS + CUT_AFTER_MS,
    memoryBytes: 128 << 20,
    run: (target) =>
      hold(
        target,
        1,
        8000,
        (client) => {
          client.hello([INITIAL_WINDOW_SIZE, 0]);
          client.send(many(100, (at) => headers(streamOf(at), request('GET', '/big'))));
        },
        nothing,
        ({ answers }) =>
          Array.from({ length: 100 }, (_, at) => streamOf(at)).every(
            (id) => answers.of(id).reset !== undefined,
          ),
      ),
  },
  {
    what: '100 long answers that nobody reads',
    overWithinMs: 2 * STREAM_IDLE_TIMEOUT_MS + 2 * CUT_AFTER_MS,
    memoryBytes: 128 << 20,
    run: unread,
  },
];

/** First, while the proxy's memory is small: what it grows by is what they cost. */
const IDLE: ClientAttack = {
  what: '2,000 idle connections',
  run: (target) => hold(target, 2000, ATTACK_MS, (client) => client.hello(), nothing, never),
};

/** The exhaustion list of the attack checklist, from clients. */
export const CLIENT_ATTACKS: readonly ClientAttack[] = [IDLE, ...FRAME_FLOODS, ...COMPRESSION, ...SLOW];
