import type { Exchange } from './configuration.ts';
import { askRaw, askTcp } from './byte-clients.ts';
import { askFrames } from './frames-client.ts';
import { askHttp1 } from './http1-client.ts';
import { askHttp2 } from './http2-client.ts';
import { SETTLED_PATH, type Seen } from './origins.ts';
import type { Reply } from './reply.ts';
import type { Side, SideName, Sides, Taken } from './sides.ts';

/** What came of one exchange on one side. */
export interface Observation {
  readonly reply: Reply;
  readonly seen: readonly Seen[];
  readonly tookMs: number;
}

export type Observations = Readonly<Record<SideName, Observation>>;

const ASK = { http1: askHttp1, http2: askHttp2, raw: askRaw, frames: askFrames, tcp: askTcp } as const;

/** How long a side may lag behind the other in what its origins see, before it counts as less. */
const LAG_MS = 1_000;
/** A listener's worker serves a moment after the answer to the xDS server. */
const START_MS = 5_000;

/** Has both sides answer one exchange at the same time. */
export async function observe(
  { sides, certificates }: Sides,
  ports: Taken['ports'],
  exchange: Exchange,
): Promise<Observations> {
  for (const { origins } of sides) origins.expect(exchange.answers ?? {});
  const replies = await Promise.all(
    sides.map(async ({ name }) => {
      const started = performance.now();
      const ask = ASK[exchange.protocol ?? 'http1'];
      for (;;) {
        const reply = await ask(ports[name], exchange, certificates);
        const tookMs = performance.now() - started;
        if (reply.note !== 'ECONNREFUSED' || tookMs > START_MS) return { reply, tookMs };
      }
    }),
  );
  // What ends a stream at once may be on its way to an origin all the same, without a sign that no more comes.
  if (exchange.protocol === 'frames')
    await Promise.all(sides.map(({ name }) => settled(ports[name], certificates)));
  await level(sides);
  if (exchange.tally !== undefined) {
    await repeat(sides, ports, exchange, certificates, exchange.tally - 1);
    await level(sides);
  }
  const of = (index: number): Observation => {
    const { reply, tookMs } = replies[index] as { readonly reply: Reply; readonly tookMs: number };
    return { reply, tookMs, seen: [...(sides[index] as Side).origins.seen] };
  };
  return { envoy: of(0), tulle: of(1) };
}

/**
 * Waits until whatever a side was told before has reached its origins: requests that come later go the same way through one thread to one
 * server. The first may overtake what waits for a connection to its origin; the second waits for one itself.
 */
async function settled(port: number, certificates: Sides['certificates']): Promise<void> {
  for (let i = 0; i < 2; i++) {
    const { outcome, status, note } = await askHttp1(port, { path: SETTLED_PATH }, certificates);
    if (status !== 200)
      throw new Error(`${SETTLED_PATH} has to reach an origin: ${note ?? status ?? outcome}`);
  }
}

/** Asks again, for the numbers alone. */
async function repeat(
  sides: readonly Side[],
  ports: Taken['ports'],
  exchange: Exchange,
  certificates: Sides['certificates'],
  times: number,
): Promise<void> {
  await Promise.all(
    sides.map(async ({ name }) => {
      const ask = ASK[exchange.protocol ?? 'http1'];
      for (let i = 0; i < times; i++) await ask(ports[name], exchange, certificates);
    }),
  );
}

/**
 * Waits until the origins of both have seen equally much: copies of requests arrive when the answer is there already, and connections
 * of bytes are seen when they end.
 */
async function level(sides: readonly Side[]): Promise<void> {
  const even = (): boolean =>
    new Set(sides.map(({ origins }) => origins.seen.length)).size === 1 &&
    sides.every(({ origins }) => origins.open === 0);
  if (even()) return;
  await new Promise<void>((resolve) => {
    const stops: (() => void)[] = [];
    const done = (): void => {
      clearTimeout(timer);
      for (const stop of stops) stop();
      resolve();
    };
    const timer = setTimeout(done, LAG_MS);
    for (const { origins } of sides) stops.push(origins.onSeen(() => even() && done()));
  });
}
