import type { CallerControls } from './caller-controls.ts';
import type { AccessLog } from './access-log.ts';
import type { ChainChoice } from './chain-choice.ts';
import type { InternalAddress, ListenAddress } from './address.ts';
import type { Forwarding } from './forwarding.ts';
import type { Http2Options } from './http2.ts';
import type { ProxyTlv, TcpKeepalive } from './cluster.ts';
import type { LocalReplies } from './local-reply.ts';
import type { OnDemand } from './on-demand.ts';
import type { RouteHeaderEdits } from './header-edits.ts';
import type { RouteConfig, WeightedCluster } from './route.ts';
import type { DownstreamTls } from './tls.ts';
import type { HandlerTracing } from './tracing.ts';
import type { UdpProxy } from './udp.ts';

/** A place where connections are accepted, or datagrams taken. */
export interface Listener {
  readonly name: string;
  /** What statistics call it in place of its address (Envoy `stat_prefix`). */
  readonly statPrefix?: string;
  /** Or that it takes connections of this process alone, by its own name (Envoy `internal_listener`). */
  readonly address: ListenAddress | InternalAddress;
  /** Where connections are accepted too (Envoy `additional_addresses`). Default nowhere. */
  readonly additionalAddresses?: readonly ListenAddress[];
  /** Which way traffic flows, seen from the workload. Default `unspecified`. */
  readonly direction?: 'inbound' | 'outbound' | 'unspecified';
  /** Of those whose match holds one is used; a chain without match takes what is left. No chain: the connection is closed. */
  readonly filterChains: readonly FilterChain[];
  /** Datagrams come here, by UDP, and no connections: there is no chain, and nothing of what is said of connections. Default: connections. */
  readonly udp?: UdpProxy;
  /**
   * Which of several chains that match: the `first` (default), or the most `specific` as Envoy finds it, condition by
   * condition in the order in which {@link ChainMatch} has them, without a way back.
   */
  readonly chainOrder?: 'first' | 'specific';
  /** Chooses a chain by its name, in place of what chains match, of which none has a `match` then. Default: by that. */
  readonly chainChoice?: ChainChoice;
  /** With {@link chainChoice}, name of the chain that takes connections for which nothing is chosen. Default: they are closed. */
  readonly defaultChain?: string;
  /** Connections begin with a header of the PROXY protocol, which says who called whom. Default: they do not. */
  readonly proxyProtocol?: ProxyProtocol;
  /**
   * Connections carry tunnels, HTTP/2 CONNECT over mutual TLS, and what comes through each is a connection of this listener:
   * chains match its authority as destination, and its peer is who proved to be the tunnel's. Default: they do not.
   */
  readonly hbone?: HboneOptions;
  /**
   * Connections are led here by rules of the kernel (iptables `REDIRECT`), and where each was going is asked of it (Envoy
   * `envoy.filters.listener.original_dst`): chains match that, and clusters of kind `original-dst` go there. The process
   * must have what asks the kernel; of a connection of this process whoever made it says so ({@link Passthrough}). Default false.
   */
  readonly originalDestination?: boolean;
  /**
   * Connections that were going to the address of another listener are served by that one, or by the one that has the port at every
   * address; what goes elsewhere stays (Envoy `use_original_dst`). Where they were going {@link originalDestination} or
   * {@link proxyProtocol} says. Default false.
   */
  readonly handsOver?: boolean;
  /** Its address is that of connections which others hand over: no socket is bound (Envoy `bind_to_port: false`). Default false. */
  readonly unbound?: boolean;
  /**
   * Ports at which nobody waits for the first bytes, since servers speak first there: what goes there counts as plain text of
   * no known protocol (Envoy `ListenerFilter.filter_disabled` of its inspectors). Default none.
   */
  readonly unlookedPorts?: UnlookedPorts;
  /** How long is waited for the first bytes where a chain is chosen by them; 0: for ever. Default: as for TLS handshakes. */
  readonly firstBytesTimeoutMs?: number;
  /** Whether a chain is chosen without them then, instead of closing the connection. Default false. */
  readonly continueWithoutFirstBytes?: boolean;
  /** Connection filters, run before a chain is chosen. */
  readonly connectionFilters?: readonly FilterEntry[];
  /**
   * Where lines about its connections go, each when it is over: also of those that no chain took (`NR`), and of chains with logs
   * of their own (Envoy `access_log`). Default none.
   */
  readonly accessLogs?: readonly AccessLog[];
  /** Connections at a time; further ones are closed at once and counted. Default 65,536. */
  readonly maxConnections?: number;
  /**
   * Whether its connections do not count where the proxy bounds those of all listeners, and are not refused for that bound (Envoy
   * `ignore_global_conn_limit`): of ports for probes and statistics. Default false.
   */
  readonly ignoresConnectionLimit?: boolean;
  /**
   * Whether nothing of it is refused, and none of its connections closed, since the proxy sheds load; its connections do not count
   * either (Envoy `bypass_overload_manager`). Default false.
   */
  readonly bypassesOverload?: boolean;
  /** Whether the kernel asks callers that are silent whether they live (Envoy `socket_options`). Absent: as it does by itself, not. */
  readonly tcpKeepalive?: TcpKeepalive;
  /** Bytes buffered per connection and direction before reading stops. Default 1 MiB (Envoy `per_connection_buffer_limit_bytes`). */
  readonly bufferLimitBytes?: number;
}

