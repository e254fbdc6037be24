import type { SubsetCriteria } from '@tulle/balance';
import type { FieldTable } from '@tulle/fields';
import type { RouteInfo } from '@tulle/filter';
import type { Http1Limits } from '@tulle/http1';
import type { Http2Options } from '@tulle/http2';
import type { CidrSet, EscapedSlashes, RouteMatcher } from '@tulle/match';
import type {
  CheckedControl,
  Forwarding,
  CertificatePart,
  ConnectTermination,
  DirectResponseAction,
  RedirectAction,
  Route,
  RouteDecorator,
  RouteMatch,
  RoutePriority,
  RouteTracing,
  Http2Keepalive,
} from '@tulle/model';
import type { StreamRecord } from '@tulle/telemetry';
import type { HeadStep, PhaseTable } from '../chain/tables.ts';
import type { UpstreamRef } from '../sides.ts';
import type { ChainLogs, ChainTracer, CompiledLog, SpanNames } from '../stream/logs.ts';
import type { CompiledHashPolicy } from './compiled-hash-policy.ts';
import type { FilterSet } from './filter-set.ts';
import type { IdentityPatterns } from './identity-patterns.ts';
import type { CountersOf } from '../upstream/route-metrics.ts';
import type { CompiledPersistence } from './compile-persistence.ts';

/** Header edits of a route, compiled: in the order remove, set, add. */
export interface CompiledEdits {
  readonly remove: readonly string[];
  /** `[name, value, …]` */
  readonly set: readonly string[];
  readonly add: readonly string[];
  /** What depends on the stream; `null`: nothing does. */
  readonly depending: readonly DependingEdit[] | null;
}

/** An edit that depends on what is there, or whose value is made for each stream. */
export interface DependingEdit {
  readonly how: 'set' | 'set-if-present' | 'add' | 'add-if-absent';
  readonly name: string;
  readonly value: string;
  /** Makes the value; `undefined`: it is `value`. */
  readonly render: ((record: StreamRecord) => string) | undefined;
}

/** One share of a split: where requests go, and what is in force for them. Also the `RouteInfo` that filters see. */
export interface ForwardTarget extends RouteInfo {
  readonly kind: 'target';
  readonly ref: UpstreamRef;
  /** Each request says itself which cluster it is: of one that names none there is, the target is this one. `undefined`: `ref` is it. */
  readonly named: HeaderTargets | undefined;
  readonly weight: number;
  /** Labels that the endpoint must have, where the cluster has subsets; `undefined`: none. */
  readonly subset: SubsetCriteria | undefined;
  /** New `Host`; `''`: as the route says. */
  readonly host: string;
  readonly table: PhaseTable;
  /** Route's, then backend's. */
  readonly requestEdits: readonly CompiledEdits[];
  readonly responseEdits: readonly CompiledEdits[];
}

