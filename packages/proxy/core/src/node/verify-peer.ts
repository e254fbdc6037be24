import { createHash, type X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { TlsParameters } from '@tulle/model';
import { parseSpiffeId, refusal, spiffeIdMatches, type PeerVerdict, type Refusal } from '@tulle/spiffe';
import { compileNames, namesOf, type CertificateName, type NamesTest } from './certificate-names.ts';

/** What TLS found out about the peer. */
export type Verdict =
  | PeerVerdict
  | {
      readonly ok: true;
      readonly spiffeId?: undefined;
      /** What it showed is not believed: nobody is told of it. */
      readonly unproven?: true;
    };

/** Who is believed at the other end, beside roots. */
export class ExpectedPeer {
  readonly #names: NamesTest | undefined;
  readonly #hashes: ReadonlySet<string>;
  readonly #keys: ReadonlySet<string>;
  /** False: the chain is not looked at. */
  readonly #chain: boolean;

  /** @throws TulleError `TULLE_CONFIG_INVALID` */
  constructor({ subjectAltNames, certificateHashes, publicKeyHashes }: TlsParameters, chain: boolean) {
    this.#names = subjectAltNames && compileNames(subjectAltNames);
    this.#hashes = new Set(certificateHashes);
    this.#keys = new Set(publicKeyHashes);
    this.#chain = chain;
  }

  /**
   * Chain and host name as Node checked them; a SPIFFE id counts when the certificate names exactly one.
   */
  verify(socket: TLSSocket, ids: readonly string[] | undefined): Verdict {
    const leaf = socket.getPeerX509Certificate();
    if (leaf === undefined) return refusal('no-certificate', 'the peer sent no certificate');
    const text = this.#chain ? faultOfChain(socket) : undefined;
    if (text !== undefined) {
      const expired = text.includes('EXPIRED') || text.includes('expired');
      return refusal(expired ? 'expired' : 'unknown-issuer', text);
    }
    const names = namesOf(leaf);
    const id = this.#chain ? spiffeIdOf(names) : undefined;
    if (ids !== undefined && (id === undefined || !ids.some((pattern) => spiffeIdMatches(id, pattern))))
      return refusal(
        'unexpected-identity',
        `the peer proved ${id ?? 'no SPIFFE id'}, expected ${ids.join(' or ')}`,
      );
    const fault = this.#faultOfNames(names) ?? this.#faultOfHashes(leaf);
    if (fault !== undefined) return fault;
    return id === undefined ? { ok: true } : ({ ok: true, spiffeId: id } as never);
  }

  #faultOfNames(names: readonly CertificateName[]): Refusal | undefined {
    if (this.#names === undefined || this.#names(names)) return undefined;
    const shown = JSON.stringify(names.slice(0, 8).map(([, name]) => name));
    return refusal(
      'unexpected-identity',
      `the peer's certificate has the names ${shown}, and none is among subjectAltNames`,
    );
  }

  #faultOfHashes(leaf: X509Certificate): Refusal | undefined {
    if (this.#hashes.size === 0 && this.#keys.size === 0) return undefined;
    // Not our own reader: without roots nobody vouched that this is a certificate that it reads.
    const fingerprint = createHash('sha256').update(leaf.raw).digest('hex');
    const spki = leaf.publicKey.export({ type: 'spki', format: 'der' });
    const key = createHash('sha256').update(spki).digest('base64');
    if (this.#hashes.has(fingerprint) || this.#keys.has(key)) return undefined;
    return refusal(
      'unexpected-identity',
      `the peer's certificate has the SHA-256 ${fingerprint}, its key ${key}, and neither is among those expected`,
    );
  }
}

/**
 * Why OpenSSL does not believe the peer's chain. Node tells it by `authorized` on sockets of `tls.connect`; on one that a
 * `TLSSocket` was put around by hand, as on accepted connections here, only the handle knows. Where that private call is
 * missing, nobody is believed.
 */
function faultOfChain(socket: TLSSocket): string | undefined {
  if (socket.authorized) return undefined;
  // The types say Error; it is the code as a string, and null where nothing was looked at.
  const error = socket.authorizationError as Error | string | null | undefined;
  if (error != null) return typeof error === 'string' ? error : error.message;
  const handle = (socket as { readonly _handle?: { verifyError?(): (Error & { code?: string }) | null } })
    ._handle;
  if (typeof handle?.verifyError !== 'function')
    return `Node ${process.versions.node} does not tell whether the chain was verified`;
  const fault = handle.verifyError();
  return fault == null ? undefined : (fault.code ?? fault.message);
}

function spiffeIdOf(names: readonly CertificateName[]): string | undefined {
  const [first, ...more] = names.filter(([type]) => type === 'uri');
  if (first === undefined || more.length > 0) return undefined;
  try {
    parseSpiffeId(first[1]);
    return first[1];
  } catch {
    return undefined;
  }
}