/** What is done with a connection. */
export interface FilterChain {
  readonly name: string;
  readonly match?: ChainMatch;
  /** Absent: plain text. */
  readonly tls?: DownstreamTls;
  /** How long a TLS handshake may take (Envoy `transport_socket_connect_timeout`). Default: as the engine's limits say. */
  readonly handshakeTimeoutMs?: number;
  readonly handler: HttpHandler | TcpHandler;
}

/** Where TLS, or HTTP in plain text, is not looked for; where neither is, nothing is waited for. */
export interface UnlookedPorts {
  readonly tls?: readonly PortRange[];
  readonly http?: readonly PortRange[];
}

/** Ports, both ends included. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** How tunnels are taken (HBONE, as Istio's ambient mode speaks it). */
export interface HboneOptions {
  /** Of the connections that carry tunnels; chains of the listener have none of their own. */
  readonly tls: DownstreamTls;
  /** `maxConcurrentStreams` are tunnels at a time on one connection; further ones are refused. Default 100. */
  readonly http2?: Http2Options;
  /**
   * SPIFFE ids (exact, or ending in `/*`) whose `forwarded` says from where a connection came (RFC 7239): waypoints.
   * Everybody else came from where the tunnel did. Default nobody.
   */
  readonly trustedForwarders?: readonly string[];
}

/** HAProxy's PROXY protocol (Envoy `envoy.filters.listener.proxy_protocol`). Whoever can connect can claim whatever it says. */
export interface ProxyProtocol {
  /** Whether connections without the header are served too. Default false: they are closed. */
  readonly optional?: boolean;
  /** Versions of it that are read. Default both. */
  readonly versions?: readonly (1 | 2)[];
  /**
   * What is kept of its fields beyond the addresses (TLVs), by type: of several for one type the last holds (Envoy `rules`). A header
   * whose fields are none closes the connection, whether they are kept or not. Default nothing.
   */
  readonly tlvs?: readonly ProxyTlvRule[];
  /**
   * Where: as `metadata` of the connection (default), by namespace and key, of fields of one type the first; or as the `filter-state`
   * `envoy.network.proxy_protocol.tlv`, by key, of fields of one type the last (Envoy `tlv_location`).
   */
  readonly tlvsKeptIn?: 'metadata' | 'filter-state';
  /** Types of fields that endpoints may be told, where they are told who called (Envoy `pass_through_tlvs`). Default none. */
  readonly passesTlvs?: 'all' | readonly number[];
}

/** A field of the PROXY protocol that is kept. */
export interface ProxyTlvRule {
  /** 0–255. */
  readonly type: number;
  /** Of metadata. Default `envoy.filters.listener.proxy_protocol`. */
  readonly namespace?: string;
  readonly key: string;
  /** As base64 in place of UTF-8, where `!` stands for each byte that is none. Default false. */
  readonly base64?: boolean;
}

/** All given conditions must hold. In the order in which they make a chain more specific than another. */
export interface ChainMatch {
  /** Port that was asked for. */
  readonly destinationPort?: number;
  /** Networks of the address that was asked for, CIDR. */
  readonly destinationCidrs?: readonly string[];
  /** TLS server names, exact or `*.suffix`. */
  readonly serverNames?: readonly string[];
  readonly transport?: 'tls' | 'plain';
  /** Offered by ALPN; in plain text `http/1.0`, `http/1.1` or `h2c` by the first bytes. */
  readonly applicationProtocols?: readonly string[];
  /** Networks of who connected, whatever the PROXY protocol says. */
  readonly directSourceCidrs?: readonly string[];
  /** `local`: from this machine, by a loopback address or the one that was asked for. */
  readonly sourceType?: 'local' | 'external';
  /** Peer networks, CIDR. */
  readonly sourceCidrs?: readonly string[];
  readonly sourcePorts?: readonly number[];
}

