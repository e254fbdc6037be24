/**
 * Where a certificate with its key comes from.
 * - `workload`: the process's own SVID, renewed in place (what a mesh uses; SDS name `default` on the wire).
 * - `files`: PEM files, watched for changes.
 * - `inline`: PEM text. Redacted in every dump.
 */
export type CertificateSource =
  | { readonly kind: 'workload' }
  | { readonly kind: 'files'; readonly certificateFile: string; readonly keyFile: string }
  | { readonly kind: 'inline'; readonly certificatePem: string; readonly keyPem: string };

/**
 * Which roots are believed.
 * - `mesh`: the bundles of the identity source; a peer's chain must end in a root of its *own* trust domain (D14).
 * - `files` / `inline`: the given roots, for any peer name.
 * - `system`: the roots that Node ships; for external services.
 */
export type TrustSource =
  | { readonly kind: 'mesh' }
  | { readonly kind: 'files'; readonly caFile: string }
  | { readonly kind: 'inline'; readonly caPem: string }
  | { readonly kind: 'system' };

/** TLS towards callers. */
export interface DownstreamTls {
  readonly certificate: CertificateSource;
  /** Absent: client certificates are not asked for. */
  readonly trust?: TrustSource;
  /**
   * `require`: no byte of a request is believed before the peer proved an identity that `trust` accepts.
   * `accept`: verified when shown. `none`: not asked. Default `require` when `trust` is given, else `none`.
   */
  readonly clientCertificate?: 'require' | 'accept' | 'none';
  /** SPIFFE ids (exact, or ending in `/*`) that may connect at all; absent: any that verifies. */
  readonly allowedIds?: readonly string[];
  /** ALPN protocols, preferred first. Default: what the chain's handler speaks, `['h2', 'http/1.1']` for `auto`. */
  readonly alpn?: readonly string[];
  /** Lowest version. Default `TLSv1.3`; `TLSv1.2` for edges that must. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
}

/** TLS towards endpoints. */
export interface UpstreamTls {
  /** What this proxy shows; absent: nothing (plain TLS). */
  readonly certificate?: CertificateSource;
  readonly trust: TrustSource;
  /** Server name sent. Default: none in a mesh, the host name for `system` trust. */
  readonly serverName?: string;
  /**
   * SPIFFE ids accepted of any endpoint of the cluster. An endpoint's own expected id (its metadata) narrows it.
   * Absent with `mesh` trust: the endpoint's expected id is required.
   */
  readonly allowedIds?: readonly string[];
  /** ALPN protocols, preferred first. Default: by the cluster's `pool.protocol`; none for `http1`. */
  readonly alpn?: readonly string[];
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
  /**
   * Whether a new connection may resume a TLS session of an earlier one, which costs a tenth of a full handshake; the
   * peer's certificate is judged again either way. Default true (Envoy: `max_session_keys` 0 for false).
   */
  readonly sessionResumption?: boolean;
}
