import type { RateLimitActions } from './rate-limit-actions.ts';

/** All virtual hosts of one listener's HTTP traffic. Names follow D15. */
export interface RouteConfig {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
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
  readonly filterConfigs?: FilterConfigs;
  /** How requests are described to filters that limit rates, where their route says nothing else. */
  readonly rateLimits?: readonly RateLimitActions[];
}

/**
 * Overrides by slot name: what a filter's chain entry is given differently here; `null` removes the filter on this
 * route, `true` puts it in force as the chain has it. A mandatory filter takes none of them. Merged at load: virtual
 * host, then route, then weighted backend.
 */
export type FilterConfigs = Readonly<Record<string, unknown>>;

/** One rule: what it matches and what then happens. */
export interface Route {
  /** Unique within the route configuration; shown in records and metrics. */
  readonly name: string;
  readonly match: RouteMatch;
  readonly action: ForwardAction | RedirectAction | DirectResponseAction;
  readonly requestHeaders?: HeaderEdits;
  readonly responseHeaders?: HeaderEdits;
  readonly filterConfigs?: FilterConfigs;
  /** Who is refused last while a proxy sheds load. Default `default`. */
  readonly priority?: RoutePriority;
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
  readonly headers?: readonly ValueMatch[];
  readonly query?: readonly ValueMatch[];
  /** Only gRPC requests: `content-type: application/grpc`, also with `+suffix` or parameters (Envoy `RouteMatch.grpc`). Default false. */
  readonly grpc?: boolean;
}

/**
 * - `exact`: the whole path.
 * - `prefix`: element-wise as in Gateway API: `/a` matches `/a` and `/a/b`, never `/ab`. `/` matches everything.
 * - `bytes-prefix`: plain string prefix (Envoy `RouteMatch.prefix`), for foreign control planes.
 * - `regex`: RE2 syntax, linear time, the whole path.
 */
export interface PathMatch {
  readonly kind: 'exact' | 'prefix' | 'bytes-prefix' | 'regex';
  readonly value: string;
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
  /** For one attempt; 0 or absent: off. Never longer than the request timeout. */
  readonly perTryTimeoutMs?: number;
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
  /**
   * Answer to what falls to a cluster that is not there: 500 where that is no accident (Gateway API: an invalid
   * backendRef). Default 503 (Envoy `RouteAction.cluster_not_found_response_code`, whose default it is).
   */
  readonly clusterNotFoundStatus?: 404 | 500 | 503;
  /** How requests are described to filters that limit rates. */
  readonly rateLimits?: readonly RateLimitActions[];
  /** Whether the host's `rateLimits` count too, although there are some here (Envoy `include_vh_rate_limits`). Default false. */
  readonly includeHostRateLimits?: boolean;
  /** Upgrade protocols allowed, lower case, e.g. `['websocket']`. Default: the listener's. */
  readonly allowUpgrades?: readonly string[];
  /**
   * Whether a request with an `Idempotency-Key` may be sent twice, whatever its method: the service behind knows such keys
   * (decision D5). Default false: a key that nobody reads protects nobody.
   */
  readonly trustIdempotencyKey?: boolean;
}

/**
 * - `header`: all lines of a field.
 * - `cookie`: a cookie's value. With `ttlMs` a caller without one gets one made up, which lives that long; 0: as long as its
 *   session.
 * - `source-ip`: the address of who connected.
 * - `query`: the first value of a query parameter.
 *
 * `terminal`: where this one has a value, those behind it are left out. Default false.
 */
export type HashPolicy = { readonly terminal?: boolean } & (
  | { readonly kind: 'header' | 'query'; readonly name: string }
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

/** Where copies of requests go. */
export interface Mirror {
  readonly cluster: string;
  /** Share of the requests that are copied, percent. Default 100. */
  readonly percent?: number;
  /** Copies say `<host>-shadow` for their host, as Envoy's do unless told otherwise. Default false. */
  readonly shadowHost?: boolean;
}

/** One share of a split. */
export interface WeightedCluster {
  readonly name: string;
  /** 0 to 1,000,000. Default 1. */
  readonly weight?: number;
  /** Labels that the endpoint must have, where the cluster has `subsets` (Envoy `metadata_match`, namespace `envoy.lb`). */
  readonly subset?: Readonly<Record<string, string>>;
  readonly requestHeaders?: HeaderEdits;
  readonly responseHeaders?: HeaderEdits;
  readonly filterConfigs?: FilterConfigs;
}

/** What is changed of the request's target before it is sent on. */
export interface Rewrite {
  /** New `Host`. */
  readonly host?: string;
  /** `full` replaces the path, `prefix` the matched prefix (element-wise, Gateway API ReplacePrefixMatch). */
  readonly path?: { readonly kind: 'full' | 'prefix'; readonly value: string };
}

/** Answers with a redirect (Gateway API HTTPRequestRedirectFilter). Absent parts stay as they were. */
export interface RedirectAction {
  readonly kind: 'redirect';
  readonly scheme?: 'http' | 'https';
  readonly host?: string;
  /**
   * Default: the scheme's well-known port when scheme is given, else the listener's; where the listener has a direction
   * (a sidecar), the one that the request asked for.
   */
  readonly port?: number;
  readonly path?: { readonly kind: 'full' | 'prefix'; readonly value: string };
  /** Default 302. */
  readonly status?: 301 | 302 | 303 | 307 | 308;
}

/** Answers here. */
export interface DirectResponseAction {
  readonly kind: 'direct';
  readonly status: number;
  readonly body?: string;
  /** Error code for the record when this answer reports a failure, e.g. `TULLE_BACKEND_INVALID`. */
  readonly code?: string;
}

/** Edits in the order remove, set, add. Names lower case. */
export interface HeaderEdits {
  readonly set?: readonly HeaderValue[];
  readonly add?: readonly HeaderValue[];
  readonly remove?: readonly string[];
}

/** A field with its value. */
export interface HeaderValue {
  readonly name: string;
  readonly value: string;
}