/** HTTP: one connection carries streams (Envoy HttpConnectionManager). */
export interface HttpHandler {
  readonly kind: 'http';
  /** Label in metrics; default the listener's name. */
  readonly statPrefix?: string;
  /** Routes given here, or by name from discovery. */
  readonly routes: RouteConfig | { readonly routeConfigName: string };
  /** Requests that have a key here go by its routes, in place of {@link routes} (Envoy `scoped_routes`). Default none. */
  readonly scopes?: RouteScopes;
  /** In chain order (decision D7). */
  readonly filters: readonly FilterEntry[];
  /** Requests wait for virtual hosts, and for clusters, that are not there yet. Default: they get 404 and 503 at once. */
  readonly onDemand?: OnDemand;
  /** Connection filters of this chain, run before a byte of HTTP is read (Envoy: network filters before the HttpConnectionManager). */
  readonly connectionFilters?: readonly FilterEntry[];
  /**
   * What callers speak (Envoy `codec_type`). `auto` (default): under TLS what ALPN chose, in plain text what the first
   * bytes show: HTTP/2 with its connection preface, else HTTP/1. `http1` and `http2` allow the one only.
   */
  readonly codec?: 'auto' | 'http1' | 'http2';
  /**
   * What becomes of callers that do not speak HTTP, for ports that declare nothing; with `codec: auto`, and where ALPN says
   * nothing. Whoever speaks first decides (decision D21): an endpoint is connected meanwhile, so that one that speaks first is
   * heard at once. A connection that the filters here refuse is taken for HTTP. Default: what is no HTTP is refused. Whatever is to
   * be enforced of requests must not stand beside it: a caller that sends something else passes by that.
   */
  readonly otherwise?: Pick<TcpHandler, 'clusters' | 'filters' | 'idleTimeoutMs'>;
  /** For callers that speak HTTP/2. */
  readonly http2?: Http2Options;
  /** Head of a request must be complete in this time. Default 10,000: slow heads hold a connection, nothing else. */
  readonly requestHeadTimeoutMs?: number;
  /** A kept-alive connection without a request. Default 3,600,000 (Envoy HTTP idle 1 h). */
  readonly idleTimeoutMs?: number;
  /** A stream on which no byte moves. Default 300,000 (Envoy `stream_idle_timeout`). */
  readonly streamIdleTimeoutMs?: number;
  /** Default 61,440 (Envoy `max_request_headers_kb` 60). */
  readonly maxRequestHeadersBytes?: number;
  /** Default 100 (Envoy `max_headers_count`). */
  readonly maxRequestHeadersCount?: number;
  /** Replay buffer a stream may use for retries; past it the body streams on and only the retry is lost. Default {@link DEFAULT_REPLAY_BYTES}. */
  readonly maxReplayBytes?: number;
  /** Upgrade protocols passed on, lower case. Default `['websocket']`. */
  readonly allowUpgrades?: readonly string[];
  /** Whether CONNECT is served. Default false. */
  readonly allowConnect?: boolean;
  /**
   * What is done to the fields of each request, one after the other, before anything looks at them: what callers say and what is
   * put here is told apart by nothing from then on (Envoy `early_header_mutation_extensions`). Default nothing.
   */
  readonly earlyEdits?: readonly RouteHeaderEdits[];
  /**
   * What is believed of fields that claim who the caller is or what it asked for first (`forwarded`, `x-forwarded…`,
   * `x-real-ip`, `x-client-ip`, `true-client-ip`, `x-original-url`, `x-envoy-*`, `x-tulle-*` and the like, in head and
   * trailers, also with `_` for `-`, which some origins read alike). `strip`: removed, then set from the connection (the
   * default, for edges and for inbound from peers). `keep`: passed on, for a listener that only the workload itself
   * can reach.
   */
  readonly identityHeaders?: 'strip' | 'keep';
  /**
   * With `strip`: SPIFFE ids (exact, or ending in `/*`) of peers, such as a gateway, whose claims hold: by what the peer
   * proved, not by where it connects from. The peer itself is added to `x-forwarded-for` and
   * `x-forwarded-client-cert`. Default none.
   */
  readonly trustedForwarders?: readonly string[];
  /** In place of `identityHeaders` and `trustedForwarders`: by the rules of Envoy's HttpConnectionManager. */
  readonly forwarding?: Forwarding;
  /**
   * What becomes of `;parameters` in path segments before the route is matched, for origins that do not count them as
   * part of the path (servlets): with `keep`, `/admin;x` is another path than `/admin`. `strip` removes them, `refuse`
   * answers 400; both refuse the escaped `%3B`, which some origins decode first. Default `keep`: RFC 3986 §3.3 gives
   * them no meaning.
   */
  readonly pathParameters?: 'keep' | 'strip' | 'refuse';
  /**
   * What becomes of `%2F` and `%5C` in a path, which some origins read as slashes (Envoy
   * `path_with_escaped_slashes_action`). `refuse` (default): 400. `keep`: they stay, but beside a dot segment. `unescape`:
   * they are slashes. `redirect`: who asked so is sent to the path where they are (307).
   */
  readonly escapedSlashes?: 'refuse' | 'keep' | 'unescape' | 'redirect';
  /**
   * Whether the port of a host is left out before the route is matched: always, or where it is the listener's (Envoy
   * `strip_any_host_port`, `strip_matching_host_port`). Default: it stays.
   */
  readonly stripPort?: 'any' | 'matching';
  /** Default: every request has one, and one that was brought along is believed where it looks like one. */
  readonly requestId?: RequestIds;
  /** Added to `via` of requests and responses (RFC 9110 §7.6.3). Default: nothing. */
  readonly via?: string;
  /** The whole request must be there in this time; 0: however long it takes. Default 0. Past it: 408 (Envoy `request_timeout`). */
  readonly requestTimeoutMs?: number;
  /** Longest time from a request's head to the end of its response; 0: any. Default 0. A route may say another. */
  readonly maxStreamDurationMs?: number;
  /** How long a caller gets to read what is left when its connection closes. Default: as the engine's limits say (Envoy `delayed_close_timeout`). */
  readonly delayedCloseMs?: number;
  /** How long HTTP/2 callers that are asked to leave may still begin streams. Default: as the engine's limits say (Envoy `drain_timeout`). */
  readonly drainTimeoutMs?: number;
  /** Up to so much of `drainTimeoutMs` is added to it at random, for each connection (Envoy `drain_timeout_jitter`). Default 0. */
  readonly drainTimeoutJitterPercent?: number;
  /** A connection that is older serves no further request; 0: any. Default 0. */
  readonly maxConnectionDurationMs?: number;
  /**
   * Up to so much of `maxConnectionDurationMs` is added to it at random, for each connection, so that callers which came together do not
   * come back together (Envoy `max_connection_duration_jitter`). Default 0.
   */
  readonly maxConnectionDurationJitterPercent?: number;
  /** Requests that a connection serves; 0: any. Default 0. */
  readonly maxRequestsPerConnection?: number;
  /**
   * What becomes of fields with `_` in their names, which some origins take for `-`: `allow` (default), `refuse` the request
   * (400), or `drop` them (Envoy `headers_with_underscores_action`).
   */
  readonly underscores?: 'allow' | 'refuse' | 'drop';
  /** Whether HTTP/1.0 is served, or answered with 426 (Envoy `accept_http_10`). Default `accept`. */
  readonly http10?: 'accept' | 'refuse';
  /** Host of a request in HTTP/1.0 that has none (Envoy `default_host_for_http_10`). Default: the listener's address. */
  readonly defaultHost?: string;
  /**
   * Whether methods pass that are neither registered (IANA) nor in common use. Default false, as Envoy's
   * `allow_custom_methods`: origins read `get` or `GETX` differently, which is how a policy on GET is evaded. Refused: 501.
   */
  readonly allowCustomMethods?: boolean;
  /**
   * Characters of a request target. `whatwg` (default): those of RFC 3986 and what browsers and HTTP libraries leave
   * bare. `rfc3986`: nothing but the grammar.
   */
  readonly targetChars?: 'whatwg' | 'rfc3986';
  /** What is made of fields by which Envoys tell each other how a request is tried (Envoy's `Router`). Default nothing. */
  readonly callerControls?: CallerControls;
  /** Absent: code and request id as plain text. */
  readonly localReplies?: LocalReplies;
  /** Where lines about its streams go, beside what the proxy itself logs. Default none. */
  readonly accessLogs?: readonly AccessLog[];
  /** When there is a line about a request, besides at its end. Default never. */
  readonly logMoments?: HttpLogMoments;
  /** Absent: as the proxy itself traces. */
  readonly tracing?: HandlerTracing;
  /** `server` header on responses: `pass` the origin's (default), or overwrite, or add only where there is none. */
  readonly serverHeader?: 'pass' | { readonly value: string; readonly ifAbsent?: boolean };
}

