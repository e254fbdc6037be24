import { describe, expect, it } from 'vitest';
import { fakeClock, type FakeClock } from '../tests/fake-clock.ts';
import { openHolders, type Holders } from './holders.ts';
import { memoryStore, type SecretStore } from './store.ts';

const web = 'spiffe://example.org/ns/default/sa/web';
const api = 'spiffe://example.org/ns/default/sa/api';
const idOf = (n: number): string => n.toString(16).padStart(32, '0');
const minute = 60_000;

interface Bench {
  readonly clock: FakeClock;
  readonly store: SecretStore;
  readonly changes: string[];
  open(): Promise<Holders>;
}
function bench(options: { store?: SecretStore; maxHolders?: number } = {}): Bench {
  const clock = fakeClock();
  const store = options.store ?? memoryStore();
  const changes: string[] = [];
  return {
    clock,
    store,
    changes,
    open: () =>
      openHolders({
        store,
        clock,
        skewMs: 0,
        maxHolders: options.maxHolders ?? 100,
        onChange: () => changes.push('changed'),
        onSaveFailed: (error) => changes.push(String(error)),
      }),
  };
}

describe('holders of certificates', () => {
  it('grant together what their tokens granted, while a certificate of each is valid', async () => {
    const { clock, open } = bench();
    const holders = await open();
    const now = clock.epochMs();
    await holders.attested({ holderId: idOf(1) }, web, { app: ['orders'], version: ['v1'] }, now + minute);
    await holders.attested(
      { holderId: idOf(2) },
      web,
      { app: ['orders'], version: ['v2'] },
      now + 2 * minute,
    );
    await holders.attested({ holderId: idOf(3) }, api, { app: ['api'] }, now + minute);
    expect(holders.granted(web)).toEqual({ app: ['orders'], version: ['v1', 'v2'] });
    await clock.advance(minute);
    expect(holders.granted(web)).toEqual({ app: ['orders'], version: ['v2'] });
    expect(holders.granted(api)).toEqual({});
    holders.renewed({ holderId: idOf(2) }, web, clock.epochMs() + 2 * minute);
    await clock.advance(minute);
    expect(holders.granted(web)).toEqual({ app: ['orders'], version: ['v2'] });
  });

  it('keep over a restart what was granted, without waiting for a timer', async () => {
    const { clock, store, open } = bench();
    const holders = await open();
    await holders.attested({ holderId: idOf(1), instance: 'web-1' }, web, '*', clock.epochMs() + minute);
    const again = await bench({ store }).open();
    expect(again.granted(web)).toBe('*');
    expect(again.live()).toMatchObject([{ spiffeId: web, instance: 'web-1', connected: false }]);
    holders.confirmed({ holderId: idOf(1) }, web, { bundleGeneration: 3, leafEpoch: 2, notAfterMs: 0 });
    await holders.flush();
    expect((await bench({ store }).open()).live()).toMatchObject([{ bundleGeneration: 3, leafEpoch: 2 }]);
  });

  it('a new token replaces the labels of its instance', async () => {
    const { clock, open } = bench();
    const holders = await open();
    await holders.attested({ holderId: idOf(1) }, web, { app: ['a'] }, clock.epochMs() + minute);
    await holders.attested({ holderId: idOf(1) }, web, { app: ['b'] }, clock.epochMs() + minute);
    expect(holders.granted(web)).toEqual({ app: ['b'] });
  });

  it('nobody speaks for an instance of another identity', async () => {
    const { clock, open } = bench();
    const holders = await open();
    await holders.attested({ holderId: idOf(1) }, web, { app: ['web'] }, clock.epochMs() + minute);
    holders.renewed({ holderId: idOf(1) }, api, clock.epochMs() + minute);
    holders.confirmed({ holderId: idOf(1) }, api, {
      bundleGeneration: 9,
      leafEpoch: 9,
      notAfterMs: Infinity,
    });
    await holders.attested({ holderId: idOf(1) }, api, { app: ['api'] }, clock.epochMs() + minute);
    expect(holders.granted(web)).toEqual({ app: ['web'] });
    expect(holders.live().find((one) => one.spiffeId === web)).toMatchObject({ bundleGeneration: 0 });
    expect(holders.live().filter((one) => one.spiffeId === api)).toMatchObject([{ bundleGeneration: 0 }]);
  });

  it('that do not name themselves count as one, which never confirms', async () => {
    const { clock, open, changes } = bench();
    const holders = await open();
    await holders.attested({}, web, { app: ['a'] }, clock.epochMs() + minute);
    await holders.attested({ holderId: 'nonsense' }, web, { app: ['b'] }, clock.epochMs() + minute);
    holders.confirmed({}, web, { bundleGeneration: 2, leafEpoch: 1, notAfterMs: 0 });
    expect(holders.live()).toMatchObject([{ bundleGeneration: 0, labels: { app: ['a', 'b'] } }]);
    expect(changes).toEqual([]);
  });

  it('are bounded: past it, those of one identity count as one', async () => {
    const { clock, open } = bench({ maxHolders: 3 });
    const holders = await open();
    for (let i = 0; i < 50; i++) holders.renewed({ holderId: idOf(i) }, web, clock.epochMs() + minute);
    expect(holders.live()).toHaveLength(4);
    await clock.advance(minute);
    expect(holders.live()).toEqual([]);
  });

  it('write what many attest at once in few writes, and each waits for its own', async () => {
    const inner = memoryStore();
    let writes = 0;
    const gate = Promise.withResolvers<void>();
    const store: SecretStore = {
      ...inner,
      async write(name, text) {
        writes++;
        await gate.promise;
        await inner.write(name, text);
      },
    };
    const { clock, open } = bench({ store });
    const holders = await open();
    const attested = Array.from({ length: 50 }, (_, i) =>
      holders.attested({ holderId: idOf(i) }, web, { n: [`${i}`] }, clock.epochMs() + minute),
    );
    gate.resolve();
    await Promise.all(attested);
    expect(writes).toBe(2);
    expect((await bench({ store: inner }).open()).live()).toHaveLength(50);
  });

  it('say that a grant could not be kept', async () => {
    const store: SecretStore = {
      ...memoryStore(),
      write: () => Promise.reject(new Error('ENOSPC: no space left on device')),
    };
    const { clock, open, changes } = bench({ store });
    const holders = await open();
    await expect(holders.attested({ holderId: idOf(1) }, web, {}, clock.epochMs() + minute)).rejects.toThrow(
      'ENOSPC',
    );
    holders.renewed({ holderId: idOf(1) }, web, clock.epochMs() + minute);
    await clock.advance(2_000);
    expect(changes).toEqual(['Error: ENOSPC: no space left on device']);
  });

  it('watch, and are connected until they end it', async () => {
    const { clock, open } = bench();
    const holders = await open();
    await holders.attested({ holderId: idOf(1) }, web, {}, clock.epochMs() + minute);
    const [one, other] = [
      holders.watching({ holderId: idOf(1) }, web),
      holders.watching({ holderId: idOf(1) }, web),
    ];
    one();
    one();
    expect(holders.live()[0]?.connected).toBe(true);
    other();
    expect(holders.live()[0]?.connected).toBe(false);
  });
});
