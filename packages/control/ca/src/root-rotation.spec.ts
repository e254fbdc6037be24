import type { TrustBundle } from '@tulle/model';
import { createKeyAndCsr, createPeerVerifier } from '@tulle/spiffe';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { fakeClock, type FakeClock } from '../tests/fake-clock.ts';
import type { Ca, CaOptions, IssuedSvid } from './ca.ts';
import type { CaEvent } from './ca-events.ts';
import { createCa } from './create-ca.ts';
import { memoryStore } from './store.ts';

const hour = 3_600_000;
const skewMs = 20_000;
const trustDomain = 'example.org';
const web = { namespace: 'default', serviceAccount: 'web' };
const webId = 'spiffe://example.org/ns/default/sa/web';
const one = { holderId: '1'.repeat(32), instance: 'web-1' };
const other = { holderId: '2'.repeat(32), instance: 'web-2' };
const patient = { timeout: 15_000, interval: 5 };

const open: Ca[] = [];
afterEach(async () => {
  for (const ca of open.splice(0)) await ca.close();
});
async function start(clock: FakeClock, options: Partial<CaOptions> = {}): Promise<Ca> {
  const ca = await createCa({ trustDomain, store: memoryStore(), clock, leafLifetimeMs: hour, ...options });
  open.push(ca);
  return ca;
}
const csrFor = async (id = webId): Promise<Buffer> => (await createKeyAndCsr(id)).csrDer;
async function join(ca: Ca, holder: typeof one): Promise<IssuedSvid> {
  const { token } = await ca.createJoinToken(web);
  return ca.attest(token, await csrFor(), holder);
}
const confirm = (ca: Ca, holder: typeof one): void =>
  ca.confirm(webId, holder, {
    bundleGeneration: ca.published().bundles[0]?.generation ?? 0,
    leafEpoch: ca.published().leafEpoch,
  });
const bundleOf = (ca: Ca): TrustBundle => {
  const [bundle] = ca.published().bundles;
  if (bundle === undefined) throw new Error('no bundle');
  return bundle;
};
const believed = (issued: IssuedSvid, bundle: TrustBundle, nowMs: number): boolean => {
  const [leaf, ...others] = issued.certificateChainDer;
  if (leaf === undefined) throw new Error('no leaf');
  return createPeerVerifier({ bundles: [bundle], epochMs: () => nowMs }).verify(leaf, 'client', () => others)
    .ok;
};
const phase = (ca: Ca): string | undefined => ca.status().rootRotation?.phase;
const reaches = (ca: Ca, wanted: string | undefined): Promise<void> =>
  vi.waitFor(() => expect(phase(ca)).toBe(wanted), patient);