/** Sends the request on. */
export interface CompiledForward {
  readonly kind: 'forward';
  readonly targets: readonly ForwardTarget[];
  /** Field whose number decides the split; `''`: chance does. */
  readonly splitHeader: string;
  /** What {@link hashPolicy} makes of the request decides the split. */
  readonly splitByHash: boolean;
  /** Finds the target by a request field; `undefined`: the split does. */
  readonly byHeader: HeaderTargets | undefined;
  /** Sum of the weights; 0: the route answers 500 (Gateway API). */
  readonly totalWeight: number;
  readonly requestTimeoutMs: number;
  /** The same for gRPC calls: 0 where the route says none, since such calls may be streams and bring deadlines of their own. */
  readonly grpcTimeoutMs: number;
  /** The longest deadline that the caller of a gRPC call may ask for; 0: any. */
  readonly maxGrpcTimeoutMs: number;
  readonly grpcTimeoutOffsetMs: number;
  /** Below 0: the listener's. */
  readonly maxStreamDurationMs: number;
  readonly perTryTimeoutMs: number;
  /** 0: an attempt may be silent as long as it likes. */
  readonly perTryIdleMs: number;
  /** `null`: retries avoid no endpoint for its labels. */
  readonly avoidOnRetry: readonly (readonly (readonly [key: string, value: string])[])[] | null;
  /** Attempts after which their priorities are left out; 0: never. */
  readonly newPriorityEvery: number;
  readonly idleTimeoutMs: number;
  readonly rewrite: CompiledRewrite | undefined;
  /** Where the chosen cluster is not there. */
  readonly notFound: 'TULLE_ROUTE_NOT_FOUND' | 'TULLE_BACKEND_INVALID' | 'TULLE_CLUSTER_NOT_FOUND';
  readonly allowUpgrades: readonly string[];
  readonly allowConnect: boolean;
  /** `null`: CONNECT is passed on. */
  readonly connect: ConnectTermination | null;
  readonly trustIdempotencyKey: boolean;
  /** Replay buffer of a stream; below 0: the listener's. */
  readonly maxReplayBytes: number;
  /** Whether `x-envoy-attempt-count` is told to the endpoint, and to the caller. */
  readonly countsToEndpoint: boolean;
  readonly countsToCaller: boolean;
  /** Whether `x-envoy-is-timeout-retry` is told to the endpoint. */
  readonly tellsTimeoutRetry: boolean;
  /** Which of its cluster's limits its requests count towards. */
  readonly highPriority: boolean;
  /** `null`: no endpoint is chosen by a hash. */
  readonly hashPolicy: readonly CompiledHashPolicy[] | null;
  /** `null`: callers are not kept at their endpoints. */
  readonly persistence: CompiledPersistence | null;
  /** `null`: no copies are sent. */
  readonly mirrors: readonly CompiledMirror[] | null;
  /** `null`: answers that lead elsewhere go to the caller. */
  readonly internalRedirect: CompiledInternalRedirect | null;
  /** Where a cluster is looked for that is not there; `undefined`: nowhere. */
  readonly onDemand: CompiledOnDemand | undefined;
}

/** Which redirects are followed here. */
export interface CompiledInternalRedirect {
  readonly max: number;
  readonly statuses: ReadonlySet<number>;
  readonly schemes: 'same' | 'safe' | 'any';
  /** `null`: to any. */
  readonly routes: ReadonlySet<string> | null;
  readonly newRoutes: boolean;
  /** Lower case. */
  readonly copyHeaders: readonly string[];
}

/** Where clusters are looked for. */
export interface CompiledOnDemand {
  readonly source: string;
  readonly timeoutMs: number;
}

/** The clusters that requests name themselves. */
export interface HeaderTargets {
  /** Of the field, lower case. */
  readonly name: string;
  /** @returns `undefined` where there is no such cluster */
  find(cluster: string): ForwardTarget | undefined;
}

/** What is changed of a request's target. */
export interface CompiledRewrite {
  readonly host: string | undefined;
  /** A request field, or what makes a host of the path. */
  readonly hostFrom: string | ((path: string) => string) | undefined;
  /** Makes a host for each request; it has the last word. `undefined`: nothing does. */
  readonly hostFormat: ((record: StreamRecord) => string) | undefined;
  /** Each attempt has its endpoint's name. */
  readonly hostOfEndpoint: boolean;
  readonly forwardHost: boolean;
  readonly path: CompiledPathRewrite | undefined;
}

/** How a path becomes another. */
export type CompiledPathRewrite =
  | { readonly kind: 'full' | 'prefix'; readonly value: string }
  /** @returns `''` where no path comes out */
  | { readonly kind: 'made'; make(path: string, slashes: EscapedSlashes): string }
  /** A path, and behind a `?` a query; `''`: the path stays. */
  | { readonly kind: 'format'; readonly render: (record: StreamRecord) => string };

/** Answers with a redirect. */
export interface CompiledRedirect extends Omit<RedirectAction, 'path'> {
  readonly path?: CompiledPathRewrite | undefined;
}

