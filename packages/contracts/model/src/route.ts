import type { ProxyProtocolVersion } from './cluster.ts';
import type { AuthzMetadataTest, FilterStateTest } from './filters/authz-expression.ts';
import type { HeaderValue, RouteHeaderEdits } from './header-edits.ts';
import type { LocalReplyFormat } from './local-reply.ts';
import type { Mirror } from './mirror.ts';
import type { OnDemandClusters } from './on-demand.ts';
import type { RouteChoice } from './route-choice.ts';
import type { RateLimitActions } from './rate-limit-actions.ts';
import type { FormatRewrite, RegexRewrite, Rewrite } from './rewrite.ts';
import type { RouteDecorator, RouteTracing } from './tracing.ts';

/** All virtual hosts of one listener's HTTP traffic. Names follow D15. */
export interface RouteConfig {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
  /** Of all routes. */
  readonly requestHeaders?: RouteHeaderEdits;
  readonly responseHeaders?: RouteHeaderEdits;
  /**
   * In which order fields are edited that several places speak of: the backend of a split, the route, the virtual host, all
   * routes. `specific-last` (default): what stands nearest to the request has the last word. `specific-first`: as Envoy
   * does without `most_specific_header_mutations_wins`.
   */
  readonly headerOrder?: 'specific-last' | 'specific-first';
  /** Fields that requests from outside lose before any filter sees them (Envoy `internal_only_headers`). Default none. */
  readonly internalOnlyHeaders?: readonly string[];
  readonly filterConfigs?: FilterConfigs;
  /**
   * Domains are compared with a request's host and port as one text, so that a domain without a port fits no host with one
   * (Envoy without `ignore_port_in_host_matching`). Default false: see {@link VirtualHost.domains}.
   */
  readonly comparesPorts?: boolean;
  /**
   * A request field by whose first line virtual hosts are found, in the place of the host that a request asks for; one without it
   * finds none, unless all are for `*` (Envoy `vhost_header`). Lower case. Default: by the host.
   */
  readonly hostHeader?: string;
  /**
   * Routes look at a path without the parameters of its segments, from a `;` to the next slash (RFC 3986 §3.3); it goes on as it came
   * (Envoy `ignore_path_parameters_in_path_matching`). Default false.
   */
  readonly ignoresPathParameters?: boolean;
  /** There may be more virtual hosts, of which the control plane is asked (Envoy `RouteConfiguration.vhds`). Default false. */
  readonly discoversHosts?: boolean;
}

/** Routes of some host names. */
export interface VirtualHost {
  readonly name: string;
  /**
   * `shop.example`, `*.example` (one label or more before), `shop.*`, `*`; without port they match any port, with a
   * port only that one. Exact wins over the longest suffix wildcard, then the longest prefix wildcard, then `*`
   * (Envoy `VirtualHost.domains`). A domain may stand in one virtual host only.
   */
  readonly domains: readonly string[];
  /**
   * In order: the first match wins (xDS). For Gateway API precedence, sort with `sortByPrecedence` of `@tulle/match`.
   */
  readonly routes: readonly Route[];
  /** Of which of them it is the first. Default: of all. */
  readonly choice?: RouteChoice;
  readonly requestHeaders?: RouteHeaderEdits;
  readonly responseHeaders?: RouteHeaderEdits;
  readonly filterConfigs?: FilterConfigs;
  /** How requests are described to filters that limit rates, where their route says nothing else. */
  readonly rateLimits?: readonly RateLimitActions[];
  /**
   * Plain HTTP is answered with a redirect (301) to the same place by HTTPS: for all, or for callers from outside of private
   * networks only (Envoy `VirtualHost.require_tls`). Default: it is served.
   */
  readonly requireTls?: 'all' | 'external';
  /** Whether `x-envoy-attempt-count` tells which attempt it is, to the endpoint and to the caller. Default: to neither. */
  readonly attemptCount?: { readonly request?: boolean; readonly response?: boolean };
  /**
   * Whether `x-envoy-is-timeout-retry: true` tells the endpoint of an attempt that is made because the time of the one before was over
   * (Envoy `include_is_timeout_retry_header`). Default false.
   */
  readonly tellsTimeoutRetry?: boolean;
  /**
   * Kinds of requests that are counted apart, in order: a request is of the first whose conditions hold all, or else of `other`
   * (Envoy `VirtualHost.virtual_clusters`). Default: none are.
   */
  readonly virtualClusters?: readonly VirtualCluster[];
}

/** A kind of requests. */
export interface VirtualCluster {
  /** In statistics. */
  readonly name: string;
  /** As routes have them, with pseudo-headers. */
  readonly headers: readonly HeaderMatch[];
}

