import { createKeyAndCsr, createPeerVerifier, readCertificate } from '@tulle/spiffe';
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { fakeClock } from '../tests/fake-clock.ts';
import type { Ca, CaOptions, IssuedSvid } from './ca.ts';
import { createCa } from './create-ca.ts';
import type { CaEvent } from './ca-events.ts';
import { directoryStore, memoryStore } from './store.ts';

const hour = 3_600_000;
const day = 24 * hour;
const trustDomain = 'example.org';
const web = { namespace: 'default', serviceAccount: 'web' };
const webId = 'spiffe://example.org/ns/default/sa/web';

const open: Ca[] = [];
const made: string[] = [];
afterEach(async () => {
  for (const ca of open.splice(0)) await ca.close();
  for (const path of made.splice(0)) await rm(path, { recursive: true });
});
async function start(options: Partial<CaOptions> = {}): Promise<Ca> {
  const ca = await createCa({ trustDomain, store: memoryStore(), ...options });
  open.push(ca);
  return ca;
}
async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tulle-ca-'));
  made.push(directory);
  return join(directory, 'ca');
}
const csrFor = async (id: string): Promise<Buffer> => (await createKeyAndCsr(id)).csrDer;
const leafOf = (issued: IssuedSvid): Buffer => {
  const [leaf] = issued.certificateChainDer;
  if (leaf === undefined) throw new Error('no leaf');
  return leaf;
};
function verdictOf(issued: IssuedSvid, nowMs = Date.now()): unknown {
  const [leaf, ...others] = issued.certificateChainDer;
  if (leaf === undefined) throw new Error('no leaf');
  return createPeerVerifier({ bundles: issued.bundles, epochMs: () => nowMs }).verify(
    leaf,
    'server',
    () => others,
  );
}

describe('the CA', () => {
  it('certifies an attested workload: its id, nothing else, for 24 hours, below a chain that peers can check', async () => {
    const ca = await start();
    const { token, spiffeId } = await ca.createJoinToken(web);
    expect(spiffeId).toBe(webId);
    const issued = await ca.attest(token, await csrFor(webId));
    expect(verdictOf(issued)).toMatchObject({ ok: true, spiffeId: webId, serial: issued.serial });
    const facts = readCertificate(leafOf(issued));
    expect(facts).toMatchObject({ uriSans: [webId], otherSanTypes: [], isCa: false, keyUsage: 0x8000 });
    expect(facts.subject.length).toBe(2);
    expect(facts.notAfterMs - Date.now()).toBeLessThanOrEqual(day);
    expect(facts.notAfterMs - Date.now()).toBeGreaterThan(day - 60_000);
    expect(Date.now() - facts.notBeforeMs).toBeGreaterThanOrEqual(20_000);
    expect(issued.certificateChainDer).toHaveLength(2);
    expect(issued.serial).toMatch(/^[4-7][0-9a-f]{31}$/);
  });

  it('makes certificates that OpenSSL accepts too', async () => {
    const ca = await start();
    const issued = await ca.issueLocal(webId, await csrFor(webId));
    const [leaf, issuer] = issued.certificateChainDer.map((der) => new X509Certificate(der));
    const root = new X509Certificate(ca.published().bundles[0]?.rootsPem[0] ?? '');
    if (leaf === undefined || issuer === undefined) throw new Error('no chain');
    expect(leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey)).toBe(true);
    expect(issuer.checkIssued(root) && issuer.verify(root.publicKey)).toBe(true);
    expect(root.checkIssued(root) && root.verify(root.publicKey)).toBe(true);
    expect([leaf.ca, issuer.ca, root.ca]).toEqual([false, true, true]);
    const pathLengths = [issuer, root].map((ca_) => readCertificate(ca_.raw).pathLength);
    expect(pathLengths).toEqual([0, 2]);
  });

  it('renews for the identity that was proved, and for no other', async () => {
    const ca = await start();
    expect(verdictOf(await ca.renew(webId, await csrFor(webId)))).toMatchObject({
      ok: true,
      spiffeId: webId,
    });
    await expect(
      ca.renew(webId, await csrFor('spiffe://example.org/ns/default/sa/admin')),
    ).rejects.toMatchObject({ reason: 'csr-identity' });
    await expect(
      ca.renew('spiffe://other.test/a', await csrFor('spiffe://other.test/a')),
    ).rejects.toMatchObject({ reason: 'foreign-identity' });
    await expect(
      ca.renew('spiffe://example.org', await csrFor('spiffe://example.org')),
    ).rejects.toMatchObject({ reason: 'foreign-identity' });
  });

  it("gives nobody a token for the control plane's own identity", async () => {
    const ca = await start();
    await expect(
      ca.createJoinToken({ namespace: 'tulle-system', serviceAccount: 'control-plane' }),
    ).rejects.toMatchObject({ reason: 'reserved-identity' });
  });

  it('refuses options that do not fit together, naming the value', async () => {
    await expect(start({ leafLifetimeMs: 5 })).rejects.toThrow('leafLifetimeMs is 5');
    await expect(start({ issuerLifetimeMs: 2 * day })).rejects.toThrow('at least three leaf lifetimes');
    await expect(start({ rootLifetimeMs: day })).rejects.toThrow('rootLifetimeMs');
    await expect(start({ trustDomain: 'Example.org' })).rejects.toThrow('trustDomain "Example.org"');
  });

  it('reports what it does and refuses', async () => {
    const events: CaEvent[] = [];
    const ca = await start({ onEvent: (event) => events.push(event) });
    const issued = await ca.renew(webId, await csrFor(webId));
    await ca.renew(webId, Buffer.from('junk'), { peer: '10.0.0.1:2' }).catch(() => undefined);
    await ca.renew(webId, await csrFor(`${webId}-2`)).catch(() => undefined);
    await ca.rotateLeaves();
    await ca.rotateIssuer();
    expect(events).toMatchObject([
      { kind: 'issued', how: 'renew', spiffeId: webId, serial: issued.serial },
      { kind: 'refused', how: 'renew', reason: 'csr-malformed', peer: '10.0.0.1:2' },
      { kind: 'refused', how: 'renew', reason: 'csr-identity', askedId: `${webId}-2` },
      { kind: 'leaves-rotated', leafEpoch: 2 },
      { kind: 'issuer-rotated' },
    ]);
  });
});