/** Where copies of a route's requests go. */
export interface CompiledMirror {
  readonly target: ForwardTarget;
  /** 100: of all. */
  readonly percent: number;
  readonly shadowHost: boolean;
  /** In place of the request's; `undefined`: see `shadowHost`. */
  readonly host: string | undefined;
  /** `null`: none. */
  readonly edits: readonly CompiledEdits[] | null;
}

/** What a route does. */
export type CompiledAction = CompiledForward | CompiledRedirect | CompiledDirect;

/** Answers by itself. */
export interface CompiledDirect extends Omit<DirectResponseAction, 'format'> {
  readonly format: CompiledReplyFormat | undefined;
}

/** What is other than in its handler for the traces of a route's requests. */
export interface CompiledRouteTracing {
  /** Shares as in `TracingSettings`. */
  readonly sampleRatio: number;
  readonly clientSampleRatio: number;
  readonly names: SpanNames;
  /** `undefined`: those of the handler alone. */
  readonly tags: RouteTracing['customTags'] | undefined;
}

/** A route with everything looked up that can be. */
export interface CompiledRoute extends RouteInfo {
  readonly kind: 'route';
  /** Number within the configuration, for decision notes. */
  readonly index: number;
  /** The virtual host that it stands in. */
  readonly virtualHost: string;
  /** Its conditions as configured, for explanations. */
  readonly match: RouteMatch;
  readonly action: CompiledAction;
  /** Who is sent to HTTPS where the request came without; `undefined`: nobody. */
  readonly requireTls: 'all' | 'external' | undefined;
  /** Who is refused last while the proxy sheds load. */
  readonly priority: RoutePriority;
  /** What counts its requests apart; `undefined`: nothing does. */
  readonly countersOf: CountersOf | undefined;
  /** What spans of its requests are called; `undefined`: it does not say. */
  readonly decorator: RouteDecorator | undefined;
  /** `undefined`: as its handler says. */
  readonly tracing: CompiledRouteTracing | undefined;
  /** What its author noted of it, for logs and spans. */
  readonly notes: Route['metadata'];
  /** Its path was matched in any case. */
  readonly ignoreCase: boolean;
  /** Element-wise prefix that matched, for prefix rewrites; `undefined` for other kinds of match. */
  readonly prefix: string | undefined;
  /** Plain string prefix that matched. */
  readonly bytesPrefix: string | undefined;
  /** In force for redirects, direct responses, and splits without a backend. */
  readonly table: PhaseTable;
  readonly responseEdits: readonly CompiledEdits[];
}

/** What answers look like that are given here. */
export interface CompiledLocalReplies {
  readonly mappers: readonly CompiledReplyMapper[];
  readonly format: CompiledReplyFormat | undefined;
}

/** What becomes of some of them. */
export interface CompiledReplyMapper {
  readonly minStatus: number;
  readonly maxStatus: number;
  /** `null`: whatever they are. */
  readonly flags: readonly string[] | null;
  /** 0: it stays. */
  readonly status: number;
  readonly body: string | undefined;
  readonly format: CompiledReplyFormat | undefined;
  readonly edits: CompiledEdits | undefined;
}

/** How a body is made. */
export interface CompiledReplyFormat {
  readonly contentType: string;
  /** @param body what it would have been */
  render(record: StreamRecord, body: string): string;
}

/** What is believed of where requests say they came from, as Envoy does. */
export interface CompiledForwarding {
  readonly client: 'peer' | 'header';
  readonly trustedHops: number;
  readonly append: boolean;
  readonly port: boolean;
  readonly clientCertificate: 'sanitize' | 'forward' | 'append' | 'replace' | 'always-forward';
  readonly certificateParts: readonly CertificatePart[];
  /** `undefined`: none. */
  readonly internal: CidrSet | undefined;
  /** `undefined`: as the connection is, or as is said. */
  readonly scheme: 'http' | 'https' | undefined;
  /** `undefined`: endpoints are not told. */
  readonly node: Forwarding['node'];
  /** In place of `trustedHops`; what comes after one that refuses is never asked. `undefined`: there are none. */
  readonly detection: readonly CompiledDetection[] | undefined;
  /** Status for those whose address the last of {@link detection} does not find; 0: they are let in. */
  readonly refuseStatus: number;
}

