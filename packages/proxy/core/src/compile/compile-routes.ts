import { subsetCriteria, type SubsetCriteria } from '@tulle/balance';
import { findInvalidName } from '@tulle/fields';
import type { RouteInfo } from '@tulle/filter';
import {
  CompileContext,
  compileRoutes,
  normalizeConfiguredPath,
  usesRegex,
  type RegexEngine,
  type RouteMatcher,
} from '@tulle/match';
import {
  RATE_LIMITS,
  type ForwardAction,
  type Route,
  type RouteConfig,
  type RouteRateLimits,
  type VirtualHost,
} from '@tulle/model';
import type { Meter } from '@tulle/telemetry';
import type { ClusterRef } from '../upstream/cluster.ts';
import { checkRateLimits } from './check-rate-limits.ts';
import { compileEdits } from './compile-edits.ts';
import { compilePersistence } from './compile-persistence.ts';
import { compileHashPolicy } from './compile-hash-policy.ts';
import { compileMirrors } from './compile-mirrors.ts';
import { compileFormat } from './compile-local-replies.ts';
import { compileInternalRedirect } from './compile-internal-redirect.ts';
import { compileRouteMetrics } from './compile-route-metrics.ts';
import { checkedDecorator, compileRouteTracing } from './compile-route-tracing.ts';
import { compileHost, compileRedirect, compileRewrite } from './compile-rewrite.ts';
import type {
  CompiledAction,
  CompiledEdits,
  CompiledForward,
  CompiledOnDemand,
  CompiledRoute,
  ForwardTarget,
  HeaderTargets,
  HttpSettings,
} from './compiled.ts';
import { compileOnDemandClusters } from './compile-settings.ts';
import type { Issues } from './issues.ts';
import type { OverrideLayer, TableMaker } from './table-maker.ts';
import { namedTargets, NO_CLUSTER, target } from './targets.ts';

/** What compiling routes needs besides them. */
export interface RouteContext {
  readonly settings: HttpSettings;
  readonly tables: TableMaker;
  readonly issues: Issues;
  readonly regex: RegexEngine | undefined;
  /** Where requests that are counted apart are counted. */
  readonly meter: Meter;
  /** The reference of a cluster name; notes where the name stands, so that a dangling one can be reported. */
  cluster(name: string, path: string): ClusterRef;
  /** That of a name which something else has named; `undefined`: nothing has. */
  find(name: string): ClusterRef | undefined;
}

export { usesRegex };

/** Compiles a route configuration. @param path JSON pointer of it @param first number of its first route in its chain */
export function compileRouteConfig(
  config: RouteConfig,
  path: string,
  context: RouteContext,
  first: number = 0,
): RouteMatcher<CompiledRoute> | undefined {
  let index = first;
  const positions = positionsOf(config, path);
  checkHostHeader(config, path, context.issues);
  for (const [at, { rateLimits }] of config.virtualHosts.entries())
    checkRateLimits(rateLimits, `${path}/virtualHosts/${at}/rateLimits`, context.issues);
  return context.issues.guard(path, () =>
    compileRoutes<CompiledRoute>(
      config,
      (route, host) =>
        compileRoute(route, host, config, index++, positions.get(host)?.get(route) ?? NOWHERE, context),
      context.regex,
    ),
  );
}

/** Where virtual hosts are found by a field, those that are not there yet have no name to be asked for. */
function checkHostHeader({ hostHeader, discoversHosts }: RouteConfig, path: string, issues: Issues): void {
  if (hostHeader === undefined) return;
  if (findInvalidName(hostHeader.toLowerCase()) >= 0)
    issues.add(`${path}/hostHeader`, `${JSON.stringify(hostHeader)} is no field name (RFC 9110 §5.6.2)`);
  if (discoversHosts === true) issues.add(`${path}/hostHeader`, 'stands beside discoversHosts');
}

/** Where a route stands: as a pointer for issues, and by names that stay when others come and go. */
interface Position {
  readonly path: string;
  readonly place: string;
  readonly hostPath: string;
  readonly hostPlace: string;
  readonly configPath: string;
}

const NOWHERE: Position = Object.freeze({
  path: '',
  place: '',
  hostPath: '',
  hostPlace: '',
  configPath: '',
});

