import type { StringMatch } from './route.ts';

/**
 * Where a certificate with its key comes from.
 * - `workload`: the process's own SVID, renewed in place (what a mesh uses; SDS name `default` on the wire). Where the process
 *   serves several workloads, `identity` says whose, by its SPIFFE id; never sent by a control plane.
 * - `files`: PEM files, watched for changes.
 * - `inline`: PEM text. Redacted in every dump.
 */
export type CertificateSource =
  | { readonly kind: 'workload'; readonly identity?: string }
  | {
      readonly kind: 'files';
      readonly certificateFile: string;
      readonly keyFile: string;
      readonly keyPassword?: Password;
    }
  | {
      readonly kind: 'inline';
      readonly certificatePem: string;
      readonly keyPem: string;
      readonly keyPassword?: Password;
    };

/** What a key is encrypted with, here or in a file, whose every octet counts (Envoy `TlsCertificate.password`). Redacted in every dump. */
export type Password = { readonly file: string } | { readonly password: string };

/**
 * Which roots are believed.
 * - `mesh`: the bundles of the identity source; a peer's chain must end in a root of its *own* trust domain (D14).
 * - `files` / `inline`: the given roots, for any peer name; with a `crl`, which must cover every CA of a chain, nobody who
 *   is on it (Envoy `CertificateValidationContext.crl`).
 * - `system`: the roots that Node ships; for external services.
 * - `none`: whoever answers is believed, so that the connection is encrypted and not authenticated: anybody on the way can
 *   read and change it. Only towards endpoints (Envoy's `UpstreamTlsContext` without a `validation_context`).
 */
export type TrustSource =
  | { readonly kind: 'mesh' }
  | { readonly kind: 'files'; readonly caFile: string; readonly crl?: PemSource }
  | { readonly kind: 'inline'; readonly caPem: string; readonly crl?: PemSource }
  | { readonly kind: 'system' }
  | { readonly kind: 'none' };

/** PEM text, here or in a file that is watched for changes. */
export type PemSource = { readonly file: string } | { readonly pem: string };

/**
 * A condition on one of the names in a certificate (Envoy `SubjectAltNameMatcher`). A `dns` name compared by `exact` may
 * be a wildcard in the certificate (RFC 6125 §6.4.3), and no letter case counts; an `ip` is compared as text.
 */
export interface SubjectAltNameMatch {
  readonly type: 'dns' | 'uri' | 'email' | 'ip';
  readonly match: StringMatch;
}

/** What both sides of TLS may be told; none of it is for mesh trust, which is TLS 1.3 with SPIFFE ids and no more. */
export interface TlsParameters {
  /**
   * Names in the peer's certificate, one of which must match one of these; absent: see `allowedIds`, `verifyName`.
   */
  readonly subjectAltNames?: readonly SubjectAltNameMatch[];
  /**
   * SHA-256 of the peer's certificate, 64 hexadecimal digits each; with {@link publicKeyHashes} one of both lists must
   * match (Envoy `verify_certificate_hash`).
   */
  readonly certificateHashes?: readonly string[];
  /** SHA-256 of the public key of the peer's certificate (its SPKI), base64 (Envoy `verify_certificate_spki`). */
  readonly publicKeyHashes?: readonly string[];
  /** ALPN protocols, preferred first. Default: what is spoken there. */
  readonly alpn?: readonly string[];
  /** Lowest version. Default `TLSv1.3`; `TLSv1.2` for edges that must. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** Highest version. Default `TLSv1.3`. */
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** Cipher suites of TLS 1.2 by OpenSSL's names, preferred first. Default: Node's. Those of TLS 1.3 are not chosen. */
  readonly cipherSuites?: readonly string[];
  /** Groups for the key exchange, preferred first, e.g. `['X25519', 'P-256']`. Default: OpenSSL's. */
  readonly curves?: readonly string[];
  /** Signature schemes by their TLS names, preferred first, e.g. `['ecdsa_secp256r1_sha256']`. Default: OpenSSL's. */
  readonly signatureAlgorithms?: readonly string[];
}

