import { afterEach, describe, expect, it, vi } from 'vitest';
import { fakeClock, type FakeClock } from '../tests/fake-clock.ts';
import type { Ca } from './ca.ts';
import { createCa } from './create-ca.ts';
import {
  createIdentityKeeper,
  type HeldIdentity,
  type IdentityKeeper,
  type IdentityKeeperOptions,
  type KeeperEvent,
} from './identity-keeper.ts';
import { memoryStore } from './store.ts';

const hour = 3_600_000;
const spiffeId = 'spiffe://example.org/ns/default/sa/web';
/** Keys are made in real time, so waiting for their effect takes some, more on a busy machine. */
const patient = { timeout: 15_000, interval: 5 };
const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

interface Bench {
  readonly clock: FakeClock;
  readonly ca: Ca;
  readonly keeper: IdentityKeeper;
  readonly events: KeeperEvent[];
  readonly calls: { readonly atMs: number }[];
  /** Makes the CA fail. */
  down: Error | undefined;
}

async function bench(
  options: Partial<IdentityKeeperOptions> & { leafLifetimeMs?: number } = {},
): Promise<Bench> {
  const clock = fakeClock();
  const ca = await createCa({
    trustDomain: 'example.org',
    store: memoryStore(),
    clock,
    leafLifetimeMs: options.leafLifetimeMs ?? 24 * hour,
  });
  const events: KeeperEvent[] = [];
  const calls: { atMs: number }[] = [];
  const made: Bench = {
    clock,
    ca,
    events,
    calls,
    down: undefined,
    keeper: createIdentityKeeper({
      spiffeId,
      clock,
      random: () => 0.5,
      onEvent: (event) => events.push(event),
      async obtain(csrDer) {
        calls.push({ atMs: clock.epochMs() });
        if (made.down !== undefined) throw made.down;
        return ca.issueLocal(spiffeId, csrDer);
      },
      ...options,
    }),
  };
  opened.push(ca, made.keeper);
  return made;
}
const count = (b: Bench, kind: KeeperEvent['kind']): number =>
  b.events.filter((event) => event.kind === kind).length;
const serial = (b: Bench): string | undefined => b.keeper.current()?.svid.serial;