/** A place where the address of a caller is looked for. */
export type CompiledDetection =
  | {
      readonly kind: 'forwarded-for';
      readonly trustedHops: number;
      readonly trusted: CidrSet | undefined;
      readonly append: boolean;
    }
  | { readonly kind: 'header'; readonly name: string; readonly internal: boolean };

/** Settings of an HTTP handler with their defaults filled in. */
export interface HttpSettings {
  readonly statPrefix: string;
  readonly requestHeadTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly streamIdleTimeoutMs: number;
  /** Bounds of what callers send; one object for all connections of the chain. */
  readonly codecLimits: Partial<Http1Limits>;
  /** Clusters that take what turns out to be no HTTP; none: it is refused. */
  readonly otherwise: readonly string[];
  /** What callers speak. */
  readonly codec: 'auto' | 'http1' | 'http2';
  /** Bounds of callers that speak HTTP/2. */
  readonly http2: Partial<Http2Options>;
  readonly http2Keepalive: Http2Keepalive | undefined;
  readonly maxReplayBytes: number;
  readonly allowUpgrades: readonly string[];
  readonly allowConnect: boolean;
  /** What is done to fields before anything looks at them; `null`: nothing. */
  readonly earlyEdits: readonly CompiledEdits[] | null;
  readonly stripIdentityHeaders: boolean;
  /** Peers whose claims hold; `undefined`: none. */
  readonly trustedForwarders: IdentityPatterns | undefined;
  /** In place of the two before. */
  readonly forwarding: CompiledForwarding | undefined;
  /** Fields that requests from outside lose, by the route configuration, which scopes find by the request; `null`: none. */
  readonly internalOnly: readonly string[] | null | ((headers: FieldTable) => readonly string[] | null);
  readonly pathParameters: 'keep' | 'strip' | 'refuse';
  readonly escapedSlashes: 'refuse' | 'keep' | 'unescape' | 'redirect';
  readonly stripPort: 'any' | 'matching' | undefined;
  readonly requestId: {
    readonly generate: boolean;
    readonly replaceExternal: boolean;
    readonly inResponse: boolean;
  };
  /** `''`: nothing is added. */
  readonly via: string;
  readonly requestTimeoutMs: number;
  readonly maxStreamDurationMs: number;
  /** `undefined`: as the engine's limits say. */
  readonly delayedCloseMs: number | undefined;
  readonly drainTimeoutMs: number | undefined;
  readonly drainJitterPercent: number;
  readonly maxConnectionDurationMs: number;
  readonly connectionJitterPercent: number;
  readonly maxRequestsPerConnection: number;
  readonly underscores: 'allow' | 'refuse' | 'drop';
  readonly acceptHttp10: boolean;
  /** `''`: the listener's address. */
  readonly defaultHost: string;
  readonly serverHeader: string | undefined;
  readonly serverHeaderIfAbsent: boolean;
  /** When there is a line about a request that goes on, `everyMs` 0: not by time; `undefined`: never. */
  readonly logMoments:
    | { readonly start: boolean; readonly tunnel: boolean; readonly everyMs: number }
    | undefined;
  /** `undefined`: nothing of what callers say by fields is looked at. */
  readonly callerControls:
    | { readonly checks: readonly CheckedControl[]; readonly timeout: boolean }
    | undefined;
  readonly localReplies: CompiledLocalReplies | undefined;
  /** Who is told what routes call their requests; the other one is believed in it. `undefined`: nobody. */
  readonly decorates: 'endpoint' | 'caller' | undefined;
  /** `undefined`: requests wait for nothing. */
  readonly onDemand:
    | {
        /** The route configuration of which more virtual hosts may be; `''`: it has all. */
        readonly routes: string;
        readonly clusters: CompiledOnDemand | undefined;
      }
    | undefined;
}

