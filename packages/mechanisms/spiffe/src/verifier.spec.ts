import { X509Certificate } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { badPeers, goodId, oddPeers } from '../tests/bad-peers.ts';
import { bundle, forgeIssuer, forgeLeaf, forgeMesh, forgeRoot, x509 } from '../tests/forge.ts';
import { certificatesOfPem } from './pem.ts';
import { refusalHints, refusalReasons } from './refusal.ts';
import { createPeerVerifier, type PeerVerdict } from './verifier.ts';
import type { IdentitySnapshot } from '@tulle/model';

const mesh = await forgeMesh();

function judge(
  verifier: ReturnType<typeof createPeerVerifier>,
  who: IdentitySnapshot,
  role: 'server' | 'client',
): PeerVerdict {
  const [leaf, ...others] = certificatesOfPem(who.svid.certificateChainPem);
  if (leaf === undefined) throw new Error('no leaf');
  return verifier.verify(leaf, role, () => others);
}

describe.each(['server', 'client'] as const)('a %s', (role) => {
  const presented = badPeers.filter((peer) => (peer.only ?? role) === role);
  it.each(presented.map((peer) => [peer.what, peer.reason, peer] as const))(
    'with %s is refused: %s',
    async (_what, reason, peer) => {
      const verdict = judge(createPeerVerifier({ bundles: [mesh.bundle] }), await peer.make(mesh), role);
      expect(verdict).toMatchObject({ ok: false, reason });
    },
  );

  it.each(oddPeers.map((peer) => [peer.what, peer] as const))('with %s passes', async (_what, peer) => {
    const verdict = judge(createPeerVerifier({ bundles: [mesh.bundle] }), await peer.make(mesh), role);
    expect(verdict).toMatchObject({ ok: true, spiffeId: goodId, trustDomain: 'example.org' });
  });
});