/** Route configurations of which each request has one, by fields of its own (Envoy `ScopedRoutes`). */
export interface RouteScopes {
  /** Of what a request's key is made, in order. A request that lacks one of them is in no scope. */
  readonly key: readonly ScopeKeyPart[];
  readonly scopes: readonly RouteScope[];
}

/** A part of a field's first line (Envoy `HeaderValueExtractor`). */
export interface ScopeKeyPart {
  /** Lower case. */
  readonly header: string;
  /** What stands between the elements of the line. Default: it is one element. */
  readonly separator?: string;
  /** Which of them: by its place, from 0; or what stands behind `key` and `separator` in the first that begins so. */
  readonly element: number | { readonly key: string; readonly separator: string };
}

/** Routes of the requests with one key. */
export interface RouteScope {
  readonly name: string;
  /** As many as the parts of the key; no two scopes have the same. */
  readonly key: readonly string[];
  readonly routes: RouteConfig | { readonly routeConfigName: string };
}

/** `x-request-id` (Envoy `generate_request_id` and the like). */
export interface RequestIds {
  /** Whether requests without one get one. Default true. */
  readonly generate?: boolean;
  /** What becomes of one that came from outside: believed (default) or replaced. */
  readonly external?: 'keep' | 'replace';
  /** Whether responses say it. Default false. */
  readonly inResponse?: boolean;
}

