import { checkDefinition } from './check-definition.ts';
import type { ConfigSchema } from './schema.ts';
import type { DefinitionBase, FilterHost } from './host.ts';
import type { HttpStream } from './stream.ts';
import type { Slot } from './slot.ts';
import type { AttemptVerdict, HookResult } from './verdict.ts';

/**
 * Where an HTTP filter runs when a chain is assembled from resources (decision D7). A chain written in code keeps
 * list order instead. `custom` is the default.
 */
export type HttpPhase = 'cors' | 'authn' | 'authz' | 'limit' | 'fault' | 'custom' | 'transform';

/**
 * What a filter wants of a body, declared so that no return value decides buffering:
 * - `'observe'`: sees the bytes; they pass unchanged, Content-Length stays.
 * - `'transform'`: only what it {@link HttpStream.emit}s goes on; the engine drops Content-Length and validators
 *   (etag, content-md5, digest fields).
 * - `'recode'`: a transform that changes the content coding and nothing else (compression): a strong etag becomes weak
 *   (RFC 9110 §8.8.1) instead of going.
 * - `{ buffer: maxBytes }`: the engine collects the whole body (past `maxBytes`: 413 for a request, 502 for a
 *   response) and calls the hook once with `end` true; the body passes unchanged unless the hook emits. With `partial`
 *   a larger body is not refused: the hook gets its first `maxBytes`, with `end` false, and the rest passes behind what comes of them.
 */
export type BodyNeed =
  | 'observe'
  | 'transform'
  | 'recode'
  | { readonly buffer: number; readonly partial?: boolean };

/** Body needs of both directions; a direction that is left out has none. */
export interface BodyNeeds {
  readonly request?: BodyNeed;
  readonly response?: BodyNeed;
}

/**
 * The phases of a stream, all optional; an absent hook costs nothing. Each gets the stream, the configuration in force
 * on the matched route (the base one before routing), and the filter's pooled state for this stream.
 *
 * Request hooks run in chain order, response hooks in reverse: who sees the request first sees the response last.
 * A hook that throws gives that stream a 500 `TULLE_FILTER_FAILED` (or is skipped where the chain says fail-open),
 * is counted by filter name, and never touches another stream.
 */
export interface HttpHooks<Config, State = undefined> {
  /** Once a stream (scope `request`) or once an attempt (scope `attempt`), head complete, no body read yet. */
  requestHeaders?(stream: HttpStream, config: Config, state: State): HookResult;
  /** For each piece of request body. `bytes` are borrowed until the hook returns. @param end whether it is the last */
  requestData?(stream: HttpStream, config: Config, state: State, bytes: Uint8Array, end: boolean): HookResult;
  /** When the request ended with trailers; they are read through `stream.request.trailers`. */
  requestTrailers?(stream: HttpStream, config: Config, state: State): HookResult;
  /** Once, for the response that will be delivered (scope `request`), also for local replies. Not for 1xx. */
  responseHeaders?(stream: HttpStream, config: Config, state: State): HookResult;
  responseData?(
    stream: HttpStream,
    config: Config,
    state: State,
    bytes: Uint8Array,
    end: boolean,
  ): HookResult;
  responseTrailers?(stream: HttpStream, config: Config, state: State): HookResult;
  /**
   * Scope `attempt`: after each attempt that failed, or whose response head came. Before a byte of it went to the
   * caller. Any filter saying RETRY is enough to ask; the engine's loop decides (budget, safety, time left).
   */
  attemptEnd?(stream: HttpStream, config: Config, state: State): AttemptVerdict;
  /**
   * Exactly once for each stream on which this filter is in force, however it ended (delivered, refused, reset).
   * The last moment at which stream and state may be touched; so it is synchronous: a promise is a fault that is counted.
   */
  complete?(stream: HttpStream, config: Config, state: State): undefined;
  /** Once, when this configuration generation has no stream left. Deadline 5 s, then it is logged and abandoned. */
  dispose?(): void | Promise<void>;
}

/** Everything about an HTTP filter but its configuration. One per module; frozen. */
export interface HttpFilterDefinition<
  Config,
  RouteConfig = Partial<Config>,
  State = undefined,
