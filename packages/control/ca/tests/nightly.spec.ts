import { expect, it, vi } from 'vitest';
import { controlPlane, type TestControlPlane } from './control-plane.ts';
import { createCa } from '../src/create-ca.ts';
import { memoryStore } from '../src/store.ts';
import { member } from './members.ts';
import { trustDomain } from './control-plane.ts';

/** Real time, some five minutes: part of `pnpm test:nightly`; alone `TULLE_NIGHTLY=1 vitest run packages/control/ca/tests/nightly.spec.ts`. */
const nightly = process.env['TULLE_NIGHTLY'] === '1';
const leafLifetimeMs = 60_000;
const seconds = (n: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, n * 1_000));

it.skipIf(!nightly)(
  'with SVIDs of 60 s and 1,000 handshakes a minute none fails through leaf, issuer and root rotation, and while the CA is away for less than half a lifetime',
  { timeout: 480_000 },
  async () => {
    const ca = await createCa({ trustDomain, store: memoryStore(), leafLifetimeMs });
    let plane: TestControlPlane = await controlPlane({ ca });
    const members = [await member(plane, 'web'), await member(plane, 'api')] as const;
    const [web, api] = members;
    let shaken = 0;
    let stop = false;
    const startedMs = performance.now();
    // Open loop: begun by the clock, however long the ones before take.
    const load = (async () => {
      const running = new Set<Promise<void>>();
      for (let n = 1; !stop; n++) {
        const one = n % 2 === 0 ? web.handshake(api) : api.handshake(web);
        running.add(one);
        void one.finally(() => running.delete(one));
        shaken++;
        await seconds(Math.max(0, (n * 60_000) / 1_000 - (performance.now() - startedMs)) / 1_000);
      }
      await Promise.all(running);
    })();
    const epochReached = (epoch: number): Promise<void> =>
      vi.waitFor(
        () => {
          for (const { client } of members)
            expect(client.events.filter(({ kind }) => kind === 'renewed').at(-1)).toMatchObject({
              leafEpoch: epoch,
            });
        },
        { timeout: 30_000, interval: 50 },
      );
    try {
      await seconds(40); // a renewal at half life
      await ca.rotateLeaves();
      await epochReached(2);
      await ca.rotateIssuer();
      await epochReached(3);
      await ca.rotateRoot();
      await epochReached(4);
      await vi.waitFor(() => expect(ca.status().rootRotation).toBeUndefined(), {
        timeout: 150_000,
        interval: 200,
      });
      // All renew now, so that the absence begins with full lifetimes and ends in the renewal window.
      await ca.rotateLeaves();
      await epochReached(5);
      const { port } = plane.grpc;
      await plane.close();
      await seconds(28);
      plane = await controlPlane({ ca, grpc: { port } });
      await seconds(40);
    } finally {
      stop = true;
      await load;
      for (const one of members) await one.close();
      await plane.close();
      await ca.close();
    }
    const perMinute = shaken / ((performance.now() - startedMs) / 60_000);
    console.log(`${shaken} handshakes, ${Math.round(perMinute)} a minute, serials seen: ${api.callers.size}`);
    expect([...web.failures, ...api.failures]).toEqual([]);
    expect(perMinute).toBeGreaterThan(950);
    expect(api.callers.size).toBeGreaterThan(6);
    for (const { client } of members)
      expect(client.events.filter(({ kind }) => kind === 'lapsed')).toEqual([]);
  },
);