function positionsOf(
  config: RouteConfig,
  path: string,
): ReadonlyMap<VirtualHost, ReadonlyMap<Route, Position>> {
  const placeOfHost = placer('');
  return new Map(
    config.virtualHosts.map((host, h) => {
      const hostPath = `${path}/virtualHosts/${h}`;
      const hostPlace = placeOfHost(host.name);
      const placeOfRoute = placer(hostPlace);
      const positions = host.routes.map((route, r): [Route, Position] => [
        route,
        {
          path: `${hostPath}/routes/${r}`,
          place: placeOfRoute(route.name),
          hostPath,
          hostPlace,
          configPath: path,
        },
      ]);
      return [host, new Map(positions)];
    }),
  );
}

/** Names places; the second of one name is told apart from the first. */
function placer(within: string): (name: string) => string {
  const seen = new Map<string, number>();
  return (name) => {
    const nth = (seen.get(name) ?? 0) + 1;
    seen.set(name, nth);
    return `${within}/${JSON.stringify(name)}${nth === 1 ? '' : `#${nth}`}`;
  };
}

function compileRoute(
  route: Route,
  host: VirtualHost,
  config: RouteConfig,
  index: number,
  { path, place, hostPath, hostPlace, configPath }: Position,
  context: RouteContext,
): CompiledRoute {
  const { tables, issues } = context;
  if (route.action.kind === 'forward')
    checkRateLimits(route.action.rateLimits, `${path}/action/rateLimits`, issues);
  const layers: OverrideLayer[] = [
    { configs: config.filterConfigs, path: configPath, place: '' },
    { configs: host.filterConfigs, path: hostPath, place: hostPlace },
    { configs: route.filterConfigs, path, place },
  ];
  // Outermost first.
  const places = [
    { edits: config, at: configPath },
    { edits: host, at: hostPath },
    { edits: route, at: path },
  ];
  const around: EditsAround = {
    specificFirst: config.headerOrder === 'specific-first',
    request: places.map(({ edits, at }) =>
      compileEdits(edits.requestHeaders, `${at}/requestHeaders`, issues),
    ),
    response: places.map(({ edits, at }) =>
      compileEdits(edits.responseHeaders, `${at}/responseHeaders`, issues),
    ),
  };
  const { kind } = route.match.path;
  // As requests have it: the spelling that a rewrite takes off is the canonical one.
  const isText = kind === 'exact' || kind === 'prefix' || kind === 'bytes-prefix';
  const value = isText ? canonicalPath(route.match.path.value) : route.match.path.value;
  return Object.freeze({
    kind: 'route',
    index,
    name: route.name,
    cluster: undefined,
    virtualHost: host.name,
    priority: route.priority ?? 'default',
    countersOf: withContext(context, (matching) =>
      compileRouteMetrics(route, host, hostPath, context.meter, matching),
    ),
    decorator: checkedDecorator(route, path, issues),
    tracing: compileRouteTracing(route.tracing, path, issues),
    notes: route.metadata,
    match: route.match,
    pattern: route.match.path.value,
    ignoreCase: route.match.path.ignoreCase === true,
    prefix: kind === 'prefix' ? (value.endsWith('/') ? value.slice(0, -1) : value) : undefined,
    bytesPrefix: kind === 'bytes-prefix' ? value : undefined,
    table: tables.table(layers),
    requireTls: host.requireTls,
    responseEdits: inOrder(around, around.response, undefined),
    action: compileAction(route, host, path, context, layers, around),
  });
}

/** Edits of the places around a backend, outermost first. */
interface EditsAround {
  readonly specificFirst: boolean;
  readonly request: readonly (CompiledEdits | undefined)[];
  readonly response: readonly (CompiledEdits | undefined)[];
}

/** @param own of the backend */
function inOrder(
  { specificFirst }: EditsAround,
  around: readonly (CompiledEdits | undefined)[],
  own: CompiledEdits | undefined,
): readonly CompiledEdits[] {
  const all = [...around, own].filter((edits) => edits !== undefined);
  return specificFirst ? all.toReversed() : all;
}

