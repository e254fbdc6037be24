import { subsetCriteria, type SubsetCriteria } from '@tulle/balance';
import type { RouteInfo } from '@tulle/filter';
import { findInvalidName, findInvalidValue, knownNameId, LAST_FRAMING } from '@tulle/fields';
import {
  compileRoutes,
  normalizeConfiguredPath,
  normalizeHost,
  usesRegex,
  type RegexEngine,
  type RouteMatcher,
} from '@tulle/match';
import type {
  ForwardAction,
  HeaderEdits,
  RedirectAction,
  Route,
  RouteConfig,
  RouteRateLimits,
  VirtualHost,
} from '@tulle/model';
import { RATE_LIMITS } from '@tulle/model';
import { EMPTY_TABLE } from '../chain/tables.ts';
import type { ClusterRef } from '../upstream/cluster.ts';
import { compileHashPolicy } from './compile-hash-policy.ts';
import type {
  CompiledAction,
  CompiledEdits,
  CompiledForward,
  CompiledMirror,
  CompiledRoute,
  ForwardTarget,
  HttpSettings,
} from './compiled.ts';
import type { Issues } from './issues.ts';
import type { OverrideLayer, TableMaker } from './table-maker.ts';

/** What compiling routes needs besides them. */
export interface RouteContext {
  readonly settings: HttpSettings;
  readonly tables: TableMaker;
  readonly issues: Issues;
  readonly regex: RegexEngine | undefined;
  /** The reference of a cluster name; notes where the name stands, so that a dangling one can be reported. */
  cluster(name: string, path: string): ClusterRef;
}

export { usesRegex };

/** Compiles a route configuration. @param path JSON pointer of it */
export function compileRouteConfig(
  config: RouteConfig,
  path: string,
  context: RouteContext,
): RouteMatcher<CompiledRoute> | undefined {
  let index = 0;
  const positions = positionsOf(config, path);
  return context.issues.guard(path, () =>
    compileRoutes<CompiledRoute>(
      config,
      (route, host) =>
        compileRoute(route, host, index++, positions.get(host)?.get(route) ?? NOWHERE, context),
      context.regex,
    ),
  );
}

/** Where a route stands: as a pointer for issues, and by names that stay when others come and go. */
interface Position {
  readonly path: string;
  readonly place: string;
  readonly hostPath: string;
  readonly hostPlace: string;
}

const NOWHERE: Position = Object.freeze({ path: '', place: '', hostPath: '', hostPlace: '' });

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
        { path: `${hostPath}/routes/${r}`, place: placeOfRoute(route.name), hostPath, hostPlace },
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
  index: number,
  { path, place, hostPath, hostPlace }: Position,
  context: RouteContext,
): CompiledRoute {
  const { tables } = context;
  const layers: OverrideLayer[] = [
    { configs: host.filterConfigs, path: hostPath, place: hostPlace },
    { configs: route.filterConfigs, path, place },
  ];
  const requestEdits = compileEdits(route.requestHeaders, `${path}/requestHeaders`, context.issues);
  const responseEdits = compileEdits(route.responseHeaders, `${path}/responseHeaders`, context.issues);
  const { kind } = route.match.path;
  // As requests have it: the spelling that a rewrite takes off is the canonical one.
  const value = kind === 'regex' ? route.match.path.value : canonicalPath(route.match.path.value);
  return Object.freeze({
    kind: 'route',
    index,
    name: route.name,
    cluster: undefined,
    virtualHost: host.name,
    priority: route.priority ?? 'default',
    match: route.match,
    pattern: route.match.path.value,
    prefix: kind === 'prefix' ? (value.endsWith('/') ? value.slice(0, -1) : value) : undefined,
    bytesPrefix: kind === 'bytes-prefix' ? value : undefined,
    table: tables.table(layers),
    responseEdits: [responseEdits].filter((edits) => edits !== undefined),
    action: compileAction(
      route,
      route.match.path.value,
      path,
      context,
      layers,
      requestEdits,
      responseEdits,
      metadataOf(route.action, host),
    ),
  });
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
  pattern: string,
  path: string,
  context: RouteContext,
  layers: readonly OverrideLayer[],
  requestEdits: CompiledEdits | undefined,
  responseEdits: CompiledEdits | undefined,
  metadata: RouteInfo['metadata'],
): CompiledAction {
  const { action } = route;
  const at = `${path}/action`;
  switch (action.kind) {
    case 'redirect':
      checkRedirect(action, at, context.issues);
      return action;
    case 'direct':
      return action;
    case 'forward':
      return compileForward(
        route.name,
        action,
        pattern,
        at,
        context,
        layers,
        requestEdits,
        responseEdits,
        metadata,
      );
  }
}

function checkRedirect(action: RedirectAction, path: string, issues: Issues): void {
  if (action.host !== undefined && normalizeHost(action.host) === '')
    issues.add(`${path}/host`, `${JSON.stringify(action.host)} is no host name`);
  checkPath(action.path?.value, `${path}/path/value`, issues);
}

function canonicalPath(value: string): string {
  return normalizeConfiguredPath(value) || value;
}

function checkPath(value: string | undefined, path: string, issues: Issues): void {
  if (value === undefined || value === '') return;
  if (!value.startsWith('/') || normalizeConfiguredPath(value) === '')
    issues.add(
      path,
      `${JSON.stringify(value)} is no path; it begins with / and has no query, fragment or dot segments`,
    );
}

const NOT_FOUND = {
  404: 'TULLE_ROUTE_NOT_FOUND',
  500: 'TULLE_BACKEND_INVALID',
  503: 'TULLE_CLUSTER_NOT_FOUND',
} as const;

