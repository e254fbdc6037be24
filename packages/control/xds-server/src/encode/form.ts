/** Where a client gets the certificate of its workload from. Its key never crosses the network (decision D14). */
export type WorkloadCertificate =
  /** From its own identity client: SDS name `default`, which this server does not answer. Tulle's data plane. */
  | { readonly kind: 'own' }
  /** From a local agent: SDS name `default` of a cluster in the client's bootstrap, e.g. a Unix socket. */
  | {
      readonly kind: 'sds';
      readonly cluster: string;
      /** The agent serves the mesh's roots too, as `ROOTCA`: a change of roots then waits for this client, by way of the agent. */
      readonly roots: boolean;
    }
  /** From PEM files on its machine. */
  | { readonly kind: 'files'; readonly certificateFile: string; readonly keyFile: string }
  /** From an instance of a certificate provider in the bootstrap of a gRPC program (gRFC A29), which has the roots too. */
  | { readonly kind: 'provider'; readonly name: string }
  /** It has none: TLS to endpoints shows nothing, and a listener that needs one is refused by the client. */
  | { readonly kind: 'none' };

/**
 * Which release's fields a client reads (decision D17). One of the release before gets standard filters as TypedStruct, but for
 * faults and header edits, and no field that is new to it where that says what it does anyway; any other new field is sent,
 * and refused by it by name.
 */
export type ClientRelease = 'this' | 'before';

/** What a client reports beside its own statistics, where it has no flags of its own for that. */
export interface ClientTelemetry {
  /** Path on its machine: a line of JSON a request or connection. */
  readonly accessLogFile?: string;
  readonly tracing?: ClientTracing;
}

/** Spans to a collector of OpenTelemetry (OTLP/HTTP). */
export interface ClientTracing {
  /** Cluster of the client's bootstrap. */
  readonly cluster: string;
  /** Of the collector's traces, e.g. `http://127.0.0.1:4318/v1/traces`. */
  readonly url: string;
  /** `service.name`. */
  readonly serviceName: string;
  /** Share of the traces begun there, 0 to 1; in others the parent's decision holds. */
  readonly ratio: number;
}

/** In which form resources are written. */
export interface EncodeForm {
  /** `grpc`: a program that is its own proxy by gRPC's xDS, which reads less, and some of it elsewhere. Default `proxy`. */
  readonly seat?: 'proxy' | 'grpc';
  readonly workloadCertificate: WorkloadCertificate;
  readonly release: ClientRelease;
  /**
   * What a client that is not Tulle's sends again on its way to others where no route says: what Tulle's chains do by default;
   * absent nothing.
   */
  readonly retries?: 'default';
  /** Absent: nothing. Tulle's data plane has flags for it. */
  readonly telemetry?: ClientTelemetry;
}

/** As Tulle's data plane reads them. */
export const OWN_FORM: EncodeForm = { workloadCertificate: { kind: 'own' }, release: 'this' };

/** As Tulle's data plane of the release before reads them. */
export const OLDER_OWN_FORM: EncodeForm = { ...OWN_FORM, release: 'before' };