/** What filters find beside the route; one object, whatever the request. */
function metadataOf(action: Route['action'], host: VirtualHost): RouteInfo['metadata'] {
  if (action.kind !== 'forward') return undefined;
  const { rateLimits = NO_LIMITS, includeHostRateLimits = false } = action;
  const ofHost = host.rateLimits ?? NO_LIMITS;
  if (rateLimits.length + ofHost.length === 0) return undefined;
  const limits: RouteRateLimits = { route: rateLimits, host: ofHost, includeHost: includeHostRateLimits };
  return Object.freeze({ [RATE_LIMITS]: Object.freeze(limits) });
}

const NO_LIMITS: readonly never[] = Object.freeze([]);

function compileAction(
  route: Route,
  host: VirtualHost,
  path: string,
  context: RouteContext,
  layers: readonly OverrideLayer[],
  around: EditsAround,
): CompiledAction {
  const { action } = route;
  const at = `${path}/action`;
  switch (action.kind) {
    case 'redirect':
      return withContext(context, (matching) => compileRedirect(action, route.match.path, at, matching));
    case 'direct': {
      const { format } = action;
      return { ...action, format: format && compileFormat(format, `${at}/format`, context.issues) };
    }
    case 'forward':
      return compileForward(route, host, action, at, context, layers, around);
  }
}

/** Compiles with the matchers' context; what it finds goes to the issues. */
function withContext<T>({ regex, issues }: RouteContext, compile: (context: CompileContext) => T): T {
  const context = new CompileContext(regex);
  const compiled = compile(context);
  for (const { path, message } of context.issues) issues.add(path, message);
  return compiled;
}

function canonicalPath(value: string): string {
  return normalizeConfiguredPath(value) || value;
}

const NOT_FOUND = {
  404: 'TULLE_ROUTE_NOT_FOUND',
  500: 'TULLE_BACKEND_INVALID',
  503: 'TULLE_CLUSTER_NOT_FOUND',
} as const;

function compileForward(
  { name, match }: Route,
  host: VirtualHost,
  action: ForwardAction,
  path: string,
  context: RouteContext,
  layers: readonly OverrideLayer[],
  around: EditsAround,
): CompiledForward {
  const { issues, settings } = context;
  const pattern = match.path.value;
  const metadata = metadataOf(action, host);
  const { rewrite, clusterNotFoundStatus = 503 } = action;
  const placeOfShare = placer(layers.at(-1)?.place ?? '');
  const targets = action.clusters.map((share, index): ForwardTarget => {
    const at = `${path}/clusters/${index}`;
    const own = [
      compileEdits(share.requestHeaders, `${at}/requestHeaders`, issues),
      compileEdits(share.responseHeaders, `${at}/responseHeaders`, issues),
    ];
    const { clusterHeader } = share;
    const common = {
      kind: 'target',
      name,
      ...(metadata === undefined ? {} : { metadata }),
      pattern,
      weight: share.weight ?? 1,
      subset: criteriaOf(share.subset),
      host: withContext(context, (matching) => compileHost(share.host, `${at}/host`, matching)),
      table: context.tables.table([
        ...layers,
        { configs: share.filterConfigs, path: at, place: placeOfShare(share.name ?? clusterHeader ?? '') },
      ]),
      requestEdits: inOrder(around, around.request, own[0]),
      responseEdits: inOrder(around, around.response, own[1]),
    } as const;
    return clusterHeader === undefined
      ? target(common, share.name ?? '', context.cluster(share.name ?? '', `${at}/name`))
      : target(common, '', NO_CLUSTER, namedTargets(clusterHeader, common, context.find));
  });
  const timeoutMs = action.requestTimeoutMs ?? 15_000;
  const perTryMs = action.perTryTimeoutMs ?? 0;
  const longest = context.settings.callerControls?.timeout !== true;
  return Object.freeze({
    kind: 'forward',
    targets,
    splitHeader: action.splitHeader?.toLowerCase() ?? '',
    splitByHash: splitsByHash(action, path, issues),
    byHeader: compileHeaderTargets(name, action, path, context, layers, around, metadata, pattern),
    totalWeight: targets.reduce((sum, target) => sum + target.weight, 0),
    requestTimeoutMs: timeoutMs,
    grpcTimeoutMs: action.requestTimeoutMs ?? 0,
    maxGrpcTimeoutMs: action.maxGrpcTimeoutMs ?? 0,
    grpcTimeoutOffsetMs: action.grpcTimeoutOffsetMs ?? 0,
    maxStreamDurationMs: action.maxStreamDurationMs ?? -1,
    // Never longer than the request's; one that is as long would only change the error's name.
    perTryTimeoutMs: longest && timeoutMs > 0 && perTryMs >= timeoutMs ? 0 : perTryMs,
    perTryIdleMs: action.perTryIdleTimeoutMs ?? 0,
    avoidOnRetry: avoided(action, path, issues),
    newPriorityEvery: action.newPriorityEvery ?? 0,
    idleTimeoutMs: action.idleTimeoutMs ?? -1,
    rewrite: withContext(context, (matching) =>
      compileRewrite(rewrite, match.path, `${path}/rewrite`, matching),
    ),
    mirrors: compileMirrors(name, action.mirrors, `${path}/mirrors`, context),
    hashPolicy: withContext(context, (matching) =>
      compileHashPolicy(action.hashPolicy, `${path}/hashPolicy`, matching),
    ),
    persistence: compilePersistence(action.persistence, `${path}/persistence`, issues),
    notFound: NOT_FOUND[clusterNotFoundStatus],
    allowUpgrades: (action.allowUpgrades ?? settings.allowUpgrades).map((protocol) => protocol.toLowerCase()),
    allowConnect: action.allowConnect ?? (action.connect !== undefined || settings.allowConnect),
    connect: action.connect ?? null,
    trustIdempotencyKey: action.trustIdempotencyKey === true,
    maxReplayBytes: action.maxReplayBytes ?? -1,
    countsToEndpoint: host.attemptCount?.request === true,
    countsToCaller: host.attemptCount?.response === true,
    tellsTimeoutRetry: host.tellsTimeoutRetry === true,
    highPriority: action.circuitPriority === 'high',
    internalRedirect: compileInternalRedirect(action.internalRedirect, `${path}/internalRedirect`, issues),
    onDemand: onDemandOf(action, settings),
  });
}