/** One share of a split of connections. */
export interface TcpWeightedCluster extends Pick<WeightedCluster, 'weight' | 'subset'> {
  readonly name: string;
}

/** Endpoints that a TCP connection tries where nobody says how many: three cover one that is gone and one that goes. Envoy's number is 1 (docs/decisions/034). */
export const DEFAULT_CONNECT_ATTEMPTS = 3;

/** What a stream may keep to be sent again where nobody says how much, as Linkerd does. Envoy's number is the listener's `per_connection_buffer_limit_bytes`, or 1 MiB (docs/decisions/034). */
export const DEFAULT_REPLAY_BYTES = 65_536;

/** Bytes: one connection to one connection, half-close kept. */
export interface TcpHandler {
  readonly kind: 'tcp';
  readonly statPrefix?: string;
  /** Split by weight, one draw a connection. */
  readonly clusters: readonly TcpWeightedCluster[];
  /** Connection filters that see the bytes. */
  readonly filters?: readonly FilterEntry[];
  /** No byte either way, or no answer of an endpoint that was asked for a tunnel. Default 3,600,000 (Envoy `TcpProxy.idle_timeout`). */
  readonly idleTimeoutMs?: number;
  /** What connections have in common that go to the same endpoint, where balancing goes by hashes. Default nothing. */
  readonly hash?: 'source-ip';
  /** Endpoints that are tried at most. Default: as the engine's limits say. */
  readonly maxConnectAttempts?: number;
  /**
   * Wait before another endpoint is tried, with full jitter; where all were, one is tried again (Envoy `backoff_options`). Default: it
   * is tried at once.
   */
  readonly connectBackoff?: ConnectBackoff;
  /** How long a connection may live; 0: for ever. Default 0 (Envoy `max_downstream_connection_duration`). */
  readonly maxDurationMs?: number;
  /**
   * Up to so much of `maxDurationMs` is added to it at random, for each connection (Envoy
   * `max_downstream_connection_duration_jitter_percentage`). Default 0.
   */
  readonly maxDurationJitterPercent?: number;
  /** Endpoints are proxies, which are asked to connect on (Envoy `TcpProxy.tunneling_config`). Default: they get the bytes. */
  readonly tunnel?: TcpTunnel;
  /** Fields of the PROXY protocol that endpoints may be told besides the caller's. Not with {@link tunnel}. Default none. */
  readonly proxyTlvs?: TcpProxyTlvs;
  /** Where lines about its connections go. Default none. */
  readonly accessLogs?: readonly AccessLog[];
  /** When there is a line about a connection, besides at its end. Default never. */
  readonly logMoments?: TcpLogMoments;
}

