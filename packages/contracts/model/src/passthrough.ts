/**
 * A listener of the same process is told with each connection what was put down for it as filter state, and some metadata; streams of
 * HTTP there see the former, connections of bytes both (Envoy `InternalUpstreamTransport`). Connections are shared only by requests
 * for which the same goes along.
 */
export interface Passthrough {
  /** One after the other; of several with the same namespace the last that is there holds. Default none. */
  readonly metadata?: readonly PassthroughSource[];
}

/** Values of a namespace: the endpoint's own, or the cluster's, which are here. */
export type PassthroughSource =
  | { readonly from: 'endpoint'; readonly namespace: string }
  | {
      readonly from: 'cluster';
      readonly namespace: string;
      readonly values: Readonly<Record<string, unknown>>;
    };