/**
 * Overrides by slot name: what a filter's chain entry is given differently here; `null` removes the filter on this
 * route, `true` puts it in force as the chain has it. A mandatory filter takes none of them. Merged at load:
 * configuration, then virtual host, then route, then weighted backend.
 */
export type FilterConfigs = Readonly<Record<string, unknown>>;

/** One rule: what it matches and what then happens. */
export interface Route {
  /** Unique within the route configuration; shown in records and metrics. */
  readonly name: string;
  readonly match: RouteMatch;
  readonly action: ForwardAction | RedirectAction | DirectResponseAction;
  readonly requestHeaders?: RouteHeaderEdits;
  /** Of what the route answers, and of what the proxy answers in its backend's place: errors, and what filters reply. */
  readonly responseHeaders?: RouteHeaderEdits;
  readonly filterConfigs?: FilterConfigs;
  /** Who is refused last while a proxy sheds load. Default `default`. */
  readonly priority?: RoutePriority;
  /** Its requests are counted apart under this name (Envoy `Route.stat_prefix`). Default: they are not. */
  readonly statPrefix?: string;
  /** What spans of its requests are called. Default: by method and path of the route. */
  readonly decorator?: RouteDecorator;
  /** Which of its requests are traced, where the handler has `tracing`. Default: as that says. */
  readonly tracing?: RouteTracing;
  /** What its author noted of it, by namespace: for logs and tags of spans, and nothing else (Envoy `Route.metadata`). Default: nothing. */
  readonly metadata?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/**
 * Which requests a proxy refuses last while it sheds load: it begins with `low`; `critical` ones, health checks for
 * instance, it never refuses. (Envoy's `RouteAction.priority` is another thing:
 * which limits of a cluster count.)
 */
export type RoutePriority = 'low' | 'default' | 'high' | 'critical';

/** All given conditions must hold. */
export interface RouteMatch {
  readonly path: PathMatch;
  /** Exact method. */
  readonly method?: string;
  /** Besides fields also `:method`, `:authority`, `:scheme` and `:path`, which here has its query. */
  readonly headers?: readonly HeaderMatch[];
  readonly query?: readonly ValueMatch[];
  /** On the first cookie of a name (Envoy `RouteMatch.cookies`); inverted, one that is absent fits too. On routes only. */
  readonly cookies?: readonly ValueMatch[];
  /** Only gRPC requests: `content-type: application/grpc`, also with `+suffix` or parameters (Envoy `RouteMatch.grpc`). Default false. */
  readonly grpc?: boolean;
  /**
   * Share of the requests that fit, percent; the others go on to the next routes, by one draw a request for all of them
   * (Envoy `RouteMatch.runtime_fraction`). Default 100.
   */
  readonly percent?: number;
  /**
   * Only callers that proved who they are by a certificate, or only those that did not (Envoy `RouteMatch.tls_context`).
   * Default: any.
   */
  readonly provenPeer?: boolean;
  /**
   * What filters have found out about the request (Envoy `RouteMatch.dynamic_metadata`): those that ran before it is matched, which may be
   * once more, where they ask for that. On routes only.
   */
  readonly metadata?: readonly AuthzMetadataTest[];
  /** The same of what filters have put down about the request or its connection (Envoy `RouteMatch.filter_state`). On routes only. */
  readonly filterState?: readonly FilterStateTest[];
}

/**
 * - `exact`: the whole path.
 * - `prefix`: element-wise as in Gateway API: `/a` matches `/a` and `/a/b`, never `/ab`. `/` matches everything.
 * - `bytes-prefix`: plain string prefix (Envoy `RouteMatch.prefix`), for foreign control planes.
 * - `regex`: RE2 syntax, linear time, the whole path.
 * - `template`: Envoy's `UriTemplateMatchConfig`: `/users/{id}/files/{file=**}`; `*` is one segment, `**` any that are left.
 * - `connect`: CONNECT requests, which have no path (Envoy `RouteMatch.connect_matcher`); `value` is `''`.
 */
export interface PathMatch {
  readonly kind: 'exact' | 'prefix' | 'bytes-prefix' | 'regex' | 'template' | 'connect';
  readonly value: string;
  /** Of exact paths and prefixes (Envoy `RouteMatch.case_sensitive`). Default false. */
  readonly ignoreCase?: boolean;
}

/** A condition on a header, or on one of the pseudo-headers where that is said. */
export interface HeaderMatch {
  /** Lower case. */
  readonly name: string;
  readonly match: StringMatch | RangeMatch;
  /** Default false. */
  readonly invert?: boolean;
  /**
   * What a request without the field is (Envoy `treat_missing_header_as_empty`). Default: it has no value that could match,
   * so that it fits where the condition is inverted. `fails`: it does not fit either way. `empty`: as if the value was `''`.
   * Without meaning for `present`.
   */
  readonly absent?: 'fails' | 'empty';
}

/** A whole number with `from <= value < to`, in decimal (Envoy `HeaderMatcher.range_match`). */
export interface RangeMatch {
  readonly kind: 'range';
  readonly from: number;
  readonly to: number;
}

/** A condition on one header (name lower case) or query parameter (name case-sensitive). */
export interface ValueMatch {
  readonly name: string;
  readonly match: StringMatch;
  /** Default false. An absent value never matches, and matches when inverted. */
  readonly invert?: boolean;
}

/**
 * `present` asks only whether it is there. A repeated header matches when one of its lines does, and its inversion
 * when none does. `regex` is RE2 syntax over the whole value.
 */
export type StringMatch =
  | {
      readonly kind: 'exact' | 'prefix' | 'suffix' | 'contains' | 'regex';
      readonly value: string;
      readonly ignoreCase?: boolean;
    }
  | { readonly kind: 'present' };

/** Sends the request to a cluster. */
export interface ForwardAction {
  readonly kind: 'forward';
  /** Split by weight; a sum of 0 gives 500 (Gateway API). One entry for the ordinary case. */
  readonly clusters: readonly WeightedCluster[];
  /** In place of `clusters`, which are none: a request field that names the cluster (Envoy `RouteAction.cluster_header`). */
  readonly clusterHeader?: string;
  /** Where a cluster is looked for that is not there, or that it is not. Default: as the handler says. */
  readonly onDemand?: OnDemandClusters | 'none';
  /**
   * A request field whose whole number decides the split instead of chance, by its rest when divided by the sum of the
   * weights (Envoy `WeightedCluster.header_name`): who sends the same number comes to the same backend.
   */
  readonly splitHeader?: string;
  /**
   * What {@link hashPolicy} makes of a request decides the split instead of chance, where it makes something of it (Envoy
   * `WeightedCluster.use_hash_policy`); for that no cookie is made up. Default false.
   */
  readonly splitByHash?: boolean;
  /**
   * For the whole request, retries included; 0 switches it off. Default 15,000 (Envoy `RouteAction.timeout`), for gRPC
   * calls none: they may be streams, and say by `grpc-timeout` how long they may take, which holds where it is shorter.
   */
  readonly requestTimeoutMs?: number;
  /**
   * The longest deadline that the caller of a gRPC call may ask for by `grpc-timeout`; longer ones are cut to it. 0 or
   * absent: any (Envoy `RouteAction.max_stream_duration.grpc_timeout_header_max`).
   */
  readonly maxGrpcTimeoutMs?: number;
  /** What a caller's `grpc-timeout` is shortened by, so that it hears of it in time (Envoy `grpc_timeout_header_offset`). Default 0. */
  readonly grpcTimeoutOffsetMs?: number;
  /**
   * Longest time from the request's head to the end of the response; 0: any (Envoy `max_stream_duration`). Default: the
   * listener's.
   */
  readonly maxStreamDurationMs?: number;
  /** For one attempt; 0 or absent: off. Never longer than the request timeout. */
  readonly perTryTimeoutMs?: number;
  /**
   * How long an attempt may go without a byte of its endpoint, from when the request is sent whole; 0 or absent: any time. Before the
   * answer's head it is over as by {@link perTryTimeoutMs}, after it the answer is broken off (Envoy `per_try_idle_timeout`). Where
   * {@link perTryTimeoutMs} passes between two bytes of an answer, the later of the two may take any time, as in Envoy.
   */
  readonly perTryIdleTimeoutMs?: number;
  /**
   * Labels of endpoints that an attempt after the first does not go to, while there are others: those with all labels of one of
   * these (Envoy `omit_host_metadata`, `omit_canary_hosts`). Default none.
   */
  readonly avoidOnRetry?: readonly Readonly<Record<string, string>>[];
  /**
   * After so many attempts, and each time after as many more, all endpoints are left out of the priorities that were tried, until there
   * are no others (Envoy `previous_priorities`). Default 0: those that were tried themselves, and no others.
   */
  readonly newPriorityEvery?: number;
  /** No byte either way; 0 switches it off. Default: the listener's. */
  readonly idleTimeoutMs?: number;
  readonly rewrite?: Rewrite;
  /**
   * Clusters that get a copy of each request which every filter let pass (Envoy `RouteAction.request_mirror_policies`):
   * sent and forgotten, never again, and cut where the copy's endpoint does not take it as it comes.
   */
  readonly mirrors?: readonly Mirror[];
  /**
   * What requests have in common that go to the same endpoint of a cluster whose balancing goes by hashes, put together
   * in this order (Envoy `RouteAction.hash_policy`). Without a value of any: a random endpoint.
   */
  readonly hashPolicy?: readonly HashPolicy[];
  /** Keeps callers at the endpoint that answered them first. Default: each request is a matter of its own. */
  readonly persistence?: SessionPersistence;
  /**
   * Answer to what falls to a cluster that is not there: 500 where that is no accident (Gateway API: an invalid
   * backendRef). Default 503 (Envoy `RouteAction.cluster_not_found_response_code`, whose default it is).
   */
  readonly clusterNotFoundStatus?: 404 | 500 | 503;
  /** How requests are described to filters that limit rates. */
  readonly rateLimits?: readonly RateLimitActions[];
  /** Whether the host's `rateLimits` count too, although there are some here (Envoy `include_vh_rate_limits`). Default false. */
  readonly includeHostRateLimits?: boolean;
  /**
   * What the request's body may hold of memory so that it can be sent again (Envoy `per_request_buffer_limit_bytes`).
   * Default: the listener's `maxReplayBytes`.
   */
  readonly maxReplayBytes?: number;
  /** Upgrade protocols allowed, lower case, e.g. `['websocket']`. Default: the listener's. */
  readonly allowUpgrades?: readonly string[];
  /**
   * Whether CONNECT passes (Envoy `RouteAction.upgrade_configs` of the type `CONNECT`). Default: where {@link connect} says what
   * becomes of it, yes; else as the listener says.
   */
  readonly allowConnect?: boolean;
  /** CONNECT ends here (Envoy `UpgradeConfig.connect_config`). Default: it is passed on as CONNECT. */
  readonly connect?: ConnectTermination;
  /**
   * Which of the cluster's limits its requests count towards: `high`, its `highLimits` (Envoy `RouteAction.priority`).
   * Default `default`.
   */
  readonly circuitPriority?: 'default' | 'high';
  /**
   * Whether a request with an `Idempotency-Key` may be sent twice, whatever its method: the service behind knows such keys
   * (decision D5). Default false: a key that nobody reads protects nobody.
   */
  readonly trustIdempotencyKey?: boolean;
  /** Answers that lead elsewhere are followed here (Envoy `RouteAction.internal_redirect_policy`). Default: the caller gets them. */
  readonly internalRedirect?: InternalRedirect;
}

/**
 * What a CONNECT asks for is made here: an endpoint of the route's cluster is connected, whatever authority was asked for, and
 * answered for with 200; what follows are its bytes and the caller's. No endpoint: 503, as for any request.
 */
export interface ConnectTermination {
  /**
   * The endpoint is told by the PROXY protocol who called whom, before the first of the caller's bytes; over the cluster's TLS,
   * where it has some (Envoy `proxy_protocol_config`). Default: it is told nothing.
   */
  readonly proxyProtocol?: ProxyProtocolVersion;
  /**
   * Whether POST is taken likewise: its content goes out as bytes, and the endpoint's bytes come back as the content of a 200, up
   * to their end (Envoy `allow_post`). Default false.
   */
  readonly post?: boolean;
}

/**
 * Which redirects of an endpoint are followed for the caller: the request goes through the chain anew, as one for the place that
 * `location` names, with its body as far as the replay buffer holds it. What is not followed goes to the caller as it came.
 */
export interface InternalRedirect {
  /** Times that one request is led on. Default 1 (Envoy `max_internal_redirects`). */
  readonly max?: number;
  /** Default 302 (Envoy `redirect_response_codes`). After 303 the request is GET, unless it was HEAD. */
  readonly statuses?: readonly (301 | 302 | 303 | 307 | 308)[];
  /**
   * To which schemes, from that of the request: the `same` (default), a `safe` one, that is also from `https` to `http` (Envoy
   * `safe_cross_scheme`), or `any` (`allow_cross_scheme_redirect`). The place is reached as its route's cluster is, whatever the
   * scheme.
   */
  readonly schemes?: 'same' | 'safe' | 'any';
  /** Names of routes that it may lead to (Envoy `allow_listed_routes`). Default any. */
  readonly routes?: readonly string[];
  /** Whether it may lead from this route to another once only (Envoy `previous_routes`). Default false. */
  readonly newRoutes?: boolean;
  /** Fields of the answer that the request has from then on, or loses where the answer has none (Envoy `response_headers_to_copy`). */
  readonly copyHeaders?: readonly string[];
}

/**
 * - `header`: all lines of a field.
 * - `cookie`: a cookie's value. With `ttlMs` a caller without one gets one made up, which lives that long; 0: as long as its
 *   session.
 * - `source-ip`: the address of who connected.
 * - `query`: the first value of a query parameter.
 * - `filter-state`: what a filter put down under a key, e.g. `tulle.http.set-filter-state`.
 *
 * `terminal`: where this one has a value, those behind it are left out. Default false.
 */
export type HashPolicy = { readonly terminal?: boolean } & (
  | {
      readonly kind: 'header';
      readonly name: string;
      /** What becomes of the value before it is hashed. */
      readonly rewrite?: RegexRewrite;
    }
  | { readonly kind: 'query' | 'filter-state'; readonly name: string }
  | {
      readonly kind: 'cookie';
      readonly name: string;
      readonly ttlMs?: number;
      readonly path?: string;
      /** Further attributes of the made-up cookie, e.g. `{ name: 'SameSite', value: 'Strict' }`; without value `''`. */
      readonly attributes?: readonly HeaderValue[];
    }
  | { readonly kind: 'source-ip' }
);

/**
 * Callers come back to the endpoint that answered them first (Gateway API GEP-1619): each answer of an endpoint brings a token,
 * by which the next request goes there, whatever the weights say. Where that endpoint is not there any more, or not well,
 * another one is chosen and the token is a new one.
 */
export interface SessionPersistence {
  /** Where the token stands: in a cookie, or in a field of answers that callers send back. */
  readonly kind: 'cookie' | 'header';
  /** Of the cookie or field. */
  readonly name: string;
  /**
   * 32 hex digits, the same for all proxies of a mesh: by it they know a token as theirs, and nobody else sees from one which
   * endpoint it means.
   */
  readonly secret: string;
  /** How long a session lasts at most. Default: as long as the caller keeps the token. */
  readonly absoluteTimeoutMs?: number;
  /** How long it may rest. Default: as long as the caller keeps the token. */
  readonly idleTimeoutMs?: number;
  /** Of the cookie: for which paths it is. Default: as the browser decides. */
  readonly path?: string;
  /** Whether the cookie outlives the session of the browser, until `absoluteTimeoutMs` is over. Default false. */
  readonly permanent?: boolean;
}

/** One share of a split: a cluster by its name, or whichever each request names itself. */
export interface WeightedCluster {
  readonly name?: string;
  /**
   * In place of `name`: a request field that names the cluster; of a request which names none it is as of a cluster that is not
   * there (Envoy `ClusterWeight.cluster_header`). Lower case.
   */
  readonly clusterHeader?: string;
  /** 0 to 1,000,000. Default 1. */
  readonly weight?: number;
  /** Labels that the endpoint must have, where the cluster has `subsets` (Envoy `metadata_match`, namespace `envoy.lb`). */
  readonly subset?: Readonly<Record<string, string>>;
  /** New `Host` (Envoy `ClusterWeight.host_rewrite_literal`). Default: as the route says. */
  readonly host?: string;
  readonly requestHeaders?: RouteHeaderEdits;
  readonly responseHeaders?: RouteHeaderEdits;
  readonly filterConfigs?: FilterConfigs;
}

/** Answers with a redirect (Gateway API HTTPRequestRedirectFilter). Absent parts stay as they were. */
export interface RedirectAction {
  readonly kind: 'redirect';
  readonly scheme?: 'http' | 'https';
  readonly host?: string;
  /**
   * `asked`: the one that the request asked for, none with another host, or where it is the well-known one of a scheme that
   * changes (Envoy without `port_redirect`). Default: the scheme's well-known port when scheme is given, else the
   * listener's; where the listener has a direction (a sidecar), the one that the request asked for.
   */
  readonly port?: number | 'asked';
  /** One that is `full` or of the kind `format` may have a query, which takes the place of the request's. */
  readonly path?: { readonly kind: 'full' | 'prefix'; readonly value: string } | FormatRewrite | RegexRewrite;
  /** Whether the query is left out. Default false. */
  readonly stripQuery?: boolean;
  /** Default 302. */
  readonly status?: 301 | 302 | 303 | 307 | 308;
}

/** Answers here. */
export interface DirectResponseAction {
  readonly kind: 'direct';
  readonly status: number;
  readonly body?: string;
  /** Makes the body, in which `%LOCAL_REPLY_BODY%` stands for `body` (Envoy `DirectResponseAction.body_format`). Default: it is `body`. */
  readonly format?: LocalReplyFormat;
  /** Error code for the record when this answer reports a failure, e.g. `TULLE_BACKEND_INVALID`. */
  readonly code?: string;
}
