import { createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { generalName, keyUsage, oid, type CertificateFacts, type NameConstraint } from './certificate.ts';
import { quoted, refusal, type Refusal } from './refusal.ts';
import { parseSpiffeId, spiffeIdFault } from './spiffe-id.ts';

/** Which side of TLS the certificate must be good for: a `server` is what a client verifies, and the other way round. */
export type PeerRole = 'server' | 'client';

/** Most CA certificates between a leaf and its root. Tulle's own CA uses one. */
export const maxIntermediates = 4;
/** Most signatures checked for one chain, so that a peer that sends many look-alike CAs cannot buy our CPU. */
const maxSignatureChecks = 16;

/** A leaf's own faults, apart from who issued it. */
export function leafFault(leaf: CertificateFacts, role: PeerRole): Refusal | undefined {
  const [uri, ...more] = leaf.uriSans;
  if (leaf.isCa || ((leaf.keyUsage ?? 0) & (keyUsage.keyCertSign | keyUsage.crlSign)) !== 0)
    return refusal('ca-leaf', 'the leaf is a CA certificate or may sign certificates', uri);
  if (uri === undefined) return refusal('no-uri-san', 'the leaf has no URI SAN');
  if (more.length > 0)
    return refusal(
      'many-uri-sans',
      `the leaf has ${leaf.uriSans.length} URI SANs, the first is ${quoted(uri)}`,
    );
  const fault =
    spiffeIdFault(uri) ??
    (parseSpiffeId(uri).path === '' ? 'it names a trust domain, not a workload' : undefined);
  if (fault !== undefined) return refusal('bad-spiffe-id', `${quoted(uri)}: ${fault}`, uri);
  if (leaf.unknownCritical.length > 0)
    return refusal(
      'bad-certificate',
      `critical extension ${leaf.unknownCritical.join(', ')} is not understood`,
      uri,
    );
  if (!leaf.strongSignature)
    return refusal('bad-certificate', 'the signature algorithm is weak or unknown', uri);
  if (leaf.keyUsage === undefined || (leaf.keyUsage & keyUsage.digitalSignature) === 0)
    return refusal('wrong-usage', 'the leaf lacks the digitalSignature key usage', uri);
  const weak = weakKey(leaf);
  if (weak !== undefined) return refusal('bad-certificate', `the leaf's key is ${weak}`, uri);
  return roleFault(leaf, role);
}

/** Why a leaf may not be used on this side of TLS, or undefined. Without the extension every use is allowed. */
export function roleFault(leaf: CertificateFacts, role: PeerRole): Refusal | undefined {
  const needed = role === 'server' ? oid.serverAuth : oid.clientAuth;
  const extended = leaf.extendedKeyUsage;
  return extended === undefined || extended.includes(needed) || extended.includes(oid.anyExtendedKeyUsage)
    ? undefined
    : refusal('wrong-usage', `the extended key usages do not allow a TLS ${role}`, leaf.uriSans[0]);
}

/** Why a public key is too weak or of an unknown kind, or undefined. */
export function weakKeyOf(key: KeyObject): string | undefined {
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return undefined;
    case 'ec': {
      const curve = key.asymmetricKeyDetails?.namedCurve ?? 'an unnamed curve';
      return ['prime256v1', 'secp384r1', 'secp521r1'].includes(curve) ? undefined : `on ${curve}`;
    }
    case 'rsa':
    case 'rsa-pss': {
      const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
      return bits >= 2048 && bits <= 8192 ? undefined : `RSA of ${bits} bits`;
    }
    default:
      return `of type ${key.asymmetricKeyType ?? 'unknown'}`;
  }
}

function weakKey(certificate: CertificateFacts): string | undefined {
  try {
    return weakKeyOf(createPublicKey({ key: certificate.spki, format: 'der', type: 'spki' }));
  } catch {
    return 'unreadable';
  }
}

/** `example.org` names that host, `.example.org` every host below it (RFC 5280 §4.2.1.10, URI). */
function hostMatches(host: string, constraint: string): boolean {
  const wanted = constraint.toLowerCase();
  return wanted.startsWith('.') ? host.endsWith(wanted) && host.length > wanted.length : host === wanted;
}

function constraintFault(
  issuer: CertificateFacts,
  leaf: CertificateFacts,
  trustDomain: string,
): string | undefined {
  const otherTypes = new Set(leaf.otherSanTypes);
  // A non-empty subject is a directory name too; the empty one is the two bytes of an empty SEQUENCE.
  if (leaf.subject.length > 2) otherTypes.add(generalName.directory);
  const broken = (constraint: NameConstraint): boolean =>
    constraint.type !== generalName.uri && otherTypes.has(constraint.type);
  if ([...issuer.permitted, ...issuer.excluded].some(broken))
    return 'it constrains names of a type that the leaf has besides its URI';
  const permitted = issuer.permitted.filter((constraint) => constraint.type === generalName.uri);
  if (permitted.length > 0 && !permitted.some((constraint) => hostMatches(trustDomain, constraint.uriHost)))
    return `it may not issue for the trust domain ${trustDomain}`;
  if (
    issuer.excluded.some(
      (constraint) => constraint.type === generalName.uri && hostMatches(trustDomain, constraint.uriHost),
    )
  )
    return `the trust domain ${trustDomain} is excluded from what it may issue`;
  return undefined;
}