describe('verifying peers', () => {
  it('wants the usage of the side that the peer is on, also for a remembered peer', async () => {
    const verifier = createPeerVerifier({ bundles: [mesh.bundle] });
    const clientOnly = await mesh.identity(goodId, { extendedUsage: [x509.ExtendedKeyUsage.clientAuth] });
    expect(judge(verifier, clientOnly, 'client').ok).toBe(true);
    expect(judge(verifier, clientOnly, 'server')).toMatchObject({ reason: 'wrong-usage' });
  });

  it('lets only the expected ids pass', async () => {
    const verifier = createPeerVerifier({ bundles: [mesh.bundle] });
    const leaf = await forgeLeaf(mesh.issuer, goodId);
    const ask = (...expected: string[]): PeerVerdict =>
      verifier.verify(leaf.der, 'server', () => [mesh.issuer.der], expected);
    expect(ask(goodId).ok).toBe(true);
    expect(ask('spiffe://example.org/ns/default/*').ok).toBe(true);
    expect(ask('spiffe://example.org/ns/default/sa/other')).toMatchObject({
      reason: 'unexpected-identity',
      claimedSpiffeId: goodId,
    });
    expect(ask()).toMatchObject({ reason: 'unexpected-identity' });
  });

  it('refuses garbage as a certificate', () => {
    const verifier = createPeerVerifier({ bundles: [mesh.bundle] });
    expect(verifier.verify(Buffer.from('garbage'), 'client')).toMatchObject({ reason: 'bad-certificate' });
    expect(verifier.verify(Buffer.alloc(0), 'client')).toMatchObject({ reason: 'bad-certificate' });
  });

  it('knows the leaf again without its issuers, and another leaf of an issuer it has seen', async () => {
    const verifier = createPeerVerifier({ bundles: [mesh.bundle] });
    const [a, b] = [await forgeLeaf(mesh.issuer, goodId), await forgeLeaf(mesh.issuer, goodId)];
    expect(verifier.verify(a.der, 'client')).toMatchObject({ reason: 'unknown-issuer' });
    expect(verifier.verify(a.der, 'client', () => [mesh.issuer.der]).ok).toBe(true);
    const never = (): never => {
      throw new Error('asked for the chain of a remembered leaf');
    };
    expect(verifier.verify(a.der, 'client', never).ok).toBe(true);
    expect(verifier.verify(b.der, 'client').ok).toBe(true);
  });

  it('sees a remembered peer expire, with 20 s of grace', async () => {
    let now = Date.now();
    const verifier = createPeerVerifier({ bundles: [mesh.bundle], epochMs: () => now });
    const leaf = await forgeLeaf(mesh.issuer, goodId, { notAfterMs: now + 60_000 });
    const ask = (): PeerVerdict => verifier.verify(leaf.der, 'client', () => [mesh.issuer.der]);
    expect(ask().ok).toBe(true);
    now += 75_000;
    expect(ask().ok).toBe(true);
    now += 10_000;
    expect(ask()).toMatchObject({ reason: 'expired' });
  });

  it('forgets what a removed root vouched for, and says which root went', async () => {
    const next = await forgeRoot('CN=next');
    const nextIssuer = await forgeIssuer(next);
    const verifier = createPeerVerifier({ bundles: [mesh.bundle] });
    const [old, fresh] = [await forgeLeaf(mesh.issuer, goodId), await forgeLeaf(nextIssuer, goodId)];
    const ask = (leaf: typeof old, issuer: typeof nextIssuer): PeerVerdict =>
      verifier.verify(leaf.der, 'client', () => [issuer.der]);
    const before = ask(old, mesh.issuer);
    if (!before.ok) throw new Error(before.detail);
    expect(ask(fresh, nextIssuer)).toMatchObject({ reason: 'unknown-issuer' });

    expect(verifier.setBundles([bundle('example.org', 2, mesh.root, next)])).toEqual([]);
    expect(ask(old, mesh.issuer).ok && ask(fresh, nextIssuer).ok && verifier.stillTrusted(before)).toBe(true);

    expect(verifier.setBundles([bundle('example.org', 3, next)])).toEqual([before.rootFingerprint]);
    expect(ask(old, mesh.issuer)).toMatchObject({ reason: 'unknown-issuer' });
    expect(verifier.stillTrusted(before)).toBe(false);
    expect(ask(fresh, nextIssuer).ok).toBe(true);
  });

  it("does not let one trust domain's root vouch for another's ids", async () => {
    const other = await forgeMesh('other.test');
    const verifier = createPeerVerifier({ bundles: [mesh.bundle, other.bundle] });
    const liar = await forgeLeaf(other.issuer, goodId);
    expect(verifier.verify(liar.der, 'client', () => [other.issuer.der])).toMatchObject({
      reason: 'unknown-issuer',
    });
    const honest = await forgeLeaf(other.issuer, 'spiffe://other.test/ns/a/sa/b');
    expect(verifier.verify(honest.der, 'client', () => [other.issuer.der])).toMatchObject({
      ok: true,
      trustDomain: 'other.test',
    });
  });

  it('keeps its tables bounded', async () => {
    const verifier = createPeerVerifier({ bundles: [mesh.bundle], maxVerifiedPeers: 2 });
    for (let i = 0; i < 4; i++) {
      const leaf = await forgeLeaf(mesh.issuer, `${goodId}${i}`);
      expect(verifier.verify(leaf.der, 'client', () => [mesh.issuer.der]).ok).toBe(true);
    }
    expect(verifier.size).toBe(2);
  });

  it('spends a bounded number of signature checks on CAs that all seem to sign each other', async () => {
    const verifier = createPeerVerifier({ bundles: [mesh.bundle] });
    const { keys } = await forgeRoot();
    const maze = await Promise.all(Array.from({ length: 8 }, () => forgeRoot('CN=issuer', { keys })));
    const [first] = maze;
    if (first === undefined) throw new Error('no maze');
    const leaf = await forgeLeaf(first, goodId);
    const checks = vi.spyOn(X509Certificate.prototype, 'verify');
    try {
      expect(verifier.verify(leaf.der, 'client', () => maze.map((ca) => ca.der))).toMatchObject({
        ok: false,
      });
      expect(checks.mock.calls.length).toBeGreaterThan(4);
      expect(checks.mock.calls.length).toBeLessThanOrEqual(16);
    } finally {
      checks.mockRestore();
    }
  });

  it('keeps the old bundles when new ones hold no certificate', () => {
    const verifier = createPeerVerifier({ bundles: [mesh.bundle] });
    expect(() =>
      verifier.setBundles([{ trustDomain: 'example.org', rootsPem: ['nothing'], generation: 2 }]),
    ).toThrow(/no certificate in it/);
  });

  it('has a hint for every reason, and quotes what a peer wrote', async () => {
    expect(Object.keys(refusalHints).sort()).toEqual([...refusalReasons].sort());
    const verifier = createPeerVerifier({ bundles: [mesh.bundle] });
    const leaf = await forgeLeaf(mesh.issuer, 'https://x/\nlevel=info forged=1');
    const verdict = verifier.verify(leaf.der, 'client', () => [mesh.issuer.der]);
    expect(verdict).toMatchObject({ reason: 'bad-spiffe-id' });
    expect(verdict.ok ? '' : verdict.detail).not.toContain('\n');
  });
});