/**
 * One HTTP filter chain of one configuration generation. Streams hold the chain that they began with until they end;
 * the last one to let go of a replaced chain lets its filters be disposed.
 */
export class HttpChain {
  readonly name: string;
  readonly listener: string;
  /** Its streams are the proxy's own calls: they leave no record. */
  readonly internal: boolean;
  /** Its requests are not refused since the proxy sheds load. */
  readonly bypassesOverload: boolean;
  /** Configuration generation, by which notes are decoded. */
  readonly generation: number;
  readonly settings: HttpSettings;
  readonly filters: FilterSet;
  /** Its access logs; `null`: none. */
  readonly logs: readonly CompiledLog[] | null;
  /** `undefined`: the engine's tracing, if it has any. */
  readonly tracer: ChainTracer | undefined;
  readonly beforeRoute: readonly HeadStep[] | null;
  /** In force before routing, and for requests that no route matches. */
  readonly unrouted: PhaseTable;
  readonly matcher: RouteMatcher<CompiledRoute>;
  /** Whether it depends on a request's route how likely it is traced. */
  readonly tracedByRoute: boolean;
  readonly onDemand: HttpSettings['onDemand'];
  /**
   * Where the newest of its name stands; `undefined` before it serves. Not the next one: a stream that stays for days would hold
   * every generation since.
   */
  place: { readonly current: HttpChain | undefined } | undefined = undefined;
  readonly #accessLogs: ChainLogs | undefined;
  #streams = 0;
  #retired = false;

  constructor(parts: {
    readonly name: string;
    readonly listener: string;
    readonly internal?: boolean;
    readonly bypassesOverload?: boolean;
    readonly generation: number;
    readonly settings: HttpSettings;
    readonly filters: FilterSet;
    readonly accessLogs?: ChainLogs | undefined;
    readonly tracer?: ChainTracer | undefined;
    readonly beforeRoute: readonly HeadStep[] | null;
    readonly unrouted: PhaseTable;
    readonly matcher: RouteMatcher<CompiledRoute>;
  }) {
    this.name = parts.name;
    this.listener = parts.listener;
    this.internal = parts.internal ?? false;
    this.bypassesOverload = parts.bypassesOverload ?? false;
    this.generation = parts.generation;
    this.settings = parts.settings;
    this.filters = parts.filters;
    this.beforeRoute = parts.beforeRoute;
    this.unrouted = parts.unrouted;
    this.matcher = parts.matcher;
    this.tracedByRoute = parts.matcher.payloads.some(({ tracing }) => tracing !== undefined);
    this.onDemand = parts.settings.onDemand;
    this.logs = parts.accessLogs?.logs ?? null;
    this.#accessLogs = parts.accessLogs;
    parts.filters.retain();
    parts.accessLogs?.retain();
    this.tracer = parts.tracer;
    this.tracer?.retain();
  }

  /** A newer chain took its place. */
  get retired(): boolean {
    return this.#retired;
  }

  /** Streams under way on this chain. */
  get streams(): number {
    return this.#streams;
  }

  retain(): void {
    this.#streams++;
  }

  release(): void {
    if (--this.#streams === 0 && this.#retired) this.#letGo();
  }

  /** Replaced by a newer chain: no new stream comes. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    if (this.#streams === 0) this.#letGo();
  }

  #letGo(): void {
    this.filters.release();
    this.#accessLogs?.release();
    this.tracer?.release();
  }
}

/** Applies what depends on no stream. Values were validated when they were compiled, names are lower case. */
export function applyEdits(table: FieldTable, edits: readonly CompiledEdits[]): void {
  for (let i = 0; i < edits.length; i++) {
    const { remove, set, add } = edits[i] as CompiledEdits;
    for (let at = 0; at < remove.length; at++) table.drop(remove[at] as string);
    for (let at = 0; at < set.length; at += 2) table.put(set[at] as string, set[at + 1] as string);
    for (let at = 0; at < add.length; at += 2) table.add(add[at] as string, add[at + 1] as string);
  }
}
