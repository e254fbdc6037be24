import { createHash, X509Certificate } from 'node:crypto';
import type { TrustBundle } from '@tulle/model';
import { readCertificate, type CertificateFacts } from './certificate.ts';
import { buildChain, leafFault, roleFault, timeFault, type Chain, type PeerRole } from './chain.ts';
import { certificatesOfPem } from './pem.ts';
import { quoted, refusal, type Refusal } from './refusal.ts';
import { parseSpiffeId, spiffeIdMatches } from './spiffe-id.ts';

/** A peer whose chain reaches a root of its own trust domain. */
export interface VerifiedPeer {
  readonly ok: true;
  readonly spiffeId: string;
  readonly trustDomain: string;
  /** Lower-case hex. */
  readonly serial: string;
  /** When the first certificate of the chain ends. */
  readonly notAfterMs: number;
  /** SHA-256 of the leaf, hex. */
  readonly fingerprint: string;
  /** SHA-256 of the root the chain ends in, hex. */
  readonly rootFingerprint: string;
}

export type PeerVerdict = VerifiedPeer | Refusal;

/** A certificate as a TLS socket or a file gives it. */
export type PresentedCertificate = X509Certificate | Buffer;

export interface PeerVerifierOptions {
  readonly bundles: readonly TrustBundle[];
  /** Wall clock in milliseconds; default `Date.now`. */
  readonly epochMs?: () => number;
  /** Grace at both ends of a certificate's life; default 20 000 ms, as clocks of one fleet seldom differ by more. */
  readonly clockSkewMs?: number;
  /** Peers remembered as verified; default 4096 (about 4 kB each). The oldest is forgotten and verified again when it returns. */
  readonly maxVerifiedPeers?: number;
  /** CA certificates remembered from verified chains; default 64. Resumed TLS sessions present only their leaf and need them. */
  readonly maxKnownIntermediates?: number;
}

export interface PeerVerifier {
  /**
   * Judges a leaf. `others` gives the rest of what the peer presented and is called only when the leaf is not
   * remembered. `expected`, when given, are the only SPIFFE IDs that pass: exact, or
   * ending in `/*` for all ids below.
   */
  verify(
    leaf: PresentedCertificate,
    role: PeerRole,
    others?: () => readonly PresentedCertificate[],
    expected?: readonly string[],
  ): PeerVerdict;
  /** Whether a peer that was verified earlier still is: its root still in the bundle of its trust domain. Says nothing of expiry. */
  stillTrusted(peer: VerifiedPeer): boolean;
  /**
   * Replaces the bundles and returns the fingerprints of the roots that are gone.
   * @throws when a bundle holds no readable root; the old bundles stay.
   */
  setBundles(bundles: readonly TrustBundle[]): readonly string[];
  /** Peers remembered now. */
  readonly size: number;
}

interface Entry {
  readonly chain: Chain;
  readonly peer: VerifiedPeer;
}

function readBundles(bundles: readonly TrustBundle[]): Map<string, CertificateFacts[]> {
  const roots = new Map<string, CertificateFacts[]>();
  for (const bundle of bundles) {
    const facts = bundle.rootsPem.flatMap(certificatesOfPem).map((der) => readCertificate(der));
    if (facts.length === 0)
      throw new Error(
        `the trust bundle of ${quoted(bundle.trustDomain)} has no certificate in it; give at least one root in PEM`,
      );
    roots.set(bundle.trustDomain, [...(roots.get(bundle.trustDomain) ?? []), ...facts]);
  }
  return roots;
}