describe('a change of roots', () => {
  it('waits for everybody to confirm the new root, then signs below it, and removes the old one when no leaf needs it', async () => {
    const clock = fakeClock();
    const events: CaEvent[] = [];
    const ca = await start(clock, { onEvent: (event) => events.push(event) });
    const before = await join(ca, one);
    await join(ca, other);
    const oldOnly = bundleOf(ca);
    const oldPin = ca.rootPin;
    await ca.rotateRoot();
    const both = bundleOf(ca);
    expect(both).toMatchObject({ generation: 2 });
    expect(both.rootsPem).toHaveLength(2);

    // Distributing: the old root signs on, so nobody without the new one meets a certificate below it.
    const during = await ca.renew(webId, await csrFor(), one);
    expect(during.certificateChainDer).toHaveLength(2);
    expect(believed(during, oldOnly, clock.epochMs())).toBe(true);
    expect(ca.rootPin).toBe(oldPin);
    confirm(ca, one);
    await clock.advance(100);
    expect(ca.status().rootRotation).toMatchObject({
      phase: 'distributing',
      holders: 2,
      confirmed: 1,
      renewed: 0,
      waitingFor: [{ spiffeId: webId, instance: 'web-2', connected: false }],
      removeAtMs: undefined,
    });
    confirm(ca, other);
    await reaches(ca, 'overlapping');
    expect(ca.status().rootRotation).toMatchObject({ confirmed: 2, renewed: 0, holders: 2 });
    confirm(ca, one);
    expect(ca.status().rootRotation).toMatchObject({ renewed: 1, waitingFor: [{ instance: 'web-2' }] });
    expect(ca.published().leafEpoch).toBe(2);
    expect(ca.rootPin).not.toBe(oldPin);

    const newOnly: TrustBundle = { ...both, rootsPem: both.rootsPem.slice(1) };
    const after = await ca.renew(webId, await csrFor(), one);
    for (const bundle of [both, newOnly]) expect(believed(after, bundle, clock.epochMs())).toBe(true);
    // Who missed it all the same follows the old root to the new one.
    expect(believed(after, oldOnly, clock.epochMs())).toBe(true);
    expect(believed(before, both, clock.epochMs())).toBe(true);
    expect(believed(before, newOnly, clock.epochMs())).toBe(false);

    await clock.advance(hour + 2 * skewMs - 1_000);
    expect(phase(ca)).toBe('overlapping');
    await clock.advance(2_000);
    await reaches(ca, undefined);
    expect(bundleOf(ca)).toMatchObject({ generation: 3, rootsPem: newOnly.rootsPem });
    const last = await ca.renew(webId, await csrFor(), one);
    expect(last.certificateChainDer).toHaveLength(2);
    expect(believed(last, newOnly, clock.epochMs())).toBe(true);
    expect(events.flatMap((event) => (event.kind === 'root-rotation' ? [event.phase] : []))).toEqual([
      'distributing',
      'overlapping',
      'finished',
    ]);
  });

  it('does not wait for those whose certificate ends', async () => {
    const clock = fakeClock();
    const ca = await start(clock);
    await join(ca, one);
    await ca.rotateRoot();
    await clock.advance(hour);
    expect(phase(ca)).toBe('distributing');
    await clock.advance(hour / 4 + skewMs);
    await reaches(ca, 'overlapping');
  });

  it('goes on after a restart, in every phase, and deletes the old key with the old root', async () => {
    const clock = fakeClock();
    const store = memoryStore();
    const first = await start(clock, { store });
    await join(first, one);
    const [oldRoot] = first.status().roots;
    await first.rotateRoot();
    await first.close();
    const second = await start(clock, { store });
    expect(second.status().rootRotation).toMatchObject({ phase: 'distributing', confirmed: 0 });
    confirm(second, one);
    await reaches(second, 'overlapping');
    await second.close();
    const third = await start(clock, { store });
    expect(phase(third)).toBe('overlapping');
    expect(await store.list()).toContain(`key-${oldRoot?.id}.pem`);
    await third.close();
    await clock.advance(2 * hour);
    const fourth = await start(clock, { store });
    await reaches(fourth, undefined);
    expect(fourth.status().roots).toHaveLength(1);
    await vi.waitFor(async () => expect(await store.list()).not.toContain(`key-${oldRoot?.id}.pem`), patient);
    expect((await fourth.renew(webId, await csrFor(), one)).certificateChainDer).toHaveLength(2);
  });

  it('keeps the old root while somebody may join with a token that pins it', async () => {
    const clock = fakeClock();
    const ca = await start(clock);
    const { id } = await ca.createJoinToken({ ...web, lifetimeMs: 5 * hour });
    await ca.rotateRoot();
    await reaches(ca, 'overlapping');
    await clock.advance(3 * hour);
    expect(phase(ca)).toBe('overlapping');
    await ca.revokeJoinToken(id);
    await clock.advance(hour);
    await reaches(ca, undefined);
  });

  it('can be hurried, given up while the new root does not sign, and is one at a time', async () => {
    const clock = fakeClock();
    const ca = await start(clock);
    await join(ca, one);
    const before = bundleOf(ca);
    for (const early of ['switchRoot', 'removeOldRoot', 'abandonRootRotation'] as const)
      await expect(ca[early]()).rejects.toMatchObject({ reason: 'no-rotation' });
    await ca.rotateRoot();
    await expect(ca.rotateRoot()).rejects.toMatchObject({ reason: 'rotation-running' });
    await expect(ca.removeOldRoot()).rejects.toMatchObject({ reason: 'rotation-running' });
    await ca.abandonRootRotation();
    expect(bundleOf(ca)).toEqual({ ...before, generation: 3 });
    expect(believed(await ca.renew(webId, await csrFor(), one), before, clock.epochMs())).toBe(true);

    await ca.rotateRoot();
    await ca.switchRoot();
    expect(phase(ca)).toBe('overlapping');
    await expect(ca.abandonRootRotation()).rejects.toMatchObject({ reason: 'rotation-running' });
    await ca.removeOldRoot();
    expect(phase(ca)).toBeUndefined();
    expect(bundleOf(ca).rootsPem).toHaveLength(1);
    expect(bundleOf(ca).rootsPem).not.toEqual(before.rootsPem);
    // And again: the new root may be followed in turn.
    await ca.rotateRoot();
    await ca.switchRoot();
    await ca.removeOldRoot();
  });

  it('makes new issuers below the root that signs', async () => {
    const clock = fakeClock();
    const ca = await start(clock);
    await join(ca, one);
    const oldOnly = bundleOf(ca);
    await ca.rotateRoot();
    await ca.rotateIssuer();
    expect(believed(await ca.renew(webId, await csrFor(), one), oldOnly, clock.epochMs())).toBe(true);
    await ca.switchRoot();
    await ca.rotateIssuer();
    const issued = await ca.renew(webId, await csrFor(), one);
    expect(believed(issued, { ...oldOnly, rootsPem: bundleOf(ca).rootsPem.slice(1) }, clock.epochMs())).toBe(
      true,
    );
  });

  it('that cannot be written leaves everything as it was, says so and is tried again', async () => {
    const clock = fakeClock();
    const inner = memoryStore();
    const events: CaEvent[] = [];
    let full = false;
    const store = {
      ...inner,
      write: (name: string, text: string) =>
        full ? Promise.reject(new Error('ENOSPC: no space left on device')) : inner.write(name, text),
    };
    const ca = await start(clock, { store, onEvent: (event) => events.push(event) });
    await join(ca, one);
    const before = [ca.published(), ca.status().issuers];
    full = true;
    await expect(ca.rotateRoot()).rejects.toThrow('ENOSPC');
    expect([ca.published(), ca.status().issuers]).toEqual(before);
    full = false;
    await ca.rotateRoot();
    full = true;
    confirm(ca, one);
    await vi.waitFor(
      () =>
        expect(events.at(-1)).toMatchObject({
          kind: 'rotation-failed',
          detail: expect.stringContaining('ENOSPC') as string,
        }),
      patient,
    );
    expect(phase(ca)).toBe('distributing');
    full = false;
    await clock.advance(60_000);
    await reaches(ca, 'overlapping');
  });
});