> extends DefinitionBase<Config> {
  readonly kind?: 'http';
  /** `request`: once a stream. `attempt`: inside the retry loop, with an endpoint chosen. Default `'request'`. */
  readonly scope?: 'request' | 'attempt';
  /**
   * `before-route` filters may change what routing sees and run for requests that no route matches; they know only
   * the base configuration in `requestHeaders`. Default `'routed'`. (Decision D6.)
   */
  readonly stage?: 'before-route' | 'routed';
  readonly phase?: HttpPhase;
  /**
   * Whether a `routed` filter also runs, with its base configuration, for requests that no route matches: what
   * authenticates must not tell a stranger which paths exist (decision D6). Default false.
   */
  readonly unrouted?: boolean;
  /** Schema of the override a route may carry. Default: overrides are refused. */
  readonly routeConfig?: ConfigSchema<RouteConfig>;
  /** Merges at load, never in a request. Default: the override's properties replace the base's. */
  mergeRoute?(base: Config, override: RouteConfig): Config;
  /** Whether the filter does anything under this configuration; where not, its slot is left empty and costs nothing. */
  applies?(config: Config): boolean;
  /**
   * Scope `attempt`: whether `attemptEnd` asks for another attempt at gRPC calls by the status that refused them, since the
   * operator named statuses after which that is right. Only then are calls repeated that are not idempotent otherwise
   * (decision D5), and their bodies kept for it. Default false.
   */
  retriesGrpc?(config: Config): boolean;
  /** Body needs; a data hook without a declared need is an error when the chain is built. */
  readonly body?: BodyNeeds;
  /**
   * Body needs under this configuration, in place of `body`; asked at load. A data hook whose direction has no need
   * here is left out, and such bodies pass uncopied.
   */
  bodyFor?(config: Config): BodyNeeds;
  /** Per-stream state: made rarely, reset between streams. */
  readonly state?: { create(): State; reset(state: State): void };
  readonly provides?: readonly Slot<unknown>[];
  /** What an earlier filter must provide, whatever the configuration. */
  readonly requires?: readonly Slot<unknown>[];
  /** What an earlier filter must provide under this configuration, the base one or a route's; on top of `requires`. */
  requiresFor?(config: Config): readonly Slot<unknown>[];
  /**
   * Once a configuration generation, before it takes traffic; may be asynchronous (deadline 10 s). Instances are
   * disposed in reverse order of creation, also after a failed creation further down the chain.
   */
  create(host: FilterHost, config: Config): HttpHooks<Config, State> | Promise<HttpHooks<Config, State>>;
}

/** How a filter stands in a chain. */
export interface FilterUseOptions {
  /** Name of the slot; routes override by it. Default: the filter id. Needed when one filter is used twice. */
  readonly name?: string;
  /** No route can remove it or configure it otherwise (decision D7). Default false. */
  readonly mandatory?: boolean;
  /** Skip the filter where it throws, instead of answering 500; refused where the filter forbids it. Default false: closed. */
  readonly failOpen?: boolean;
  /** Off until a route puts it in force; for filters of requests. Default false. */
  readonly disabled?: boolean;
}

/** A filter with its configuration, ready for a chain. */
export interface HttpFilterUse {
  readonly filter: AnyHttpFilter;
  /** Parsed and validated when the chain is built. */
  readonly config: unknown;
  readonly options: FilterUseOptions;
}

/** A filter: call it with a configuration to put it into a chain, or list it in a registry to have it named by resources. */
export interface HttpFilter<Config, RouteConfig = Partial<Config>, State = undefined> {
  (config: Config, options?: FilterUseOptions): HttpFilterUse;
  readonly definition: HttpFilterDefinition<Config, RouteConfig, State>;
}

/** Any HTTP filter whatever its configuration, e.g. as an element of a registry. Every {@link HttpFilter} is one. */
export interface AnyHttpFilter {
  (config: never, options?: FilterUseOptions): HttpFilterUse;
  readonly definition: HttpFilterDefinition<unknown, unknown, unknown>;
}

/**
 * Defines an HTTP filter.
 *
 * ```ts
 * export const greet = defineHttpFilter({
 *   apiVersion: 1,
 *   id: 'tulle-filter-greet',
 *   config: jsonSchema<{ greeting: string }>({ type: 'object', properties: { greeting: { type: 'string' } }, required: ['greeting'], additionalProperties: false }),
 *   effects: 'none',
 *   create: (host) => ({
 *     responseHeaders(stream, config) {
 *       stream.response.headers.set('x-greeting', config.greeting);
 *       return CONTINUE;
 *     },
 *   }),
 * });
 * // createProxy({ filters: [greet({ greeting: 'hello' })], … })
 * ```
 * @throws TulleError `TULLE_CONFIG_INVALID` when the definition contradicts itself (bad id, unknown apiVersion)
 */
export function defineHttpFilter<Config, RouteConfig = Partial<Config>, State = undefined>(
  definition: HttpFilterDefinition<Config, RouteConfig, State>,
): HttpFilter<Config, RouteConfig, State> {
  checkDefinition(definition);
  const frozen = Object.freeze({ ...definition, kind: 'http' as const });
  const filter = ((config: Config, options: FilterUseOptions = {}): HttpFilterUse =>
    Object.freeze({ filter, config, options })) as HttpFilter<Config, RouteConfig, State>;
  return Object.freeze(Object.assign(filter, { definition: frozen }));
}
