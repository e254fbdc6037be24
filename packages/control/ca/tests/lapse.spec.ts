import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import type { Ca } from '../src/ca.ts';
import { createCa } from '../src/create-ca.ts';
import type { CaEvent } from '../src/ca-events.ts';
import { memoryStore } from '../src/store.ts';
import { controlPlane, join, trustDomain, web, webId, type TestClient } from './control-plane.ts';
import { fakeClock, type FakeClock } from './fake-clock.ts';

const patient = { timeout: 15_000, interval: 5 };
const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});
const keep = <T extends { close(): unknown }>(one: T): T => {
  opened.push(() => one.close());
  return one;
};
async function temporary(): Promise<string> {
  const directory = await mkdtemp(joinPath(tmpdir(), 'tulle-lapse-'));
  opened.push(() => rm(directory, { recursive: true }));
  return directory;
}

interface Bench {
  readonly ca: Ca;
  readonly clock: FakeClock;
  readonly refusals: string[];
  /** Tokens that were asked for. */
  readonly asked: string[];
  ask(): Promise<string>;
}

/** Leaves of 10 s on a clock that is told; it begins now, because OpenSSL looks at the machine's own. */
async function bench(options: { clockSkewMs?: number } = {}): Promise<Bench> {
  const clock = fakeClock(Date.now());
  const refusals: string[] = [];
  const ca = keep(
    await createCa({
      trustDomain,
      store: memoryStore(),
      clock,
      leafLifetimeMs: 10_000,
      ...options,
      onEvent: (event) => event.kind === 'refused' && refusals.push(event.reason),
    }),
  );
  const asked: string[] = [];
  return {
    ca,
    clock,
    refusals,
    asked,
    async ask() {
      const { token } = await ca.createJoinToken(web);
      asked.push(token);
      return token;
    },
  };
}
const count = (client: TestClient, kind: string): number =>
  client.events.filter((event) => event.kind === kind).length;

it('an identity that lapsed while the control plane was away comes back with a token that is asked for then', async () => {
  const { ca, clock, refusals, asked, ask } = await bench();
  const first = await controlPlane({ ca, clock, grpc: { epochMs: () => clock.epochMs() } });
  let reachable = true;
  const client = keep(
    await join(first, {
      clock,
      joinToken: async () => (reachable ? ask() : Promise.reject(new Error('REST is away'))),
    }),
  );
  const { svid } = await client.ready();
  reachable = false;
  await first.close();
  await vi.waitFor(async () => {
    await clock.advance(500);
    expect(count(client, 'lapsed')).toBe(1);
    const messages = client.events.flatMap((event) =>
      event.kind === 'renewal-failed' ? [event.error.message] : [],
    );
    expect(messages.at(-1)).toBe(`no join token for ${webId}: REST is away`);
  }, patient);

  reachable = true;
  keep(await controlPlane({ ca, clock, grpc: { epochMs: () => clock.epochMs(), port: first.grpc.port } }));
  await vi.waitFor(async () => {
    await clock.advance(250);
    expect(client.current()?.svid.serial).not.toBe(svid.serial);
  }, patient);
  expect(asked).toHaveLength(2);
  expect(refusals).toEqual([]);
  expect(client.expiresAtMs).toBeGreaterThan(clock.epochMs());
});

it('a lapsed identity with a single token says that another is needed', async () => {
  const { ca, clock, refusals, ask } = await bench();
  const first = await controlPlane({ ca, clock, grpc: { epochMs: () => clock.epochMs() } });
  const client = keep(await join(first, { clock, joinToken: await ask() }));
  await client.ready();
  await first.close();
  await vi.waitFor(async () => {
    await clock.advance(500);
    expect(count(client, 'lapsed')).toBe(1);
  }, patient);
  keep(await controlPlane({ ca, clock, grpc: { epochMs: () => clock.epochMs(), port: first.grpc.port } }));
  await vi.waitFor(async () => {
    await clock.advance(250);
    expect(refusals).toContain('token-used');
  }, patient);
  await vi.waitFor(
    () =>
      expect(client.events.at(-1)).toMatchObject({
        kind: 'renewal-failed',
        error: {
          code: 'TULLE_CA_JOIN_REFUSED',
          message: expect.stringContaining('ask for a new one') as string,
        },
      }),
    patient,
  );
});

