import type { ClusterRetry } from './cluster-policies.ts';
import type { Mirror } from './mirror.ts';
import type { HashPolicy } from './route.ts';
import type { ChoiceCondition } from './route-choice.ts';
import type { TcpAddress } from './address.ts';
import type {
  BalancePolicy,
  HostOverride,
  MetadataPlace,
  SubsetRules,
  ZoneRouting,
} from './balance-policy.ts';
import type { Endpoint, EndpointPolicy } from './endpoint.ts';
import type { HealthCheck } from './health-check.ts';
import type { Http2Options } from './http2.ts';
import type { Passthrough } from './passthrough.ts';
import type { UpstreamTls } from './tls.ts';

/** A group of endpoints that serve the same thing. Names follow D15: `direction|port|subset|host`. */
export interface Cluster {
  readonly name: string;
  /** What statistics and access logs call it (Envoy `alt_stat_name`); of several with one such name they tell together. Default its name. */
  readonly statName?: string;
  /** Where its endpoints come from. */
  readonly discovery: ClusterDiscovery;
  /** Default `{ policy: 'peak-ewma' }` for HTTP, least request where latency means nothing. */
  readonly balance?: BalancePolicy;
  /** Default 5,000 (Envoy `Cluster.connect_timeout`); covers TCP and TLS handshake. */
  readonly connectTimeoutMs?: number;
  readonly limits?: CircuitLimits;
  /**
   * Bounds for requests of routes with `circuitPriority: 'high'`, which count apart (Envoy `CircuitBreakers.thresholds` of
   * priority HIGH). Connections are shared by both. What is absent has the defaults of `limits`.
   */
  readonly highLimits?: Omit<CircuitLimits, 'retryBudget' | 'maxConnectionsPerEndpoint'>;
  /**
   * Where fewer endpoints of a priority may be picked than this, percent, and no other priority can take the load, health
   * is not believed and all are picked from. 0: never. Default 50 (Envoy `common_lb_config.healthy_panic_threshold`).
   */
  readonly panicThresholdPercent?: number;
  /** Whether nothing is picked in panic, instead of anything. Default false (Envoy `fail_traffic_on_panic`). */
  readonly failOnPanic?: boolean;
  /** Absent: no request says where it goes. Not where endpoints are other clusters', or made as they are asked for. */
  readonly hostOverride?: HostOverride;
  /** Absent: what labels routes ask for makes no difference. */
  readonly subsets?: SubsetRules;
  /** Localities share by `Endpoint.localityWeight` (Envoy `common_lb_config.locality_weighted_lb_config`). Default false. */
  readonly localityWeighted?: boolean;
  /** Absent: where callers are makes no difference. Not beside `localityWeighted`. */
  readonly zoneRouting?: ZoneRouting;
  /** Absent: endpoints are not asked; what their source says holds, and what requests meet. */
  readonly healthCheck?: HealthCheck;
  /**
   * Others that are made as well: an endpoint is well that passes all of them (Envoy `Cluster.health_checks`). Each of them has a
   * name of its own then, the first as well. Default none.
   */
  readonly moreHealthChecks?: readonly HealthCheck[];
  /** Absent: no ejection. */
  readonly outlier?: OutlierDetection;
  /** Absent: plain text. */
  readonly tls?: UpstreamTls;
  /**
   * Other TLS for endpoints with certain `tlsLabels`: the first whose labels an endpoint has all, else `tls` (Envoy
   * `transport_socket_matches`).
   */
  readonly tlsMatches?: readonly TlsMatch[];
  /**
   * Requests say the server name for TLS, in place of `tls.serverName`: by their host, or by a header where they have it (Envoy
   * `auto_sni`, `override_auto_sni_header`). `verified`: the certificate must have it, and no other name that `tls` expects
   * (`auto_san_validation`); default false. Connections are shared only by requests with the same name. Not for mesh trust.
   */
  readonly serverNameFrom?: { readonly header?: string; readonly verified?: boolean };
  /**
   * What requests have in common that go to the same endpoint, where `balance` goes by hashes; in place of what their routes say (Envoy
   * `HttpProtocolOptions.hash_policy` and `ConsistentHashingLbConfig.hash_policy`). Default: as the route says.
   */
  readonly hashPolicy?: readonly HashPolicy[];
  /** Default: as the route says. */
  readonly retry?: ClusterRetry;
  /**
   * Where copies of its requests go, in place of where their routes say (Envoy `HttpProtocolOptions.request_mirror_policies`). Copies
   * themselves are not copied again. Default: as the route says.
   */
  readonly mirrors?: readonly Mirror[];
  /**
   * Which answers `outlier` takes for failures: these, whatever their status, and no others (Envoy
   * `HttpProtocolOptions.outlier_detection.error_matcher`), by the fields of their heads and `:status`. Default: those with a 5xx, or a gRPC status that stands for one.
   */
  readonly failedAnswers?: ChoiceCondition;
  /**
   * Connections begin with a header of the PROXY protocol of that version, before TLS, which says who called (Envoy
   * `ProxyProtocolUpstreamTransport`): only requests of one connection share some. Health checks say that the proxy itself calls.
   * Not to endpoints with mode `none` or `hbone`. Absent: they do not.
   */
  readonly proxyProtocol?: ProxyProtocolVersion;
  /** What else {@link proxyProtocol} says. */
  readonly proxyHeader?: ProxyHeaderOptions;
  /** What endpoints are told that are listeners of this process. Absent: nothing. Not with mode `none` or `hbone`. */
  readonly passthrough?: Passthrough;
  readonly pool?: PoolOptions;
  /** Labels of the called service for metrics and records; an endpoint's own labels win. */
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * - `static`: the endpoints are here.
 * - `eds`: an `EndpointSet` of the given name (default: the cluster's) follows over discovery.
 * - `dns`: names among the endpoints are resolved again every `refreshMs` (default 5,000, Envoy `dns_refresh_rate`);
 *   `all` uses every address (Envoy STRICT_DNS), `first` is one endpoint that has all of them (LOGICAL_DNS, {@link Endpoint.additionalAddresses}). `family` says which addresses of a
 *   name are used, by default all (Envoy `dns_lookup_family` ALL). `respectTtl`: as long as DNS says that they hold instead
 *   of every `refreshMs`, where it says so (Envoy `respect_dns_ttl`). `failureRefresh`: how soon a name is asked for again
 *   that could not be resolved; by default after `refreshMs`. `jitterMs`: up to this is added at random to the wait after a name was
 *   found (Envoy `dns_jitter`); default 0.
 * - `aggregate`: the endpoints of other clusters, the priorities of the second behind those of the first, and so on: load goes
 *   on as less of one may be picked. They are reached, balanced, limited in connections and checked as their own cluster says;
 *   requests and retries are counted here (Envoy `extensions.clusters.aggregate.v3`).
 */
export type ClusterDiscovery =
  | {
      readonly kind: 'static';
      readonly endpoints: readonly Endpoint[];
      readonly policy?: EndpointPolicy;
    }
  | { readonly kind: 'eds'; readonly serviceName?: string }
  | {
      readonly kind: 'dns';
      readonly endpoints: readonly Endpoint[];
      readonly policy?: EndpointPolicy;
      readonly use: 'all' | 'first';
      readonly refreshMs?: number;
      readonly family?: AddressFamily;
      readonly respectTtl?: boolean;
      readonly jitterMs?: number;
      readonly failureRefresh?: RefreshBackoff;
    }
  | { readonly kind: 'aggregate'; readonly clusters: readonly string[] }
  | ForwardProxyDiscovery
  | OriginalDstDiscovery;

/**
 * Requests go to the host that they name (Envoy `extensions.clusters.dynamic_forward_proxy.v3`), by port 443 where the
 * cluster speaks TLS and else 80 unless they say another. Its name is looked up when it is first asked for, which the request
 * waits for, and again as long as it is used; over TLS it is the server name, and must be in the certificate.
 *
 * Whoever can choose the host of a request can reach whatever the proxy can reach, its own network included: bound what may
 * be asked for by the domains of virtual hosts, or by authorization.
 */
export interface ForwardProxyDiscovery {
  readonly kind: 'forward-proxy';
  /** Default all. */
  readonly family?: AddressFamily;
  /** How often names in use are looked up again. Default 60,000 (Envoy `dns_refresh_rate`). */
  readonly refreshMs?: number;
  /** How soon a name that could not be resolved is looked up again. Default from 2,000 to 10,000. */
  readonly failureRefresh?: RefreshBackoff;
  /** A look-up that takes longer has failed. Default 5,000 (Envoy `dns_query_timeout`). */
  readonly queryTimeoutMs?: number;
  /** How long a host that nobody asks for is kept. Default 300,000 (Envoy `host_ttl`). */
  readonly hostTtlMs?: number;
  /** Hosts kept at a time; requests for others are refused. Default 1,024 (Envoy `max_hosts`). */
  readonly maxHosts?: number;
  /** Requests that wait for look-ups at a time; others are refused. Default 1,024 (Envoy `dns_cache_circuit_breaker`). */
  readonly maxPendingRequests?: number;
  /** Hosts that are looked up before anybody asks. */
  readonly preresolve?: readonly TcpAddress[];
}

/**
 * Connections go where they were going before they were led here: to the address that a listener filter restored, or with
 * `metadata` or `header` to the one that is said there, an IP address with a port (Envoy ORIGINAL_DST). Who may say it reaches
 * whatever the proxy can reach. What is no such address leads nowhere.
 */
export interface OriginalDstDiscovery {
  readonly kind: 'original-dst';
  /**
   * Among what filters found out of the request, else of its connection: a text, or a list that begins with one. Goes before `header`, which
   * is asked where there is none, or none that is an address (Envoy `metadata_key`).
   */
  readonly metadata?: MetadataPlace;
  /** Lower case, e.g. `x-envoy-original-dst-host`; a request without it goes where its connection was going. */
  readonly header?: string;
  /** In place of the port. */
  readonly port?: number;
  /** How often endpoints are dropped that nobody used since. Default 5,000 (Envoy `cleanup_interval`). */
  readonly cleanupMs?: number;
  /** Endpoints kept at a time; requests for others are refused. Default 4,096. */
  readonly maxHosts?: number;
}

/**
 * Which addresses of a name are used: only those of IPv4 or IPv6; or those of one family, and of the other where there are
 * none (Envoy `DnsLookupFamily` V4_PREFERRED, AUTO).
 */
export type AddressFamily = 'v4' | 'v6' | 'v4-first' | 'v6-first';

/** Waits that double from `baseMs` to `maxMs`, cut at random (Envoy `Cluster.RefreshRate`). */
export interface RefreshBackoff {
  readonly baseMs: number;
  /** Default ten times `baseMs`. */
  readonly maxMs?: number;
}

/** How endpoints with certain labels are spoken to. */
export interface TlsMatch {
  readonly name: string;
  /** Empty: every endpoint. */
  readonly labels: Readonly<Record<string, string>>;
  /** Absent: plain text. */
  readonly tls?: UpstreamTls;
  /** Likewise {@link Cluster.proxyProtocol}, in place of the cluster's. */
  readonly proxyProtocol?: ProxyProtocolVersion;
  /** Likewise {@link Cluster.proxyHeader}. */
  readonly proxyHeader?: ProxyHeaderOptions;
  /** Likewise {@link Cluster.passthrough}. */
  readonly passthrough?: Passthrough;
}

export type ProxyProtocolVersion = 1 | 2;

/** What a header of the PROXY protocol says beyond the addresses; fields are of version 2 alone. */
export interface ProxyHeaderOptions {
  /** Types of the caller's fields that go along, of those that its listener passes (Envoy `pass_through_tlvs`). Default none. */
  readonly passes?: 'all' | readonly number[];
  /** Fields before those, and in place of those of the same type (Envoy `added_tlvs`). Default none. */
  readonly adds?: readonly ProxyTlv[];
  /**
   * A caller that has no address, e.g. of a Unix socket, is said to be one without (`AF_UNSPEC`), with its fields (Envoy
   * `allow_unspecified_address`). Default false: as if the proxy itself called.
   */
  readonly unaddressed?: boolean;
}

/** A field of the PROXY protocol. */
export interface ProxyTlv {
  /** 0–255. */
  readonly type: number;
  readonly valueBase64: string;
}

/** Bounds of one cluster in one proxy (Envoy `CircuitBreakers`, defaults as there). Reaching one gives 503 `UO`. */
export interface CircuitLimits {
  /** Open connections. Default 1,024. */
  readonly maxConnections?: number;
  /** Requests that wait for a connection. Default 1,024. */
  readonly maxPendingRequests?: number;
  /** Requests under way. Default 1,024. */
  readonly maxRequests?: number;
  /** Connections to one endpoint, but always one. Default: no bound but the others (Envoy `per_host_thresholds`). */
  readonly maxConnectionsPerEndpoint?: number;
  /** Retries by a share of the requests of a window: what holds unless one of the two below is given. */
  readonly retryBudget?: RetryBudget;
  /** Retries under way at a time, those that wait to be made included (Envoy `max_retries`). Beside no `retryBudget`. */
  readonly maxRetries?: number;
  /** Likewise, as a share of the requests under way, in place of a number (Envoy `Thresholds.RetryBudget`). */
  readonly retryConcurrency?: {
    /** Default 20. */
    readonly percent?: number;
    /** As many are allowed in any case. Default 3. */
    readonly least?: number;
    /**
     * The share is of what was sent in this time instead, retries among it (Envoy `budget_interval`). Default 0: of the requests under
     * way.
     */
    readonly intervalMs?: number;
  };
  /** Whether Envoy's statistics say how much is left of each number (Envoy `track_remaining`). Default false. */
  readonly trackRemaining?: boolean;
}

/**
 * Share of requests that may be retries (Gateway API `BackendTrafficPolicy.retryConstraint`, Linkerd's budget).
 * Past it a failure is delivered and counted.
 */
export interface RetryBudget {
  /** Default 20. */
  readonly percent?: number;
  /** Retries a second that are always allowed. Default 10. */
  readonly minPerSecond?: number;
  /** Window in which requests are counted. Default 10,000. */
  readonly intervalMs?: number;
}

/**
 * Ejects endpoints that fail (Envoy `OutlierDetection`; our defaults from defaults.md). A failure is an answer with a 5xx, a
 * gRPC status that stands for one, or a local one: no connection, no answer in time, a reset.
 */
export interface OutlierDetection {
  /** Failures in a row. Default 5; 0 switches it off. */
  readonly consecutiveFailures?: number;
  /** Chance, percent, that an endpoint is ejected which this rule finds. Default 100 (Envoy `enforcing_consecutive_5xx`). */
  readonly consecutiveFailuresEnforcedPercent?: number;
  /** 502, 503, 504 and local failures in a row. Absent: off. */
  readonly gatewayFailures?: ConsecutiveRule;
  /**
   * Whether local failures count apart, by `localFailures` and the local halves of the rules below, and not as failures of
   * the rules above (Envoy `split_external_local_origin_errors`). Default false.
   */
  readonly splitLocalFailures?: boolean;
  /** Local failures in a row, where they count apart. Default 5 of them. */
  readonly localFailures?: ConsecutiveRule;
  /** Also by success rate over a window of the endpoint's own, percent; absent: off. */
  readonly successRate?: {
    readonly belowPercent: number;
    readonly windowMs: number;
    readonly minimumRequests: number;
  };
  /**
   * Every `intervalMs`, endpoints whose success rate since the last time lies more than `factor` standard deviations below the
   * mean. Absent: off.
   */
  readonly deviation?: ComparedRule & { readonly factor: number };
  /** Every `intervalMs`, endpoints of whose requests since the last time at least so many failed. Absent: off. */
  readonly failurePercentage?: ComparedRule & { readonly thresholdPercent: number };
  /** How often ejections are reconsidered, and endpoints compared. Default 10,000. */
  readonly intervalMs?: number;
  /** First ejection; multiplied by the number of ejections in a row. Default 30,000. */
  readonly baseEjectionMs?: number;
  /** Default 300,000. */
  readonly maxEjectionMs?: number;
  /** Added to each ejection: up to this, at random. Default 0. */
  readonly ejectionJitterMs?: number;
  /** Share of the cluster that may be out, but always one. Default 10. */
  readonly maxEjectionPercent?: number;
  /**
   * Whether an endpoint that passes its active health check is back at once (Envoy
   * `successful_active_health_check_uneject_host`). Default true.
   */
  readonly healthCheckReturns?: boolean;
  /**
   * File that gets a line of JSON for each ejection, each that chance spared an endpoint, and each return, in the form of Envoy's
   * `envoy.data.cluster.v3.OutlierDetectionEvent` (`cluster_manager.outlier_detection.event_log_path`). Of the proxy's own
   * machine: no control plane sends it. Default none.
   */
  readonly eventLog?: string;
}

/** So many in a row. */
export interface ConsecutiveRule {
  /** At least 1. */
  readonly count: number;
  /** Chance that an endpoint is ejected which the rule finds. Default 100. */
  readonly enforcedPercent?: number;
}

/** Compares endpoints that have had enough requests, where there are enough of them. */
export interface ComparedRule {
  readonly minimumEndpoints: number;
  readonly minimumRequests: number;
  /** Chance that an endpoint is ejected which the rule finds. Default 100. */
  readonly enforcedPercent?: number;
  /** Likewise of local failures, where they count apart. Default 100. */
  readonly localEnforcedPercent?: number;
}

/** How connections to endpoints are kept. */
export interface PoolOptions {
  /**
   * A pooled connection is retired after this idle time, before the peer's own timeout meets us half way. Learnt
   * lower from `Keep-Alive: timeout=` and from observed closes. Default 4,000: below the 5 s of Node, the shortest
   * common default; for HTTP/2, where the endpoint says that it goes away, 300,000.
   */
  readonly idleTimeoutMs?: number;
  /** Requests over one connection, 0 for no limit. Default 0. */
  readonly maxRequestsPerConnection?: number;
  /** Idle connections kept an endpoint. Default 64. */
  readonly maxIdlePerEndpoint?: number;
  /**
   * Protocol to the endpoints. `http2` in plain text with prior knowledge, over TLS by ALPN. `auto`: what ALPN chooses,
   * HTTP/2 preferred; in plain text `http1`. `downstream`: what the request came in, each over connections of its own; a gRPC
   * call goes on in HTTP/2 whatever brought it. Default `http1` (Envoy `explicit_http_config`, `auto_config`,
   * `use_downstream_protocol_config`).
   */
  readonly protocol?: 'http1' | 'http2' | 'auto' | 'downstream';
  /** For connections that speak HTTP/2. */
  readonly http2?: Http2Options;
  /** Whether only requests of one connection share connections. Default false (Envoy `connection_pool_per_downstream_connection`). */
  readonly perDownstreamConnection?: boolean;
  /**
   * Bytes queued towards one endpoint before reading from the caller stops (Envoy `per_connection_buffer_limit_bytes`, a soft
   * limit as there). Default: the proxy's `bufferLimitBytes`.
   */
  readonly bufferLimitBytes?: number;
  /** Absent: connections that say nothing for long are not asked whether they live. */
  readonly tcpKeepalive?: TcpKeepalive;
  /** Address of this machine that connections come from, without a port (Envoy `upstream_bind_config.source_address`). */
  readonly sourceAddress?: string;
  /** In which order the addresses of an endpoint that has several are tried. */
  readonly addressOrder?: AddressOrder;
  /**
   * Whether connections to all endpoints serve nothing new as soon as one comes or goes (Envoy `close_connections_on_host_set_change`): those at
   * rest are closed, others with what they carry. Connections of TCP listeners go on. Default false.
   */
  readonly drainsOnSetChange?: boolean;
  /**
   * Whether connections of bytes, of TCP listeners or CONNECT, are closed at once to an endpoint that fails its active health check or is ejected
   * (Envoy `close_connections_on_host_health_failure`). Those of HTTP serve nothing new then in any case. Default false.
   */
  readonly closesOnFailure?: boolean;
  /** Of which network connections are, and with what mark. Absent: the process's own, without. */
  readonly network?: NetworkOptions;
}

/** Families of addresses take turns (RFC 8305 §4; Envoy `HappyEyeballsConfig`). */
export interface AddressOrder {
  /** Which begins. Default: that of the endpoint's `address`. */
  readonly first?: 'v4' | 'v6';
  /** How many of that one come before each of the other. At least 1, the default. */
  readonly count?: number;
}

/** Where sockets towards endpoints are made, on Linux; the process must have what enters namespaces. */
export interface NetworkOptions {
  /** File of a network namespace, e.g. `/run/netns/web`. Absent: the process's own. */
  readonly namespace?: string;
  /** `SO_MARK`, for rules that let the proxy's own connections pass. Absent: none. */
  readonly mark?: number;
}

/** What the kernel does about silent connections (Envoy `TcpKeepalive`); what is absent is the kernel's own. */
export interface TcpKeepalive {
  /** Silence before the first probe, whole seconds in milliseconds. */
  readonly idleMs?: number;
  /** Between probes, likewise. */
  readonly intervalMs?: number;
  /** Probes without an answer that end the connection. */
  readonly probes?: number;
}
