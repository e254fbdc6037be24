import { createKeyAndCsr, controlPlaneId, identityHolder } from '@tulle/spiffe';
import { afterEach, expect, it, vi } from 'vitest';
import { createCa } from '../src/create-ca.ts';
import { heldFrom } from '../src/identity-keeper.ts';
import { memoryStore } from '../src/store.ts';
import { controlPlane, join, trustDomain, web } from './control-plane.ts';

const patient = { timeout: 15_000, interval: 5 };
const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

it('a client ends its connection to a server below a removed root by itself, and believes it no more', async () => {
  const ca = await createCa({ trustDomain, store: memoryStore() });
  opened.push(() => ca.close());
  const id = controlPlaneId(trustDomain);
  const own = async () => {
    const { csrDer, privateKeyPem } = await createKeyAndCsr(id);
    return heldFrom(await ca.issueLocal(id, csrDer), privateKeyPem, id, Date.now()).snapshot;
  };
  // A control plane that neither renews nor hears of roots: whoever has the key of the old root could run one.
  const before = await own();
  const holder = identityHolder(before);
  const plane = await controlPlane({ ca, grpc: { identity: holder } });
  opened.push(() => plane.close());
  const { token } = await ca.createJoinToken(web);
  const client = await join(plane, { joinToken: token });
  opened.push(() => client.close());
  await client.ready();
  await vi.waitFor(() => expect(ca.status().connected).toBe(1), patient);
  await ca.rotateRoot();
  await vi.waitFor(() => expect(ca.status().rootRotation?.phase).toBe('overlapping'), patient);
  // It believes both roots, so that it can be called with either.
  holder.set({ ...before, bundles: ca.published().bundles });
  await vi.waitFor(() => {
    expect(client.current()?.bundles[0]?.rootsPem).toHaveLength(2);
    expect(client.events.filter(({ kind }) => kind === 'renewed').at(-1)).toMatchObject({ leafEpoch: 2 });
    expect(ca.status().connected).toBe(1);
  }, patient);
  const ended = client.events.length;
  await ca.removeOldRoot();
  await vi.waitFor(() => {
    const told = client.events.slice(ended).filter(({ kind }) => kind === 'watch-ended');
    expect(told.map((event) => ('error' in event ? String(event.error) : '')).join('\n')).toMatch(
      /not believed|unknown-issuer|self.signed|issuer/i,
    );
    expect(ca.status().connected).toBe(0);
  }, patient);
  holder.set(await own());
  await vi.waitFor(() => expect(ca.status().connected).toBe(1), patient);
});