it('renews for many lifetimes while the control plane stays, although every certificate ends that a connection was made with', async () => {
  // Dated back by an hour, for OpenSSL, whose clock does not move.
  const { ca, clock, refusals, asked, ask } = await bench({ clockSkewMs: 3_600_000 });
  const plane = keep(await controlPlane({ ca, clock, grpc: { epochMs: () => clock.epochMs() } }));
  const client = keep(await join(plane, { clock, joinToken: ask }));
  await client.ready();
  for (let renewals = 2; renewals <= 16; renewals++)
    await vi.waitFor(async () => {
      await clock.advance(250);
      expect(count(client, 'renewed')).toBeGreaterThanOrEqual(renewals);
    }, patient);
  expect(clock.epochMs() - Date.now()).toBeGreaterThan(60_000);
  expect(refusals).toEqual([]);
  expect(client.events.filter(({ kind }) => kind !== 'renewed')).toEqual([]);
  expect(asked).toHaveLength(1);
  await vi.waitFor(() => expect(plane.service.watchers).toBe(1), patient);
});

it('asks for no token while a saved identity is valid', async () => {
  const { ca, clock, asked, ask } = await bench();
  const plane = keep(await controlPlane({ ca, clock, grpc: { epochMs: () => clock.epochMs() } }));
  const stateDir = joinPath(await temporary(), 'state');
  const first = await join(plane, { clock, stateDir, joinToken: ask });
  const { svid } = await first.ready();
  await first.close();
  await clock.advance(3_000);
  const second = keep(await join(plane, { clock, stateDir, joinToken: ask }));
  expect((await second.ready()).svid.serial).toBe(svid.serial);
  // Half its life counts from when it was obtained, not from this start.
  await clock.advance(2_100);
  await vi.waitFor(() => expect(second.current()?.svid.serial).not.toBe(svid.serial), patient);
  expect(asked).toHaveLength(1);
});

it('a lost answer costs no token: the same token and key are asked again', async () => {
  const asked: string[] = [];
  const events: CaEvent[] = [];
  let cut: (() => void) | undefined;
  const ca = keep(
    await createCa({
      trustDomain,
      store: memoryStore(),
      onEvent(event) {
        events.push(event);
        // Issued, and not answered yet.
        if (event.kind === 'issued' && event.how === 'attest') cut?.();
      },
    }),
  );
  const plane = keep(await controlPlane({ ca }));
  const sockets = new Set<Socket>();
  const between = createServer((near) => {
    const far = connect(plane.grpc.port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  between.listen(0, '127.0.0.1');
  await once(between, 'listening');
  opened.push(() => {
    cut = undefined;
    for (const socket of sockets) socket.destroy();
    between.close();
  });
  let lost = 0;
  cut = () => {
    if (lost++ === 2) return; // the third answer arrives
    for (const socket of sockets) socket.destroy();
  };
  const bound = between.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const client = keep(
    await join(
      { address: `127.0.0.1:${port}` },
      {
        random: () => 0,
        async joinToken() {
          const { token } = await ca.createJoinToken(web);
          asked.push(token);
          return token;
        },
      },
    ),
  );
  expect((await client.ready()).svid.spiffeId).toBe(webId);
  expect(asked).toHaveLength(1);
  expect(count(client, 'renewal-failed')).toBe(2);
  expect(events.filter((event) => event.kind === 'issued' && event.how === 'attest')).toHaveLength(3);
  expect(events.filter((event) => event.kind === 'refused')).toEqual([]);
});

it('follows a control plane that moved to another address', async () => {
  const ca = keep(await createCa({ trustDomain, store: memoryStore() }));
  const first = await controlPlane({ ca });
  const { token } = await ca.createJoinToken(web);
  let address = first.address;
  const client = keep(await join(first, { joinToken: token, address: () => address }));
  const { svid } = await client.ready();
  await first.close();
  const second = keep(await controlPlane({ ca }));
  expect(second.address).not.toBe(first.address);
  address = second.address;
  await vi.waitFor(() => expect(second.service.watchers).toBe(1), patient);
  await client.renewNow();
  expect(client.current()?.svid.serial).not.toBe(svid.serial);
});