describe('keeping an identity', () => {
  it('gets one at once and renews it at half its life', async () => {
    const b = await bench();
    const first = await b.keeper.ready();
    expect(first.svid.spiffeId).toBe(spiffeId);
    await b.clock.advance(12 * hour - 60_000);
    expect(b.calls).toHaveLength(1);
    await b.clock.advance(60_000);
    await vi.waitFor(() => expect(serial(b)).not.toBe(first.svid.serial), patient);
    expect(b.calls).toHaveLength(2);
  });

  it.each([
    [0, 0.49],
    [0.999999, 0.51],
  ])('spreads renewals by one per cent of the life: random %d → %d of it', async (random, share) => {
    const b = await bench({ random: () => random });
    await b.keeper.ready();
    await b.clock.advance(24 * hour * share - 1000);
    expect(b.calls).toHaveLength(1);
    await b.clock.advance(2000);
    await vi.waitFor(() => expect(b.calls).toHaveLength(2), patient);
  });

  it('renews leaves of 10 s every 5 s, although they are dated back by 20 s', async () => {
    const b = await bench({ leafLifetimeMs: 10_000 });
    const { svid } = await b.keeper.ready();
    expect(b.clock.epochMs() - svid.notBeforeMs).toBe(20_000);
    await b.clock.advance(4_900);
    expect(b.calls).toHaveLength(1);
    for (let renewal = 2; renewal <= 4; renewal++) {
      await b.clock.advance(5_000);
      await vi.waitFor(() => expect(count(b, 'renewed')).toBe(renewal), patient);
      expect(b.calls).toHaveLength(renewal);
    }
  });

  it('never renews more than once a second, whatever the clocks say', async () => {
    const b = await bench({ leafLifetimeMs: 10_000 });
    // This machine is 10 s ahead: certificates come as good as ended, within the skew that is forgiven.
    const ahead = { ...b.clock, epochMs: () => b.clock.epochMs() + 10_000 };
    let calls = 0;
    const keeper = createIdentityKeeper({
      spiffeId,
      clock: ahead,
      obtain: (csrDer) => {
        calls++;
        return b.ca.issueLocal(spiffeId, csrDer);
      },
    });
    opened.push(keeper);
    await keeper.ready();
    expect(ahead.epochMs()).toBe(keeper.held?.snapshot.svid.notAfterMs);
    await b.clock.advance(900);
    expect(calls).toBe(1);
    await b.clock.advance(200);
    await vi.waitFor(() => expect(calls).toBe(2), patient);
  });

  it('makes a new key for each certificate', async () => {
    const b = await bench();
    const first = await b.keeper.ready();
    await b.keeper.renewNow();
    expect(b.keeper.current()?.svid.privateKeyPem).not.toBe(first.svid.privateKeyPem);
  });

  it('tries again with growing, jittered waits while the CA is down, and is back in time', async () => {
    const b = await bench();
    const first = await b.keeper.ready();
    b.down = new Error('connection refused');
    await b.clock.advance(12 * hour + 30_000);
    await vi.waitFor(async () => {
      await b.clock.advance(200);
      expect(count(b, 'renewal-failed')).toBeGreaterThan(10);
    }, patient);
    const waits = b.events.flatMap((event) => (event.kind === 'renewal-failed' ? [event.retryInMs] : []));
    expect(waits.slice(0, 4)).toEqual([125, 250, 500, 1000]);
    await b.clock.advance(2 * hour);
    expect(
      Math.max(...b.events.flatMap((event) => (event.kind === 'renewal-failed' ? [event.retryInMs] : []))),
    ).toBeLessThanOrEqual(60_000);
    expect(serial(b)).toBe(first.svid.serial);
    expect(count(b, 'lapsed')).toBe(0);
    b.down = undefined;
    await vi.waitFor(async () => {
      await b.clock.advance(60_000);
      expect(serial(b)).not.toBe(first.svid.serial);
    }, patient);
  });

  it('says once when it lapsed, and goes on asking although it is refused for good', async () => {
    const b = await bench({ leafLifetimeMs: 60_000 });
    await b.keeper.ready();
    b.down = Object.assign(new Error('the join token was refused'), { permanent: true });
    await vi.waitFor(async () => {
      await b.clock.advance(5000);
      expect(count(b, 'lapsed')).toBe(1);
    }, patient);
    const asked = b.calls.length;
    // A request is made by real cryptography, which takes no time of the clock.
    await vi.waitFor(async () => {
      await b.clock.advance(5_000);
      expect(b.calls.length).toBeGreaterThan(asked);
    }, patient);
    expect(count(b, 'lapsed')).toBe(1);
    const shares = b.events.flatMap((event) => (event.kind === 'expiring' ? [event.share] : []));
    // Each at most once, in order; one that passes while a request is made is not said.
    expect(shares).toEqual([0.5, 0.75, 0.9].filter((one) => shares.some((share) => share === one)));
    expect(shares.at(-1)).toBe(0.9);
    b.down = undefined;
    const renewed = count(b, 'renewed');
    await vi.waitFor(async () => {
      await b.clock.advance(2000);
      expect(count(b, 'renewed')).toBe(renewed + 1);
    }, patient);
  });

  it('asks with the same key until it is certified, and with another for the next certificate', async () => {
    const requests: string[] = [];
    const b = await bench();
    let fail = 2;
    const keeper = createIdentityKeeper({
      spiffeId,
      clock: b.clock,
      async obtain(csrDer) {
        requests.push(csrDer.toString('hex'));
        const issued = await b.ca.issueLocal(spiffeId, csrDer);
        if (fail-- > 0) throw new Error('the answer was lost');
        return issued;
      },
    });
    opened.push(keeper);
    await vi.waitFor(async () => {
      await b.clock.advance(500);
      expect(keeper.current()).toBeDefined();
    }, patient);
    await keeper.renewNow();
    expect(requests).toHaveLength(4);
    expect(new Set(requests.slice(0, 3)).size).toBe(1);
    expect(requests[3]).not.toBe(requests[0]);
  });

  it('outlives half a lifetime without the CA, at 60 s', async () => {
    const b = await bench({ leafLifetimeMs: 60_000 });
    await b.keeper.ready();
    b.down = new Error('connection refused');
    await b.clock.advance(29_000);
    b.down = undefined;
    await vi.waitFor(async () => {
      await b.clock.advance(500);
      expect(count(b, 'renewed')).toBe(2);
    }, patient);
    expect(count(b, 'lapsed')).toBe(0);
  });

  it('gives up the first one when the refusal is for good', async () => {
    const refused = Object.assign(new Error('the join token was refused'), { permanent: true });
    const b = await bench({ obtain: () => Promise.reject(refused) });
    await expect(b.keeper.ready()).rejects.toBe(refused);
    await b.clock.advance(hour);
    expect(count(b, 'renewal-failed')).toBe(1);
  });

  it('refuses a certificate for another key, another id, or from another CA', async () => {
    const other = await bench();
    await other.keeper.ready();
    const foreign = await createCa({ trustDomain: 'example.org', store: memoryStore(), clock: other.clock });
    opened.push(foreign);
    const { createKeyAndCsr } = await import('@tulle/spiffe');
    const messages: string[] = [];
    const answers: IdentityKeeperOptions['obtain'][] = [
      async () => other.ca.issueLocal(spiffeId, (await createKeyAndCsr(spiffeId)).csrDer),
      async () => other.ca.issueLocal(`${spiffeId}2`, (await createKeyAndCsr(`${spiffeId}2`)).csrDer),
      async (csrDer) => ({
        ...(await foreign.issueLocal(spiffeId, csrDer)),
        bundles: other.ca.published().bundles,
      }),
      async (csrDer) => ({ ...(await foreign.issueLocal(spiffeId, csrDer)), certificateChainPem: '' }),
    ];
    for (const obtain of answers) {
      const keeper = createIdentityKeeper({
        spiffeId,
        clock: other.clock,
        obtain,
        onEvent: (event) => event.kind === 'renewal-failed' && messages.push(event.error.message),
      });
      opened.push(keeper);
      await vi.waitFor(() => expect(messages).toHaveLength(answers.indexOf(obtain) + 1), patient);
      expect(keeper.current()).toBeUndefined();
      await keeper.close();
    }
    expect(messages).toEqual([
      'the certificate is for another key',
      expect.stringContaining('unexpected-identity'),
      expect.stringContaining('unknown-issuer'),
      expect.stringContaining('without a certificate'),
    ]);
  });
});