function compileForward(
  name: string,
  action: ForwardAction,
  pattern: string,
  path: string,
  context: RouteContext,
  layers: readonly OverrideLayer[],
  routeRequest: CompiledEdits | undefined,
  routeResponse: CompiledEdits | undefined,
  metadata: RouteInfo['metadata'],
): CompiledForward {
  const { issues, settings } = context;
  const { rewrite, clusterNotFoundStatus = 503 } = action;
  checkPath(rewrite?.path?.value, `${path}/rewrite/path/value`, issues);
  if (rewrite?.host !== undefined && normalizeHost(rewrite.host) === '')
    issues.add(`${path}/rewrite/host`, `${JSON.stringify(rewrite.host)} is no host name`);
  const placeOfShare = placer(layers.at(-1)?.place ?? '');
  const targets = action.clusters.map((share, index): ForwardTarget => {
    const at = `${path}/clusters/${index}`;
    const own = [
      compileEdits(share.requestHeaders, `${at}/requestHeaders`, issues),
      compileEdits(share.responseHeaders, `${at}/responseHeaders`, issues),
    ];
    return Object.freeze({
      kind: 'target',
      name,
      ...(metadata === undefined ? {} : { metadata }),
      pattern,
      cluster: share.name,
      ref: context.cluster(share.name, `${at}/name`),
      weight: share.weight ?? 1,
      subset: criteriaOf(share.subset),
      table: context.tables.table([
        ...layers,
        { configs: share.filterConfigs, path: at, place: placeOfShare(share.name) },
      ]),
      requestEdits: [routeRequest, own[0]].filter((edits) => edits !== undefined),
      responseEdits: [routeResponse, own[1]].filter((edits) => edits !== undefined),
    });
  });
  const timeoutMs = action.requestTimeoutMs ?? 15_000;
  const perTryMs = action.perTryTimeoutMs ?? 0;
  return Object.freeze({
    kind: 'forward',
    targets,
    totalWeight: targets.reduce((sum, target) => sum + target.weight, 0),
    requestTimeoutMs: timeoutMs,
    grpcTimeoutMs: action.requestTimeoutMs ?? 0,
    maxGrpcTimeoutMs: action.maxGrpcTimeoutMs ?? 0,
    // Never longer than the request's; one that is as long would only change the error's name.
    perTryTimeoutMs: timeoutMs > 0 && perTryMs >= timeoutMs ? 0 : perTryMs,
    idleTimeoutMs: action.idleTimeoutMs ?? -1,
    rewrite:
      rewrite === undefined
        ? undefined
        : {
            ...(rewrite.host === undefined ? {} : { host: normalizeHost(rewrite.host) }),
            ...(rewrite.path === undefined
              ? {}
              : {
                  path: {
                    kind: rewrite.path.kind,
                    value: canonicalPath(rewrite.path.value),
                  },
                }),
          },
    mirrors: compileMirrors(name, action.mirrors, `${path}/mirrors`, context),
    hashPolicy: compileHashPolicy(action.hashPolicy, `${path}/hashPolicy`, context.issues),
    notFound: NOT_FOUND[clusterNotFoundStatus],
    allowUpgrades: (action.allowUpgrades ?? settings.allowUpgrades).map((protocol) => protocol.toLowerCase()),
    trustIdempotencyKey: action.trustIdempotencyKey === true,
  });
}

function criteriaOf(labels: Readonly<Record<string, string>> = {}): SubsetCriteria | undefined {
  return Object.keys(labels).length === 0 ? undefined : subsetCriteria(labels);
}

function compileMirrors(
  name: string,
  mirrors: ForwardAction['mirrors'],
  path: string,
  context: RouteContext,
): readonly CompiledMirror[] | null {
  if (mirrors === undefined || mirrors.length === 0) return null;
  return mirrors.map(({ cluster, percent = 100, shadowHost = false }, index) => ({
    target: Object.freeze({
      kind: 'target',
      name,
      pattern: '',
      cluster,
      ref: context.cluster(cluster, `${path}/${index}/cluster`),
      weight: 1,
      subset: undefined,
      table: EMPTY_TABLE,
      requestEdits: [],
      responseEdits: [],
    }),
    percent,
    shadowHost,
  }));
}

/** Compiles header edits; names and values are checked here, so that requests need no check. */
export function compileEdits(
  edits: HeaderEdits | undefined,
  path: string,
  issues: Issues,
): CompiledEdits | undefined {
  if (edits === undefined) return undefined;
  const name = (value: string, at: string): string => {
    const lower = value.toLowerCase();
    const id = knownNameId(lower);
    if (findInvalidName(lower) >= 0)
      issues.add(at, `${JSON.stringify(value)} is no field name (RFC 9110 §5.6.2)`);
    else if (id !== 0 && id <= LAST_FRAMING)
      issues.add(
        at,
        `${JSON.stringify(value)} belongs to the framing of one hop and is written by the engine${lower === 'host' ? '; use rewrite.host' : ''}`,
      );
    return lower;
  };
  const pairs = (list: HeaderEdits['set'], at: string): string[] =>
    (list ?? []).flatMap((pair, index) => {
      if (findInvalidValue(pair.value) >= 0)
        issues.add(
          `${at}/${index}/value`,
          `${JSON.stringify(pair.value)} has a character that no field value may have (RFC 9110 §5.5)`,
        );
      return [name(pair.name, `${at}/${index}/name`), pair.value];
    });
  return {
    remove: (edits.remove ?? []).map((value, index) => name(value, `${path}/remove/${index}`)),
    set: pairs(edits.set, `${path}/set`),
    add: pairs(edits.add, `${path}/add`),
  };
}
