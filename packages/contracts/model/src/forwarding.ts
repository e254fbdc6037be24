/** What is believed of fields by which a request says where it came from (Envoy HttpConnectionManager). */
export interface Forwarding {
  /**
   * Who called: the `peer` of the connection, which is added to `x-forwarded-for` (Envoy `use_remote_address`), or whom that
   * `header` names, which stays as it is. With `peer` requests from outside lose the fields that control proxies (`x-envoy-…`).
   */
  readonly client: 'peer' | 'header';
  /** Proxies before this one that are trusted: so many addresses of `x-forwarded-for`, from its end, are theirs. Default 0. */
  readonly trustedHops?: number;
  /** With `peer`, whether it is added to `x-forwarded-for`. Default true (Envoy `skip_xff_append`). */
  readonly append?: boolean;
  /** Whether `x-forwarded-port` says the listener's port. Default false. */
  readonly port?: boolean;
  /**
   * `x-forwarded-client-cert`: removed (default), left as it is where the caller proved who it is (`forward`), added to
   * (`append`) or replaced by what it proved (`replace`), or left whoever calls (`always-forward`).
   */
  readonly clientCertificate?: 'sanitize' | 'forward' | 'append' | 'replace' | 'always-forward';
  /** What is said there besides the certificate's hash, of its subject, names, and itself. Default none. */
  readonly certificateParts?: readonly CertificatePart[];
  /** Networks whose requests are internal, so that they may control the proxy. Default: none, as of Envoy 1.33. */
  readonly internalCidrs?: readonly string[];
  /**
   * Scheme of every request, whatever it or its connection says; `x-forwarded-proto` says it too (Envoy
   * `scheme_header_transformation.scheme_to_overwrite`), for a proxy before which TLS ends. Default: as is said, or as it came.
   */
  readonly scheme?: 'http' | 'https';
  /**
   * Who this proxy is, as it tells endpoints: in `x-envoy-downstream-service-cluster` and `-node`, in place of what requests say, and as
   * the `user-agent` of those that have none (Envoy `add_user_agent`). Default: it tells nobody.
   */
  readonly node?: { readonly cluster: string; readonly id: string };
  /**
   * With `header`, in place of `trustedHops`: where the caller's address is looked for, one place after the other until one has it; else
   * it is the peer's (Envoy `original_ip_detection_extensions`). Default: `trustedHops` of `x-forwarded-for`.
   */
  readonly detection?: readonly CallerDetection[];
}

/**
 * A place where the address of a caller is looked for.
 *
 * - `forwarded-for`: in `x-forwarded-for`, from its end: behind as many addresses as `trustedHops` (default 0), or, where the peer is in
 *   one of `trustedCidrs`, the first that is in none, or else the farthest; nothing, where what is no address comes before it. With `append` the peer is added to it, also
 *   where nothing is found; default false (Envoy `XffConfig`).
 * - `header`: what the field `name` (lower case) says, which has to be an address and nothing else. `internal`: whether an address that is
 *   in {@link Forwarding.internalCidrs} makes the request internal; default false. Without an address requests are refused with
 *   `refuseStatus`, 400 to 511; default: it is looked for elsewhere (Envoy `CustomHeaderConfig`).
 */
export type CallerDetection =
  | {
      readonly kind: 'forwarded-for';
      readonly trustedHops?: number;
      readonly trustedCidrs?: readonly string[];
      readonly append?: boolean;
    }
  | {
      readonly kind: 'header';
      readonly name: string;
      readonly internal?: boolean;
      readonly refuseStatus?: number;
    };

export type CertificatePart = 'subject' | 'cert' | 'chain' | 'dns' | 'uri';