describe('an identity that is told to renew', () => {
  it('does so within the spread, once, and only for a newer epoch', async () => {
    const b = await bench();
    await b.keeper.ready();
    await b.ca.rotateLeaves();
    b.keeper.epochSeen(1, 1000);
    b.keeper.epochSeen(2, 1000);
    b.keeper.epochSeen(2, 1000);
    await b.clock.advance(499);
    expect(b.calls).toHaveLength(1);
    await b.clock.advance(2);
    await vi.waitFor(() => expect(b.keeper.held?.leafEpoch).toBe(2), patient);
    b.keeper.epochSeen(2, 1000);
    await b.clock.advance(hour);
    expect(b.calls).toHaveLength(2);
  });

  it('takes new roots into use with the certificate it has', async () => {
    const b = await bench();
    const { svid, bundles } = await b.keeper.ready();
    const seen: number[] = [];
    b.keeper.subscribe((snapshot) => seen.push(snapshot.bundles[0]?.generation ?? 0));
    const [own] = bundles;
    if (own === undefined) throw new Error('no bundle');
    b.keeper.adoptBundles(bundles);
    b.keeper.adoptBundles([]);
    b.keeper.adoptBundles([{ ...own, generation: 2 }]);
    expect(seen).toEqual([2]);
    expect(serial(b)).toBe(svid.serial);
  });

  it('keeps the newest on disk, however slow the disk', async () => {
    const saved: HeldIdentity[] = [];
    let slow = Promise.withResolvers<void>();
    const gates = [slow];
    const b = await bench({
      async save(held) {
        await gates.shift()?.promise;
        saved.push(held);
      },
    });
    await b.keeper.ready();
    await b.keeper.renewNow();
    slow.resolve();
    slow = Promise.withResolvers();
    await vi.waitFor(() => expect(saved).toHaveLength(2), patient);
    expect(saved.at(-1)?.snapshot.svid.serial).toBe(serial(b));
  });

  it('does nothing more once closed', async () => {
    const b = await bench();
    await b.keeper.ready();
    await b.keeper.close();
    await b.clock.advance(48 * hour);
    expect(b.calls).toHaveLength(1);
  });
});