it('the CA sounds when half, three quarters and nine tenths of the life of root or issuer are over', async () => {
  const clock = fakeClock();
  const store = memoryStore();
  const events: CaEvent[] = [];
  const options = {
    clock,
    store,
    rootLifetimeMs: 100 * hour,
    issuerLifetimeMs: 100 * hour,
    leafLifetimeMs: hour,
    clockSkewMs: 0,
    onEvent: (event: CaEvent): void => void events.push(event),
  };
  const ca = await start(options);
  const sounded = (): string[] =>
    events
      .splice(0)
      .flatMap((event) => (event.kind === 'expiring' ? [`${event.authority} ${event.share}`] : []));
  await clock.advance(50 * hour - 1000);
  expect(sounded()).toEqual([]);
  await clock.advance(2000);
  expect(sounded()).toEqual(['root 0.5', 'issuer 0.5']);
  await clock.advance(24 * hour);
  expect(sounded()).toEqual([]);
  await clock.advance(hour);
  // The root ends first: a new issuer would end no later, so this one is not replaced.
  expect(sounded()).toEqual(['root 0.75', 'issuer 0.75']);
  await ca.close();
  await clock.advance(20 * hour);
  await (await start(options)).close();
  expect(sounded()).toEqual(['root 0.9', 'issuer 0.9']);
});

describe('rotation in the CA', () => {
  it('of the issuer: new leaves below the new one, old leaves still good, the old key gone', async () => {
    const store = memoryStore();
    const ca = await start({ store });
    const before = await ca.renew(webId, await csrFor(webId));
    const told: number[] = [];
    ca.subscribe(({ leafEpoch }) => told.push(leafEpoch));
    const [oldIssuer] = ca.status().issuers;
    await ca.rotateIssuer();
    const after = await ca.renew(webId, await csrFor(webId));
    expect(told).toEqual([2]);
    expect([before.leafEpoch, after.leafEpoch]).toEqual([1, 2]);
    expect(after.certificateChainDer[1]?.equals(before.certificateChainDer[1] ?? Buffer.alloc(0))).toBe(
      false,
    );
    expect(verdictOf(before)).toMatchObject({ ok: true });
    expect(verdictOf(after)).toMatchObject({ ok: true });
    expect(ca.published().bundles[0]?.generation).toBe(1);
    expect(ca.status().issuers).toHaveLength(2);
    expect(await store.list()).not.toContain(`key-${oldIssuer?.id}.pem`);
  });

  it('works while certificates are being issued', async () => {
    const ca = await start();
    const csr = await csrFor(webId);
    const issuing = Array.from({ length: 40 }, (_, i) =>
      i % 10 === 5 ? ca.rotateIssuer().then(() => ca.renew(webId, csr)) : ca.renew(webId, csr),
    );
    for (const issued of await Promise.all(issuing)) expect(verdictOf(issued)).toMatchObject({ ok: true });
    expect(ca.status().leafEpoch).toBe(5);
  });

  it('comes by itself before the issuer would be too short for a leaf', async () => {
    const clock = fakeClock();
    const events: CaEvent[] = [];
    const ca = await start({ clock, onEvent: (event) => events.push(event) });
    await clock.advance(59 * day);
    expect(ca.status().issuers).toHaveLength(1);
    await clock.advance(2 * day);
    await vi.waitFor(() => expect(ca.status().issuers).toHaveLength(2), { timeout: 15_000 });
    expect(events.map((event) => event.kind)).toContain('issuer-rotated');
    // Nobody has to hurry: the leaves of the old issuer live on.
    expect(ca.status().leafEpoch).toBe(1);
    const issued = await ca.renew(webId, await csrFor(webId));
    expect(verdictOf(issued, clock.epochMs())).toMatchObject({ ok: true });
  });

  it('comes on the first request after a long sleep', async () => {
    const clock = fakeClock();
    const store = memoryStore();
    const asleep = await start({ clock, store });
    await asleep.close();
    await clock.advance(100 * day);
    const ca = await start({ clock, store });
    const issued = await ca.renew(webId, await csrFor(webId));
    expect(verdictOf(issued, clock.epochMs())).toMatchObject({ ok: true });
  });

  it('never signs a leaf that would outlive its issuer, and says that the root must be replaced', async () => {
    const clock = fakeClock();
    const ca = await start({
      clock,
      rootLifetimeMs: 100 * hour,
      issuerLifetimeMs: 100 * hour,
      leafLifetimeMs: 10 * hour,
    });
    await clock.advance(89 * hour);
    expect(verdictOf(await ca.renew(webId, await csrFor(webId)), clock.epochMs())).toMatchObject({
      ok: true,
    });
    await clock.advance(2 * hour);
    await expect(ca.renew(webId, await csrFor(webId))).rejects.toMatchObject({
      reason: 'issuer-too-short',
      message: expect.stringContaining('root') as string,
    });
    expect(ca.status().issuers.length).toBeLessThan(4);
  });
});