/** TLS towards callers. */
export interface DownstreamTls extends TlsParameters {
  readonly certificate: CertificateSource;
  /**
   * Further certificates. A caller is shown the first that has the server name it asks for, exactly or by a wildcard; without
   * one, `certificate`. Where they are all for the same names, or a caller asks for none, it is shown one whose kind of key
   * it can check (Envoy `tls_certificates`). Not with a `workload` certificate.
   */
  readonly moreCertificates?: readonly CertificateSource[];
  /** Absent: client certificates are not asked for. */
  readonly trust?: Exclude<TrustSource, { readonly kind: 'none' }>;
  /**
   * `require`: no byte of a request is believed before the peer proved an identity that `trust` accepts.
   * `accept`: verified when shown. `any`: asked for, and who shows none, or one that is not believed, is served as somebody
   * who proves nothing (Envoy `ACCEPT_UNTRUSTED`; not with `mesh` trust). `none`: not asked. Default `require` when `trust` is
   * given, else `none`.
   */
  readonly clientCertificate?: 'require' | 'accept' | 'any' | 'none';
  /** SPIFFE ids (exact, or ending in `/*`) that may connect at all; absent: any that verifies. */
  readonly allowedIds?: readonly string[];
  /** Whether callers must say a server name. Default false (Envoy `require_sni`). */
  readonly requireServerName?: boolean;
  /** Whether callers choose among `cipherSuites` by what they prefer, and not this proxy. Default false (Envoy `prefer_client_ciphers`). */
  readonly preferClientCiphers?: boolean;
  /** Whether sessions may be resumed by tickets. Default true (Envoy `disable_stateless_session_resumption` for false). */
  readonly sessionTickets?: boolean;
  /**
   * What session tickets are made with, so that proxies with the same key, and a proxy that is started again, resume each other's
   * sessions. Default: a key of each process, made anew with its certificates. Not with mesh trust (Envoy `session_ticket_keys`,
   * the first of them).
   */
  readonly sessionTicketKey?: TicketKey;
  /** How long a session may be resumed, whole seconds in milliseconds. Default 300,000, Node's (Envoy `session_timeout`, by default 2 h). */
  readonly sessionTimeoutMs?: number;
}

/** 80 bytes by chance, here or in a file that is watched for changes. Redacted in every dump. */
export type TicketKey = { readonly file: string } | { readonly keyBase64: string };

/** TLS towards endpoints. */
export interface UpstreamTls extends TlsParameters {
  /** What this proxy shows; absent: nothing (plain TLS). */
  readonly certificate?: CertificateSource;
  readonly trust: TrustSource;
  /** Server name sent. Default: none in a mesh, the host name for `system` trust. */
  readonly serverName?: string;
  /** Whether an endpoint's `hostname`, or the name by which DNS found it, stands in its place where there is one (Envoy `auto_host_sni`). Default false. */
  readonly serverNameFromHost?: boolean;
  /**
   * Whether the certificate must have the name that was asked for, or the address where none was. Default true where none
   * of `allowedIds`, `subjectAltNames` and hashes says who is expected. False believes whoever has a certificate of the
   * roots (an Envoy config without `match_typed_subject_alt_names`).
   */
  readonly verifyName?: boolean;
  /**
   * SPIFFE ids accepted of any endpoint of the cluster. An endpoint's own expected id (its metadata) narrows it.
   * Absent with `mesh` trust: the endpoint's expected id is required.
   */
  readonly allowedIds?: readonly string[];
  /**
   * Whether a new connection may resume a TLS session of an earlier one, which costs a tenth of a full handshake; the
   * peer's certificate is judged again either way. Default true (Envoy: `max_session_keys` 0 for false).
   */
  readonly sessionResumption?: boolean;
}
