/**
 * Why a peer was not believed: one word a log line and a metric label can carry. A closed set, so a metric by reason
 * is bounded.
 */
export const refusalReasons = [
  'plaintext',
  'old-tls',
  'handshake-failed',
  'no-identity',
  'no-certificate',
  'bad-certificate',
  'no-uri-san',
  'many-uri-sans',
  'bad-spiffe-id',
  'ca-leaf',
  'wrong-usage',
  'wrong-trust-domain',
  'unknown-issuer',
  'constrained-issuer',
  'expired',
  'not-yet-valid',
  'unexpected-identity',
] as const;

export type RefusalReason = (typeof refusalReasons)[number];

/** What each reason means and what to do, for the operator who reads it in a log. */
export const refusalHints: Readonly<Record<RefusalReason, string>> = {
  plaintext:
    'the peer spoke plain text to a port that takes mutual TLS only; send it through a sidecar, or make the port permissive while migrating',
  'old-tls': 'the peer offered TLS 1.2 or older; proxies of the mesh speak TLS 1.3 only',
  'handshake-failed': 'the TLS handshake failed before the peer proved who it is',
  'no-identity': 'this proxy has no certificate yet; check its join token and its connection to the CA',
  'no-certificate': 'the peer sent no certificate; only members of the mesh may connect',
  'bad-certificate':
    'the certificate is malformed, weakly signed, or has a critical extension that is not understood',
  'no-uri-san': 'the certificate names no SPIFFE ID (it has no URI in its subject alternative name)',
  'many-uri-sans':
    'the certificate has more than one URI in its subject alternative name; an SVID has exactly one',
  'bad-spiffe-id': 'the URI in the certificate is not a SPIFFE ID of a workload',
  'ca-leaf': 'the peer presented a CA certificate as its own; an SVID must not be able to sign',
  'wrong-usage': 'the key usages do not allow the certificate to be used for this side of TLS',
  'wrong-trust-domain':
    "there is no trust bundle for the peer's trust domain; federate with it, or join the peer to this mesh",
  'unknown-issuer':
    "the chain does not reach a root of the peer's own trust domain; a foreign CA, or a bundle that is out of date",
  'constrained-issuer':
    'a CA in the chain is not allowed to issue this certificate (path length, key usage or name constraints)',
  expired:
    'the certificate, or a CA above it, has expired; look at the clock and at the connection to the CA',
  'not-yet-valid': 'the certificate, or a CA above it, is not valid yet; look at the clocks of both machines',
  'unexpected-identity': 'the peer proved an identity, but not the one that was expected at this address',
};

/** The certificate as the peer claims it; `spiffeId` only where it could be read, and never to be trusted. */
export interface Refusal {
  readonly ok: false;
  readonly reason: RefusalReason;
  /** A sentence with the offending value. Values that come from the peer are quoted as JSON, so they cannot forge a log line. */
  readonly detail: string;
  readonly claimedSpiffeId: string | undefined;
}

export function refusal(reason: RefusalReason, detail: string, claimedSpiffeId?: string): Refusal {
  return { ok: false, reason, detail, claimedSpiffeId };
}

/** A peer's text for a log: quoted and cut. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}

const plaintextCodes = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_HTTPS_PROXY_REQUEST',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_RECORD_LAYER_FAILURE',
  'ERR_SSL_BAD_RECORD_TYPE',
]);
const oldTlsCodes = new Set([
  'ERR_SSL_UNSUPPORTED_PROTOCOL',
  'ERR_SSL_VERSION_TOO_LOW',
  'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
]);

/** The reason of an error that a TLS socket reported before its handshake was done. */
export function refusalOfError(error: Error): Refusal {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const reason = plaintextCodes.has(code)
    ? 'plaintext'
    : oldTlsCodes.has(code)
      ? 'old-tls'
      : 'handshake-failed';
  return refusal(reason, code === '' ? error.message : code);
}

/** Whether the first bytes of a connection can be a TLS ClientHello: record type handshake, major version 3 (RFC 8446 §5.1). */
export function looksLikeTls(firstBytes: Uint8Array): boolean {
  return firstBytes[0] === 0x16 && (firstBytes.length < 2 || firstBytes[1] === 0x03);
}