/** Makes the judge of peers' certificates by the X.509-SVID specification (§5.2 leaf validation) and RFC 5280. */
export function createPeerVerifier(options: PeerVerifierOptions): PeerVerifier {
  const epochMs = options.epochMs ?? Date.now;
  const skewMs = options.clockSkewMs ?? 20_000;
  const maxPeers = options.maxVerifiedPeers ?? 4096;
  const maxKnown = options.maxKnownIntermediates ?? 64;
  let roots = readBundles(options.bundles);
  const verified = new Map<string, Entry>();
  const known = new Map<string, CertificateFacts>();

  const hasRoot = (trustDomain: string, fingerprint: string): boolean =>
    roots.get(trustDomain)?.some((root) => root.fingerprint === fingerprint) ?? false;

  const keep = <T>(map: Map<string, T>, key: string, value: T, max: number): void => {
    map.delete(key);
    map.set(key, value);
    if (map.size > max) for (const oldest of map.keys()) return void map.delete(oldest);
  };

  const identityOf = (entry: Entry, role: PeerRole): PeerVerdict =>
    timeFault(entry.chain, epochMs(), skewMs) ?? roleFault(entry.chain.leaf, role) ?? entry.peer;

  const judge = (
    leaf: PresentedCertificate,
    role: PeerRole,
    others: (() => readonly PresentedCertificate[]) | undefined,
  ): PeerVerdict => {
    const remembered = verified.get(fingerprintOf(leaf));
    if (remembered !== undefined && hasRoot(remembered.peer.trustDomain, remembered.peer.rootFingerprint))
      return identityOf(remembered, role);

    const facts = tryRead(leaf);
    if (typeof facts === 'string') return refusal('bad-certificate', facts);
    const fault = leafFault(facts, role);
    if (fault !== undefined) return fault;
    const spiffeId = facts.uriSans[0] ?? '';
    const { trustDomain } = parseSpiffeId(spiffeId);
    const own = roots.get(trustDomain);
    if (own === undefined)
      return refusal('wrong-trust-domain', `no trust bundle for ${quoted(trustDomain)}`, spiffeId);
    const presented = (others?.() ?? [])
      .slice(0, 8)
      .map(tryRead)
      .filter((c) => typeof c !== 'string');
    const chain = buildChain(facts, [...presented, ...known.values()], own, trustDomain, epochMs(), skewMs);
    if ('ok' in chain) return chain;
    const peer: VerifiedPeer = {
      ok: true,
      spiffeId,
      trustDomain,
      serial: facts.serial,
      notAfterMs: chain.notAfterMs,
      fingerprint: facts.fingerprint,
      rootFingerprint: chain.root.fingerprint,
    };
    keep(verified, facts.fingerprint, { chain, peer }, maxPeers);
    for (const ca of chain.intermediates) keep(known, ca.fingerprint, ca, maxKnown);
    return peer;
  };

  return {
    verify(leaf, role, others, expected) {
      const verdict = judge(leaf, role, others);
      if (
        verdict.ok &&
        expected !== undefined &&
        !expected.some((pattern) => spiffeIdMatches(verdict.spiffeId, pattern))
      )
        return refusal(
          'unexpected-identity',
          `the peer is ${verdict.spiffeId}, expected ${expected.join(' or ')}`,
          verdict.spiffeId,
        );
      return verdict;
    },
    stillTrusted: (peer) => hasRoot(peer.trustDomain, peer.rootFingerprint),
    setBundles(bundles) {
      const before = roots;
      roots = readBundles(bundles);
      const removed: string[] = [];
      for (const [trustDomain, facts] of before)
        for (const root of facts) if (!hasRoot(trustDomain, root.fingerprint)) removed.push(root.fingerprint);
      return removed;
    },
    get size() {
      return verified.size;
    },
  };
}

/**
 * What the peer presented behind its leaf, in its order; a root does not end it, because more than one may be sent. (Only of a connection for which OpenSSL
 * was given no roots: where it verified the chain itself, Node does not show it.)
 */
export function issuersOf(leaf: X509Certificate): X509Certificate[] {
  const issuers: X509Certificate[] = [];
  for (
    let next = leaf.issuerCertificate;
    next !== undefined && issuers.length < 8;
    next = next.issuerCertificate
  ) {
    issuers.push(next);
  }
  return issuers;
}

function fingerprintOf(certificate: PresentedCertificate): string {
  return createHash('sha256')
    .update(Buffer.isBuffer(certificate) ? certificate : certificate.raw)
    .digest('hex');
}

function tryRead(certificate: PresentedCertificate): CertificateFacts | string {
  try {
    const der = Buffer.isBuffer(certificate) ? certificate : certificate.raw;
    // OpenSSL must read it too, or signatures could not be checked.
    if (Buffer.isBuffer(certificate)) new X509Certificate(certificate);
    return readCertificate(der);
  } catch (error) {
    return error instanceof Error ? error.message : 'unreadable certificate';
  }
}
