import { cluster, tcpListener } from '@tulle/proxy';
import { describe, expect, it, vi } from 'vitest';
import { fakeClock, memoryNetwork, type TestProxy } from '../src/index.ts';
import { started } from './support.ts';

const ADDRESS = '10.0.0.1:80';
const BACKOFF = { baseMs: 1_000 };
/** What each wait is of its upper bound. */
const CHANCE = 0.5;

interface World {
  readonly test: TestProxy;
  readonly clock: ReturnType<typeof fakeClock>;
  readonly dialled: () => number;
}

/** An endpoint that can never be connected, or never gives a tunnel. */
async function world(
  way: 'connected' | 'tunnel',
  connectBackoff: { baseMs: number; maxMs?: number } | undefined,
): Promise<World> {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  let asked = 0;
  if (way === 'connected') network.refuse(ADDRESS, {});
  else
    network.listen(ADDRESS, (connection) => {
      connection.onBytes = () => {
        if (!connection.received.includes('\r\n\r\n')) return;
        asked++;
        connection.received = '';
        connection.send('HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n');
      };
    });
  const test = await started({
    clock,
    network,
    random: () => CHANCE,
    listeners: [
      tcpListener({
        host: '127.0.0.1',
        port: 8080,
        cluster: 'db',
        maxConnectAttempts: 4,
        ...(connectBackoff && { connectBackoff }),
        ...(way === 'tunnel' && { tunnel: { authority: 'db.example:5432' } }),
      }),
    ],
    clusters: [cluster('db', [ADDRESS])],
  });
  return { test, clock, dialled: () => (way === 'tunnel' ? asked : network.connections(ADDRESS)) };
}

describe.each(['connected', 'tunnel'] as const)('an endpoint that cannot be reached (%s)', (way) => {
  it('is tried again after waits that double', async () => {
    const { test, clock, dialled } = await world(way, BACKOFF);
    const beganMs = clock.nowMs();
    const caller = test.connect();
    // 500, 1,000 and 2,000 after the try before.
    for (const [tries, untilMs] of [500, 1_500, 3_500].entries()) {
      await vi.waitFor(() => expect(dialled()).toBe(tries + 1));
      await clock.advance(untilMs - 50 - clock.nowMs() + beganMs);
      expect([dialled(), caller.closed]).toEqual([tries + 1, false]);
      await clock.advance(100);
    }
    await vi.waitFor(() => expect(dialled()).toBe(4));
    await caller.over();
    expect(test.records[0]).toMatchObject({ code: 'TULLE_UPSTREAM_CONNECT', flags: ['UF', 'URX'] });
  });

  it('is waited for no longer than the longest wait', async () => {
    const { test, clock, dialled } = await world(way, { baseMs: 1_000, maxMs: 1_000 });
    const caller = test.connect();
    for (const tries of [1, 2, 3]) {
      await vi.waitFor(() => expect(dialled()).toBe(tries));
      await clock.advance(550);
    }
    await caller.over();
    expect(dialled()).toBe(4);
  });

  it('is tried again at once where no wait is asked for', async () => {
    const { test, dialled } = await world(way, undefined);
    await test.connect().over();
    expect(dialled()).toBe(way === 'tunnel' ? 4 : 1);
  });

  it('is not tried again for a caller that left meanwhile', async () => {
    const { test, clock, dialled } = await world(way, BACKOFF);
    const caller = test.connect();
    await vi.waitFor(() => expect(dialled()).toBe(1));
    caller.close(true);
    await vi.waitFor(() => expect(test.records.length).toBe(1));
    await clock.advance(60_000);
    expect([dialled(), test.records[0]?.code, test.proxy.stats.streams]).toEqual([
      1,
      'TULLE_DOWNSTREAM_CLOSED',
      0,
    ]);
  });
});
