/** Where a client gets the certificate of its workload from. Its key never crosses the network (decision D14). */
export type WorkloadCertificate =
  /** From its own identity client: SDS name `default`, which this server does not answer. Tulle's data plane. */
  | { readonly kind: 'own' }
  /** From a local agent: SDS name `default` of a cluster in the client's bootstrap, e.g. a Unix socket. */
  | { readonly kind: 'sds'; readonly cluster: string }
  /** From PEM files on its machine. */
  | { readonly kind: 'files'; readonly certificateFile: string; readonly keyFile: string }
  /** It has none: TLS to endpoints shows nothing, and a listener that needs one is refused by the client. */
  | { readonly kind: 'none' };

/**
 * As what the configs of standard filters travel: as Envoy's types wherever these say exactly the same, or as TypedStruct, but
 * for faults and header edits, which a data plane of the release before reads (decision D17).
 */
export type StandardFilterForm = 'envoy' | 'typed-struct';

/** In which form resources are written. */
export interface EncodeForm {
  readonly workloadCertificate: WorkloadCertificate;
  readonly standardFilters: StandardFilterForm;
}

/** As Tulle's data plane reads them. */
export const OWN_FORM: EncodeForm = { workloadCertificate: { kind: 'own' }, standardFilters: 'envoy' };

/** As Tulle's data plane of the release before reads them. */
export const OLDER_OWN_FORM: EncodeForm = { ...OWN_FORM, standardFilters: 'typed-struct' };
