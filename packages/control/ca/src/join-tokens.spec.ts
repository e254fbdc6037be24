import { createKeyAndCsr } from '@tulle/spiffe';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { fakeClock } from '../tests/fake-clock.ts';
import type { Ca, CaOptions } from './ca.ts';
import { createCa } from './create-ca.ts';
import type { CaEvent } from './ca-events.ts';
import { parseJoinToken } from './join-tokens.ts';
import { memoryStore } from './store.ts';

const hour = 3_600_000;
const web = { namespace: 'default', serviceAccount: 'web' };
const webId = 'spiffe://example.org/ns/default/sa/web';
const open: Ca[] = [];
afterEach(async () => {
  for (const ca of open.splice(0)) await ca.close();
});
async function start(options: Partial<CaOptions> = {}): Promise<Ca> {
  const ca = await createCa({ trustDomain: 'example.org', store: memoryStore(), ...options });
  open.push(ca);
  return ca;
}
const csrFor = async (id = webId): Promise<Buffer> => (await createKeyAndCsr(id)).csrDer;

describe('a join token', () => {
  it('is good once', async () => {
    const ca = await start();
    const { token } = await ca.createJoinToken(web);
    await ca.attest(token, await csrFor());
    await expect(ca.attest(token, await csrFor())).rejects.toMatchObject({ reason: 'token-used' });
  });

  it('serves one of many who use it at once, also in two processes over one store', async () => {
    const store = memoryStore();
    const [a, b] = [await start({ store }), await start({ store })];
    const { token } = await a.createJoinToken(web);
    const csrs = await Promise.all(Array.from({ length: 10 }, () => csrFor()));
    const tries = await Promise.allSettled(csrs.map((csr, i) => (i % 2 === 0 ? a : b).attest(token, csr)));
    expect(tries.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
    for (const one of tries)
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ reason: 'token-used' });
  });

  it('is spent by a key: the holder of that key may ask again when the answer was lost', async () => {
    const ca = await start();
    const { token } = await ca.createJoinToken(web);
    const csr = await csrFor();
    await ca.attest(token, csr);
    expect((await ca.attest(token, csr)).spiffeId).toBe(webId);
    await expect(ca.attest(token, await csrFor())).rejects.toMatchObject({ reason: 'token-used' });
  });

  it('is bound to its workload: another name in the request gets nothing, and costs the token nothing', async () => {
    const ca = await start();
    const { token } = await ca.createJoinToken(web);
    for (const id of [
      'spiffe://example.org/ns/default/sa/admin',
      'spiffe://example.org/ns/other/sa/web',
      'spiffe://other.test/ns/default/sa/web',
    ])
      await expect(ca.attest(token, await csrFor(id))).rejects.toMatchObject({ reason: 'csr-identity' });
    expect((await ca.attest(token, await csrFor())).spiffeId).toBe(webId);
  });

  it('expires after an hour, or when it was told to', async () => {
    const clock = fakeClock();
    const ca = await start({ clock });
    const [short, standard, late] = [
      await ca.createJoinToken({ ...web, lifetimeMs: 1000 }),
      await ca.createJoinToken(web),
      await ca.createJoinToken(web),
    ];
    expect(standard.expiresAtMs - clock.epochMs()).toBe(hour);
    await clock.advance(1000);
    await expect(ca.attest(short.token, await csrFor())).rejects.toMatchObject({ reason: 'token-expired' });
    await clock.advance(hour - 1001);
    await ca.attest(standard.token, await csrFor());
    await clock.advance(1);
    await expect(ca.attest(late.token, await csrFor())).rejects.toMatchObject({ reason: 'token-expired' });
  });

  it('cannot be forged: a wrong secret for a known id, an unknown id, a cut text', async () => {
    const ca = await start();
    const { token, id } = await ca.createJoinToken(web);
    const [prefix, , secret = '', pin] = token.split('.');
    const other = Buffer.from(secret, 'base64url');
    other[31] = (other[31] ?? 0) ^ 1;
    const tries: [string, string][] = [
      [[prefix, id, other.toString('base64url'), pin].join('.'), 'token-forged'],
      [[prefix, id, Buffer.alloc(32).toString('base64url'), pin].join('.'), 'token-forged'],
      [[prefix, '0123456789abcdef', secret, pin].join('.'), 'token-unknown'],
      [[prefix, '../../etc/passwd', secret, pin].join('.'), 'token-malformed'],
      [token.slice(0, -1), 'token-malformed'],
      [`${token} `, 'token-malformed'],
      ['', 'token-malformed'],
    ];
    for (const [forged, reason] of tries)
      await expect(ca.attest(forged, await csrFor())).rejects.toMatchObject({ reason });
    expect((await ca.attest(token, await csrFor())).spiffeId).toBe(webId);
  });

  it('survives a restart, and so does having been used', async () => {
    const store = memoryStore();
    const first = await start({ store });
    const [used, unused] = [await first.createJoinToken(web), await first.createJoinToken(web)];
    await first.attest(used.token, await csrFor());
    await first.close();
    const second = await start({ store });
    await expect(second.attest(used.token, await csrFor())).rejects.toMatchObject({ reason: 'token-used' });
    expect((await second.attest(unused.token, await csrFor())).spiffeId).toBe(webId);
  });

  it('is not kept: only the hash of its secret is', async () => {
    const store = memoryStore();
    const ca = await start({ store });
    const { token, id } = await ca.createJoinToken(web);
    const secret = token.split('.')[2] ?? '';
    const kept = (await store.read(`token-${id}.json`)) ?? '';
    expect(kept).toContain(webId);
    expect(kept).not.toContain(secret);
    expect(kept).not.toContain(Buffer.from(secret, 'base64url').toString('hex'));
  });

  it('can be revoked before it is used', async () => {
    const ca = await start();
    const { token, id } = await ca.createJoinToken(web);
    expect(await ca.revokeJoinToken(id)).toBe(true);
    expect(await ca.revokeJoinToken(id)).toBe(false);
    expect(await ca.revokeJoinToken('../x')).toBe(false);
    await expect(ca.attest(token, await csrFor())).rejects.toMatchObject({ reason: 'token-revoked' });
  });

  it('is either used or revoked, not both, when both are tried at once', async () => {
    const ca = await start();
    const outcomes = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const { token, id } = await ca.createJoinToken(web);
      const csr = await csrFor();
      const [used, revoked] = await Promise.all([
        ca.attest(token, csr).then(
          () => true,
          () => false,
        ),
        i % 2 === 0 ? ca.revokeJoinToken(id) : Promise.resolve().then(() => ca.revokeJoinToken(id)),
      ]);
      expect(used).not.toBe(revoked);
      outcomes.add(used ? 'used' : 'revoked');
    }
    expect(outcomes.size).toBeGreaterThan(0);
  });

  it('can be listed: for whom, with which labels, and what became of it; never its secret', async () => {
    const clock = fakeClock();
    const ca = await start({ clock });
    const unused = await ca.createJoinToken({ ...web, labels: { app: 'orders' } });
    await clock.advance(1);
    const used = await ca.createJoinToken({ ...web, labels: '*' });
    await clock.advance(1);
    const revoked = await ca.createJoinToken(web);
    await clock.advance(1);
    const expired = await ca.createJoinToken({ ...web, lifetimeMs: 1 });
    await ca.attest(used.token, await csrFor());
    await ca.revokeJoinToken(revoked.id);
    await clock.advance(1);
    const listed = await ca.joinTokens();
    expect(listed).toMatchObject([
      { id: expired.id, spiffeId: webId, state: 'expired', labels: {} },
      { id: revoked.id, state: 'revoked' },
      { id: used.id, state: 'used', labels: '*' },
      { id: unused.id, state: 'unused', labels: { app: ['orders'] } },
    ]);
    expect(JSON.stringify(listed)).not.toContain(unused.token.split('.')[2]);
  });

  it('grants its labels to whoever joins with it, over restarts, until the certificate ends', async () => {
    const clock = fakeClock();
    const store = memoryStore();
    const first = await start({ clock, store, leafLifetimeMs: hour });
    expect(first.grantedLabels(webId)).toEqual({});
    const { token } = await first.createJoinToken({ ...web, labels: { app: 'orders' } });
    expect(first.grantedLabels(webId)).toEqual({});
    const holder = { holderId: '0123456789abcdef0123456789abcdef' };
    await first.attest(token, await csrFor(), holder);
    expect(first.grantedLabels(webId)).toEqual({ app: ['orders'] });
    await first.close();
    const second = await start({ clock, store, leafLifetimeMs: hour });
    await clock.advance(hour / 2);
    await second.renew(webId, await csrFor(), holder);
    await clock.advance(hour / 2 + 30_000);
    expect(second.grantedLabels(webId)).toEqual({ app: ['orders'] });
    await clock.advance(hour);
    expect(second.grantedLabels(webId)).toEqual({});
  });

  it('is refused in creation with labels that are none', async () => {
    const ca = await start();
    await expect(ca.createJoinToken({ ...web, labels: { 'a b': 'c' } })).rejects.toThrow('labels: "a b"');
  });

  it('stays good when the disk is full while it is used, and is used once when there is room again', async () => {
    const inner = memoryStore();
    const events: CaEvent[] = [];
    let full = false;
    const noRoom = (): Promise<never> =>
      Promise.reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }));
    const store = {
      ...inner,
      write: (name: string, text: string) => (full ? noRoom() : inner.write(name, text)),
      create: (name: string, text: string) => (full ? noRoom() : inner.create(name, text)),
    };
    const ca = await start({ store, onEvent: (event) => events.push(event) });
    const { token } = await ca.createJoinToken({ ...web, labels: { app: 'web' } });
    full = true;
    await expect(ca.attest(token, await csrFor())).rejects.toThrow('ENOSPC');
    await expect(ca.createJoinToken(web)).rejects.toThrow('ENOSPC');
    expect(events.at(-1)).toMatchObject({
      kind: 'failed',
      how: 'attest',
      detail: expect.stringContaining('ENOSPC') as string,
    });
    full = false;
    await ca.attest(token, await csrFor());
    await expect(ca.attest(token, await csrFor())).rejects.toMatchObject({ reason: 'token-used' });
    expect(ca.grantedLabels(webId)).toEqual({ app: ['web'] });
  });

  it('is refused in creation past the limit, until old ones are swept', async () => {
    const clock = fakeClock();
    const ca = await start({ clock, maxTokens: 2 });
    await ca.createJoinToken(web);
    await ca.createJoinToken(web);
    await expect(ca.createJoinToken(web)).rejects.toMatchObject({ reason: 'too-many-tokens' });
    await clock.advance(26 * hour);
    await ca.createJoinToken(web);
  });

  it('is refused in creation with a lifetime of none or over a day, or a name that is none', async () => {
    const ca = await start();
    for (const lifetimeMs of [0, -1, Number.NaN, 25 * hour])
      await expect(ca.createJoinToken({ ...web, lifetimeMs })).rejects.toThrow(RangeError);
    await expect(ca.createJoinToken({ ...web, namespace: 'a/sa/b' })).rejects.toThrow('namespace');
  });

  it('carries the hash of the root key', async () => {
    const ca = await start();
    const { token } = await ca.createJoinToken(web);
    expect(parseJoinToken(token)?.pin).toBe(ca.rootPin);
  });

  it('reports each refusal with its reason, never the secret', async () => {
    const events: CaEvent[] = [];
    const ca = await start({ onEvent: (event) => events.push(event) });
    const { token } = await ca.createJoinToken(web);
    await ca.attest(token, await csrFor());
    await ca.attest(token, await csrFor()).catch(() => undefined);
    expect(events.at(-1)).toMatchObject({ kind: 'refused', how: 'attest', reason: 'token-used' });
    expect(JSON.stringify(events)).not.toContain(token.split('.')[2] ?? '?');
  });
});

it('parsing a join token never throws, and takes only what has the form of one', () => {
  fc.assert(
    fc.property(
      fc.string(),
      (text) => parseJoinToken(text) === undefined || text.startsWith('tulle-join-1.'),
    ),
  );
});
