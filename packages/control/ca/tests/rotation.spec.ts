import { afterEach, expect, it, vi } from 'vitest';
import { controlPlane, type TestControlPlane } from './control-plane.ts';
import { member, type Member } from './members.ts';

const patient = { timeout: 15_000, interval: 5 };
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close();
});

async function mesh(
  options: Parameters<typeof controlPlane>[0] = {},
): Promise<{ plane: TestControlPlane; web: Member; api: Member }> {
  const plane = await controlPlane(options);
  opened.push(plane);
  const [web, api] = [await member(plane, 'web'), await member(plane, 'api')];
  opened.push(web, api);
  return { plane, web, api };
}

it(
  '500 full handshakes between two members lose none while leaves, then issuers, turn over',
  { timeout: 90_000 },
  async () => {
    const { plane, web, api } = await mesh();
    const phase = async (rotate: () => Promise<void>, rounds: number): Promise<void> => {
      const before = plane.ca.status().leafEpoch;
      let rotating: Promise<void> | undefined;
      for (let round = 0; round < rounds; round++) {
        if (round === Math.floor(rounds / 4)) rotating = rotate();
        await Promise.all(Array.from({ length: 10 }, () => web.handshake(api)));
      }
      await rotating;
      // Both sides have turned over; one more handshake shows the new serials.
      for (const { client } of [web, api])
        await vi.waitFor(
          () =>
            expect(client.events.filter((event) => event.kind === 'renewed').at(-1)).toMatchObject({
              leafEpoch: before + 1,
            }),
          patient,
        );
      await web.handshake(api);
    };

    await phase(() => plane.ca.rotateLeaves(), 25);
    expect([web.failures, api.failures]).toEqual([[], []]);
    expect([api.callers.size, web.called.size]).toEqual([2, 2]);
    await phase(() => plane.ca.rotateIssuer(), 25);
    expect([web.failures, api.failures]).toEqual([[], []]);
    expect([api.callers.size, web.called.size]).toEqual([3, 3]);
    expect(plane.ca.status().issuers).toHaveLength(2);
    expect(web.resumed()).toBe(0);
  },
);

it(
  'a change of roots loses no handshake in either direction, waits for a member that has not taken the new root yet, and ends what stood on the old',
  { timeout: 90_000 },
  async () => {
    // Leaves of 10 s and no skew: the old root may go 10 s after the new one began to sign.
    const { plane, web, api } = await mesh({ leafLifetimeMs: 10_000, clockSkewMs: 0 });
    const taken = Promise.withResolvers<void>();
    const slow = await member(plane, 'slow', {
      inUse: (snapshot) =>
        (snapshot.bundles[0]?.rootsPem.length ?? 0) > 1 ? taken.promise : Promise.resolve(),
    });
    opened.push(slow);
    const members = [web, api, slow];
    const failures = (): unknown[] => members.flatMap((one) => one.failures);
    const standing = [await web.stay(api), await api.stay(web)];
    const { token: unspent } = await plane.ca.createJoinToken({
      namespace: 'default',
      serviceAccount: 'late',
    });
    await web.handshake(api, { resume: true });
    await web.handshake(api, { resume: true });
    expect(web.resumed()).toBe(1);

    let shaking = true;
    let shaken = 0;
    const shake = async (): Promise<void> => {
      while (shaking) {
        await Promise.all([
          web.handshake(api),
          api.handshake(web),
          slow.handshake(web),
          api.handshake(slow),
          web.handshake(api, { resume: true }),
        ]);
        shaken += 5;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const load = shake();
    const oldRoot = plane.ca.status().signingRootId;
    await plane.ca.rotateRoot();
    await vi.waitFor(
      () =>
        expect(plane.ca.status().rootRotation).toMatchObject({
          phase: 'distributing',
          holders: 3,
          confirmed: 2,
          waitingFor: [{ instance: 'slow', connected: true }],
        }),
      patient,
    );
    const during = shaken;
    await vi.waitFor(() => expect(shaken).toBeGreaterThan(during + 20), patient);
    expect(plane.ca.status()).toMatchObject({
      signingRootId: oldRoot,
      rootRotation: { phase: 'distributing' },
    });

    taken.resolve();
    await vi.waitFor(() => expect(plane.ca.status().rootRotation?.phase).toBe('overlapping'), patient);
    for (const one of members)
      await vi.waitFor(
        () =>
          expect(one.client.events.filter((event) => event.kind === 'renewed').at(-1)).toMatchObject({
            leafEpoch: 2,
          }),
        patient,
      );
    // Who still has a token from before is believed by the root that it pins.
    const late = await member(plane, 'late', { joinToken: unspent });
    opened.push(late);
    const newcomer = await member(plane, 'newcomer');
    opened.push(newcomer);
    for (const one of [late, newcomer]) {
      await one.handshake(web);
      await web.handshake(one);
      members.push(one);
    }

    await vi.waitFor(() => expect(plane.ca.status().rootRotation).toBeUndefined(), {
      timeout: 30_000,
      interval: 20,
    });
    expect(plane.ca.status().roots.map(({ id }) => id)).not.toContain(oldRoot);
    // Connections whose peer stood on the old root end by themselves.
    for (const { ended } of standing) await ended;
    for (const one of members)
      await vi.waitFor(() => expect(one.mesh.identity?.bundles[0]?.rootsPem).toHaveLength(1), patient);
    const resumedBefore = web.resumed();
    shaking = false;
    await load;
    await web.handshake(api);
    expect(failures()).toEqual([]);
    expect(shaken).toBeGreaterThan(100);
    expect(web.mesh.generation).toBeGreaterThan(3);
    expect(resumedBefore).toBeGreaterThan(1);
    expect(plane.refused).toEqual([]);
  },
);
