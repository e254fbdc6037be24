import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { testIo } from '../../tests/test-io.ts';
import { command } from './ca-rotate-root.ts';

const holder = (connected: boolean): object => ({
  spiffeId: 'spiffe://mesh.local/ns/default/sa/web',
  instance: 'web-1',
  notAfterMs: 1_000,
  connected,
});

/** Follows a rotation that stands as is said, one state a look; the last one stays. */
async function follow(states: readonly object[]): Promise<{ err: string; looks: number }> {
  let looks = 0;
  const server = createServer((_, response) => {
    const rotation = states[Math.min(looks++, states.length - 1)];
    const rootRotation = {
      fromRootId: 'old',
      toRootId: 'new',
      removeAtMs: 0,
      confirmed: 1,
      holders: 1,
      ...rotation,
    };
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ signingRootId: 'new', rootRotation }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const io = testIo('/', '', { TULLE_STATE_DIR: '/nowhere', HOME: '/nowhere' });
    await command.run({
      io,
      options: { api: `http://:secret@127.0.0.1:${(server.address() as AddressInfo).port}` },
      args: [],
      rest: [],
      signal: new AbortController().signal,
      commands: [],
    });
    return { err: io.written.err, looks };
  } finally {
    server.close();
  }
}

it('waits for who opens its connection anew at that moment', async () => {
  const { err } = await follow([
    { phase: 'overlapping', renewed: 0, waitingFor: [holder(false)] },
    { phase: 'overlapping', renewed: 0, waitingFor: [holder(false)] },
    { phase: 'overlapping', renewed: 0, waitingFor: [holder(true)] },
    { phase: 'overlapping', renewed: 1, waitingFor: [] },
  ]);
  expect(err).toMatch(/1 of 1 instances have a certificate below it; the old root goes after /);
});

it('does not wait for who stays away', async () => {
  const { err, looks } = await follow([{ phase: 'overlapping', renewed: 0, waitingFor: [holder(false)] }]);
  expect(err).toMatch(/waiting for web-1 \(away, its certificate ends /);
  expect(looks).toBeGreaterThan(5);
});