describe('a CA in a directory', () => {
  it('is the same CA after a restart: roots, issuer, epoch', async () => {
    const directory = await temporary();
    const first = await start({ store: directoryStore(directory) });
    await first.rotateLeaves();
    const issued = await first.renew(webId, await csrFor(webId));
    await first.close();
    const second = await start({ store: directoryStore(directory) });
    expect(second.status()).toEqual(first.status());
    expect(second.rootPin).toBe(first.rootPin);
    expect(second.published()).toEqual(first.published());
    expect(verdictOf({ ...issued, bundles: second.published().bundles })).toMatchObject({ ok: true });
    expect(verdictOf(await second.renew(webId, await csrFor(webId)))).toMatchObject({ ok: true });
  });

  it('keeps every key in a file of mode 0600, and only keys in use', async () => {
    const directory = await temporary();
    const ca = await start({ store: directoryStore(directory) });
    await ca.rotateIssuer();
    await ca.createJoinToken(web);
    const names = await readdir(directory);
    expect(names.filter((name) => name.startsWith('key-'))).toHaveLength(2);
    for (const name of names) expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(directory, 'ca.json'), 'utf8')).not.toContain('PRIVATE KEY');
  });

  it('refuses the store of another trust domain, and a state it cannot read', async () => {
    const directory = await temporary();
    await (await start({ store: directoryStore(directory) })).close();
    await expect(start({ store: directoryStore(directory), trustDomain: 'other.test' })).rejects.toThrow(
      'belongs to the trust domain "example.org"',
    );
    await writeFile(join(directory, 'ca.json'), '{"version":1');
    await expect(start({ store: directoryStore(directory) })).rejects.toThrow('restore it from a backup');
  });

  it('is the only one there: a second is told which process has it, and takes over when that is gone, however it went', async () => {
    const directory = await temporary();
    const script = `
      const { createCa, directoryStore } = await import(${JSON.stringify(join(import.meta.dirname, 'index.ts'))});
      await createCa({ trustDomain: 'example.org', store: directoryStore(${JSON.stringify(directory)}) });
      console.log('open');
      setInterval(() => undefined, 1000);`;
    const other = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(other.stdout, 'data');
      await expect(start({ store: directoryStore(directory) })).rejects.toThrow(
        `${directory} is in use by process ${other.pid}; stop that process`,
      );
    } finally {
      other.kill('SIGKILL');
      await once(other, 'exit');
    }
    const ca = await start({ store: directoryStore(directory) });
    await expect(start({ store: directoryStore(directory) })).rejects.toThrow(`process ${process.pid}`);
    expect(verdictOf(await ca.renew(webId, await csrFor(webId)))).toMatchObject({ ok: true });
    await ca.close();
    await start({ store: directoryStore(directory) });
  });

  it('does not keep the directory when it could not be opened', async () => {
    const directory = await temporary();
    await (await start({ store: directoryStore(directory) })).close();
    await expect(start({ store: directoryStore(directory), trustDomain: 'other.test' })).rejects.toThrow();
    await start({ store: directoryStore(directory) });
  });

  it('says which key is missing', async () => {
    const directory = await temporary();
    const ca = await start({ store: directoryStore(directory) });
    await ca.close();
    const issuer = ca.status().issuers[0]?.id ?? '';
    await rm(join(directory, `key-${issuer}.pem`));
    const again = await start({ store: directoryStore(directory) });
    await expect(again.renew(webId, await csrFor(webId))).rejects.toThrow(`key-${issuer}.pem`);
  });
});