/** Why `issuer` may not stand above `leaf` with `below` CAs between them, or undefined. */
function issuerFault(
  issuer: CertificateFacts,
  leaf: CertificateFacts,
  trustDomain: string,
  below: number,
): string | undefined {
  if (!issuer.isCa) return 'it is not a CA';
  if (issuer.keyUsage !== undefined && (issuer.keyUsage & keyUsage.keyCertSign) === 0)
    return 'its key usages do not allow it to sign certificates';
  if (issuer.pathLength !== undefined && below > issuer.pathLength) return 'its path length is exceeded';
  if (issuer.unknownCritical.length > 0)
    return `its critical extension ${issuer.unknownCritical.join(', ')} is not understood`;
  const weak = weakKey(issuer);
  if (weak !== undefined) return `its key is ${weak}`;
  const own = issuer.uriSans[0];
  if (
    own !== undefined &&
    (issuer.uriSans.length > 1 ||
      spiffeIdFault(own) !== undefined ||
      parseSpiffeId(own).trustDomain !== trustDomain)
  )
    return 'it belongs to another trust domain';
  return constraintFault(issuer, leaf, trustDomain);
}

/** Times within which a whole chain holds: the latest start and the earliest end. */
export interface Chain {
  readonly leaf: CertificateFacts;
  readonly intermediates: readonly CertificateFacts[];
  readonly root: CertificateFacts;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

function chainOf(
  leaf: CertificateFacts,
  intermediates: readonly CertificateFacts[],
  root: CertificateFacts,
): Chain {
  const all = [leaf, ...intermediates, root];
  return {
    leaf,
    intermediates,
    root,
    notBeforeMs: Math.max(...all.map((c) => c.notBeforeMs)),
    notAfterMs: Math.min(...all.map((c) => c.notAfterMs)),
  };
}

/** Why a chain does not hold now, with `skewMs` of grace at both ends. */
export function timeFault(chain: Chain, nowMs: number, skewMs: number): Refusal | undefined {
  const claimed = chain.leaf.uriSans[0];
  if (nowMs > chain.notAfterMs + skewMs)
    return refusal('expired', `expired at ${new Date(chain.notAfterMs).toISOString()}`, claimed);
  if (nowMs < chain.notBeforeMs - skewMs)
    return refusal('not-yet-valid', `valid from ${new Date(chain.notBeforeMs).toISOString()}`, claimed);
  return undefined;
}

/**
 * Finds a chain from `leaf` to one of `roots` through `candidates` and checks every signature on it. All `roots` are
 * those of the leaf's own trust domain. Prefers a chain that holds at `nowMs`; the reason of the closest miss otherwise.
 */
export function buildChain(
  leaf: CertificateFacts,
  candidates: readonly CertificateFacts[],
  roots: readonly CertificateFacts[],
  trustDomain: string,
  nowMs: number,
  skewMs: number,
): Chain | Refusal {
  const claimed = leaf.uriSans[0];
  let checksLeft = maxSignatureChecks;
  let miss: Refusal = refusal('unknown-issuer', `no chain to a root of ${trustDomain}`, claimed);
  const signedBy = (child: CertificateFacts, issuer: CertificateFacts): boolean => {
    if (!child.strongSignature || !child.issuer.equals(issuer.subject) || checksLeft === 0) return false;
    checksLeft--;
    try {
      return new X509Certificate(child.der).verify(
        createPublicKey({ key: issuer.spki, format: 'der', type: 'spki' }),
      );
    } catch {
      return false;
    }
  };
  const climb = (top: CertificateFacts, between: readonly CertificateFacts[]): Chain | undefined => {
    for (const [issuer, isRoot] of [
      ...roots.map((c) => [c, true] as const),
      ...candidates.map((c) => [c, false] as const),
    ]) {
      if (!isRoot && (between.length === maxIntermediates || issuer === leaf || between.includes(issuer)))
        continue;
      if (!signedBy(top, issuer)) continue;
      const fault = issuerFault(issuer, leaf, trustDomain, between.length);
      if (fault !== undefined) {
        miss = refusal('constrained-issuer', `issuer with serial ${issuer.serial}: ${fault}`, claimed);
        continue;
      }
      if (!isRoot) {
        const found = climb(issuer, [...between, issuer]);
        if (found !== undefined) return found;
        continue;
      }
      const chain = chainOf(leaf, between, issuer);
      const late = timeFault(chain, nowMs, skewMs);
      if (late === undefined) return chain;
      miss = late;
    }
    return undefined;
  };
  return climb(leaf, []) ?? miss;
}