/** Fields that a chain adds (Envoy `TcpProxy.proxy_protocol_tlvs`); clusters say which go to their endpoints ({@link ProxyHeaderOptions}). */
export interface TcpProxyTlvs {
  /** A `format` has operators of access logs, of what is known of the caller's connection. */
  readonly adds: readonly (ProxyTlv | { readonly type: number; readonly format: string })[];
  /**
   * Beside what the caller's header said: only where it had none (`absent`, default), in place of the caller's fields of the same type
   * (`replace`), or after them (`append`).
   */
  readonly where?: 'absent' | 'replace' | 'append';
}

/** How the wait between endpoints that are tried grows. */
export interface ConnectBackoff {
  /** Upper bound of the first, doubled each time. From 1. */
  readonly baseMs: number;
  /** Upper bound of each. Default ten times `baseMs` (Envoy). */
  readonly maxMs?: number;
}

/** When there is a line about a request that goes on (Envoy `HttpConnectionManager.access_log_options`). */
export interface HttpLogMoments {
  /**
   * When its head has come and its route is known; where filters run before the route, before them, without one
   * (`flush_access_log_on_new_request`). Default false.
   */
  readonly start?: boolean;
  /** When what it asked for by CONNECT or an upgrade stands (`flush_log_on_tunnel_successfully_established`). Default false. */
  readonly tunnel?: boolean;
  /** Each time that so long has passed, from 1 (`access_log_flush_interval`). Default: not by time. */
  readonly everyMs?: number;
}

/** When there is a line about a connection that goes on (Envoy `TcpProxy.access_log_options`). */
export interface TcpLogMoments {
  /** When it has come, before an endpoint is looked for (`flush_access_log_on_start`). Default false. */
  readonly start?: boolean;
  /** When its endpoint is connected (`flush_access_log_on_connected`). Default false. */
  readonly connected?: boolean;
  /** Each time that so long has passed, from 1 (`access_log_flush_interval`). Default: not by time. */
  readonly everyMs?: number;
}

/**
 * How an endpoint is asked for a tunnel, by HTTP/1.1 or HTTP/2 as its cluster says: by CONNECT, to which 200 says that it stands (over
 * HTTP/1.1 any 2xx, RFC 9110 §9.3.6). Whatever else is answered is an attempt that failed.
 */
export interface TcpTunnel {
  /**
   * Host and port that are asked for; operators of access logs stand for what is known of the caller's connection, e.g.
   * `%REQUESTED_SERVER_NAME%:443`.
   */
  readonly authority: string;
  /** By POST instead of CONNECT: the bytes are its content, and that of its answer. `path` by default `/`. */
  readonly post?: { readonly path?: string };
  /** Fields that go with it. */
  readonly headers?: Omit<RouteHeaderEdits, 'remove'>;
  /**
   * What access logs of the connection are told of the last answer, be it a tunnel or not: its `head`, as the filter state
   * `envoy.tcp_proxy.propagate_response_headers`, and its `trailers`, as `envoy.tcp_proxy.propagate_response_trailers` (Envoy's fields
   * of these names). Default nothing.
   */
  readonly keeps?: readonly ('head' | 'trailers')[];
}

/** A filter in a chain. */
export interface FilterEntry {
  /** Slot name, unique in the chain; routes override by it. */
  readonly name: string;
  /** Id of a filter of the registry. */
  readonly filter: string;
  /** Parsed by the filter's schema when the chain is built. */
  readonly config: unknown;
  /** No route can remove it or configure it otherwise. Default false. */
  readonly mandatory?: boolean;
  /** Skip it where it throws; refused for filters that forbid it. Default false. */
  readonly failOpen?: boolean;
  /**
   * Name by which routes override it, where several filters of a chain share one, as Envoy lets them. Default: `name`. HTTP
   * chains only.
   */
  readonly overriddenBy?: string;
  /** Whether it is off until a route puts it in force (Envoy `HttpFilter.disabled`). Default false. HTTP chains only. */
  readonly disabled?: boolean;
  /** Whether a proxy that has no such filter goes without it (Envoy `HttpFilter.is_optional`). Default false: refused. */
  readonly optional?: boolean;
}
