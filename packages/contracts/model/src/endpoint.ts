import type { Address, InternalAddress, TcpAddress } from './address.ts';

/** The endpoints of one `eds` cluster. Never replaced by an empty one because a source went away. */
export interface EndpointSet {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  readonly policy?: EndpointPolicy;
}

/** What holds for endpoints together (Envoy `ClusterLoadAssignment.Policy`). */
export interface EndpointPolicy {
  /**
   * Load goes on to the next priority, and to a degraded endpoint, as less than 100 / this of one may be picked; likewise
   * between localities that share by weight. At least 1. Default 140.
   */
  readonly overprovisioningPercent?: number;
  /** Whether endpoints count by their weights in that. Default false (Envoy `weighted_priority_health`). */
  readonly weightedHealth?: boolean;
  /**
   * Requests that are refused before an endpoint is chosen, one category after the other, each of what the ones before it let
   * pass (Envoy `drop_overloads`). They get 503 `TULLE_DROP_OVERLOAD`.
   */
  readonly drops?: readonly DropCategory[];
}

/** Some of the requests. */
export interface DropCategory {
  /** For metrics. */
  readonly category: string;
  /** Of a million requests. At most 1,000,000, which refuses all of them: `TULLE_DROP_ALL`. */
  readonly perMillion: number;
}

/** One instance that can be called. */
export interface Endpoint {
  readonly address: Address | InternalAddress;
  /**
   * Others at which it is the same instance, IP addresses: connections are to the first that answers, each tried as soon as one before it
   * fails or takes 300 ms (RFC 8305), in the order of {@link PoolOptions.addressOrder}. It is named, told apart and asked whether it is well by `address`
   * alone. Not with mode `hbone` (Envoy `Endpoint.additional_addresses`). Default none.
   */
  readonly additionalAddresses?: readonly TcpAddress[];
  /** Its own name, e.g. for health checks and hashing (Envoy `Endpoint.hostname`). Default: the name it was resolved from. */
  readonly hostname?: string;
  /** Share among its peers, >= 1. Default 1. */
  readonly weight?: number;
  /**
   * As the source says. `draining`: no new work, running work goes on. `degraded`: picked as far as those of every priority
   * that are healthy do not suffice; an HTTP health check that is answered with `x-envoy-degraded` says the same. Default
   * `healthy`.
   */
  readonly health?: 'healthy' | 'unhealthy' | 'draining' | 'degraded';
  readonly locality?: Locality;
  /**
   * Share of its locality among those of its priority, >= 1, the same for all endpoints of the two; used where the
   * cluster is `localityWeighted` (Envoy `LocalityLbEndpoints.load_balancing_weight`).
   */
  readonly localityWeight?: number;
  /**
   * 0 is used first; load goes on to the next as less of one may be picked than {@link EndpointPolicy} says. Default 0.
   */
  readonly priority?: number;
  /** SPIFFE id that the endpoint must prove when the cluster speaks mesh TLS (decision D13). */
  readonly identity?: string;
  /**
   * How it is reached: `sidecar` its proxy's inbound port over mutual TLS, `captured` likewise by capture, `none`
   * directly in plain text. With `none` the cluster's TLS is not used for this endpoint. `hbone`: by a tunnel, as `tunnel`
   * says; the cluster's TLS is that of the connection which carries it, and what goes through is plain text.
   */
  readonly mode?: 'sidecar' | 'captured' | 'none' | 'hbone';
  /** With mode `hbone`. Default: to {@link HBONE_PORT} of the endpoint's own address, with that as authority. */
  readonly tunnel?: HboneTunnel;
  /** Where and how it is asked whether it is well, in place of what holds for others (Envoy `HealthCheckConfig`). */
  readonly healthCheck?: {
    readonly port?: number;
    /** IP address that is asked. */
    readonly host?: string;
    /** Host of the request, or authority of the call. */
    readonly hostname?: string;
    /** It is not asked, and counts as well. Default false. */
    readonly disabled?: boolean;
  };
  /** By which one of the cluster's `tlsMatches` is chosen (Envoy metadata `envoy.transport_socket_match`). */
  readonly tlsLabels?: Readonly<Record<string, string>>;
  /** E.g. `{ service: 'reviews', version: 'v2', workload: 'reviews-v2', namespace: 'default' }`. */
  readonly labels?: Readonly<Record<string, string>>;
  /**
   * Of a listener of the same process alone: JSON values by namespace, which it is told as far as the cluster's {@link Passthrough}
   * says (Envoy `LbEndpoint.metadata`). Default none.
   */
  readonly metadata?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** A tunnel by HTTP/2 CONNECT over mutual TLS (HBONE, as Istio's ambient mode speaks it). */
export interface HboneTunnel {
  /** Where CONNECT is taken: a node proxy or a waypoint, which proves the endpoint's `identity`. */
  readonly address?: TcpAddress;
  /** `:authority` of CONNECT, with a port (RFC 9113 §8.5). Default: the endpoint's address. */
  readonly authority?: string;
}

/** Where something runs (Envoy `config.core.v3.Locality`). */
export interface Locality {
  readonly region: string;
  readonly zone?: string;
  readonly subZone?: string;
}