function splitsByHash(
  { splitByHash = false, splitHeader }: ForwardAction,
  path: string,
  issues: Issues,
): boolean {
  if (splitByHash && splitHeader !== undefined)
    issues.add(`${path}/splitByHash`, 'stands beside splitHeader; give one or the other');
  return splitByHash;
}

/** Labels of none would be all endpoints. */
function avoided(
  { avoidOnRetry = [] }: ForwardAction,
  path: string,
  issues: Issues,
): CompiledForward['avoidOnRetry'] {
  for (const [index, labels] of avoidOnRetry.entries())
    if (Object.keys(labels).length === 0) issues.add(`${path}/avoidOnRetry/${index}`, 'has no labels');
  return avoidOnRetry.length === 0 ? null : avoidOnRetry.map((labels) => Object.entries(labels));
}

/** A handler without the filter lets no request wait, whatever its routes say of it. */
function onDemandOf({ onDemand }: ForwardAction, settings: HttpSettings): CompiledOnDemand | undefined {
  if (settings.onDemand === undefined || onDemand === 'none') return undefined;
  return onDemand === undefined ? settings.onDemand.clusters : compileOnDemandClusters(onDemand);
}

/** What labels ask for; `undefined` where there are none. */
export function criteriaOf(labels: Readonly<Record<string, string>> = {}): SubsetCriteria | undefined {
  return Object.keys(labels).length === 0 ? undefined : subsetCriteria(labels);
}

/** Those of a route that leads nowhere else. */
function compileHeaderTargets(
  name: string,
  { clusterHeader, clusters }: ForwardAction,
  path: string,
  context: RouteContext,
  layers: readonly OverrideLayer[],
  around: EditsAround,
  metadata: RouteInfo['metadata'],
  pattern: string,
): HeaderTargets | undefined {
  if (clusterHeader === undefined) return undefined;
  if (clusters.length > 0)
    context.issues.add(`${path}/clusterHeader`, 'stands beside clusters; give one or the other');
  return namedTargets(
    clusterHeader,
    {
      kind: 'target',
      name,
      pattern,
      ...(metadata === undefined ? {} : { metadata }),
      weight: 1,
      subset: undefined,
      host: '',
      table: context.tables.table(layers),
      requestEdits: inOrder(around, around.request, undefined),
      responseEdits: inOrder(around, around.response, undefined),
    },
    context.find,
  );
}
