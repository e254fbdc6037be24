import { sortByPrecedence, type PrecedenceKey } from '@tulle/match';
import {
  RETRY_FILTER,
  type CorsFilterConfig,
  type FilterConfigs,
  type FilterEntry,
  type HashPolicy,
  type HeaderEdits,
  type Mirror,
  type Route,
  type RouteConfig,
  type RouteMatch,
  type VirtualHost,
  type WeightedCluster,
} from '@tulle/model';
import {
  createdMs,
  displacedBy,
  isAttachedTo,
  matchesOfRule,
  parseDurationMs,
  incompatibleRules,
  refusalOf as refusalOfRoute,
  MAX_RETRY_ATTEMPTS,
  rulesOf,
  type AnyRoute,
  type RequestRoute,
  type HTTPHeaderFilter,
  type HTTPRequestMirror,
  type HTTPRouteFilter,
  type HTTPPathModifier,
  type RouteRule,
  type Service,
  type ServicePort,
} from '@tulle/resources';
import type { World } from '../world.ts';
import { backendOf, extensionsIn, mirrorsIn, nowhere, type Reach } from './backends.ts';
import { hostOfService, outboundName, type Backend, type MeshSettings } from './clusters.ts';
import { externalHost } from './external.ts';
import { CORS_SLOT } from './cors.ts';
import {
  askedBy,
  authEntries,
  compileExternalAuth,
  type ExternalAuth,
  type Refusal,
} from './external-auth.ts';
import { persistenceOf, sessionsOf } from './sessions.ts';
import { RETRIES_THROUGH } from './through-waypoint.ts';
import { hashPolicyOf, priorityOf, retryOf, routeTimes, trafficFor, type Traffic } from './traffic.ts';

/** The routes of one Service port, and the Service ports they lead to. */
export interface CompiledRoutes {
  readonly config: RouteConfig;
  readonly backends: readonly Backend[];
  /** Filters by which its routes ask who may pass; off where no route says otherwise. */
  readonly auth: readonly FilterEntry[];
}

/** One match of a rule, with the hosts that its route asks for. */
export interface Entry extends PrecedenceKey {
  readonly route: Route;
  readonly from: RouteRule;
  readonly hostnames: readonly string[];
  readonly auth?: ExternalAuth;
}

/** What a proxy's filters mean for rules. */
export interface RuleFilters {
  /** Ids of the filters that it has. */
  readonly known: ReadonlySet<string>;
  /** Overrides of a rule. */
  overridesOf(route: RequestRoute, rule: RouteRule): FilterConfigs;
}

/**
 * Compiles the routes of a Service port by Gateway API precedence.
 * @param through its own routes, and what policies say of calls, are its waypoint's to do
 */
export function compileRoutes(
  world: World,
  service: Service,
  port: ServicePort,
  clientNamespace: string,
  mesh: MeshSettings,
  filters: RuleFilters,
  through = false,
): CompiledRoutes {
  const key = `${service.metadata.namespace}/${service.metadata.name}`;
  const backends = new Map<string, Backend>();
  const reach: Reach = (backend) => {
    const name = outboundName(backend.service, backend.port, mesh, backend.subset?.name);
    backends.set(name, backend);
    return name;
  };
  const own = through
    ? {}
    : trafficFor(world, service.metadata.namespace, 'Service', service.metadata.name, port.name);
  const all = [...world.routesOf(key)];
  const attached = all
    .filter(
      (route) => isAttachedTo(route, service, port) && displacedBy(route, all, service, port) === undefined,
    )
    .toSorted((a, b) => (refName(a) < refName(b) ? -1 : 1));
  // A route of the caller's own namespace (consumer route, GEP-1294) replaces the Service's for that caller.
  const consumer = attached.filter(
    (r) => r.metadata.namespace === clientNamespace && clientNamespace !== service.metadata.namespace,
  );
  const routes =
    consumer.length > 0
      ? consumer
      : attached.filter((r) => !through && r.metadata.namespace === service.metadata.namespace);
  const entries = routes.flatMap((route) => entriesOf(world, route, () => own, mesh, reach, filters));
  if (routes.length === 0) {
    const hashPolicy = hashPolicyOf(own);
    const sessions = through ? undefined : sessionsOf(world, key, {}, [{ service, port }]);
    const route: Route = {
      name: 'default',
      match: { path: { kind: 'prefix', value: '/' } },
      ...priorityOf(own),
      action: {
        kind: 'forward',
        clusters: [{ name: reach({ service, port }) }],
        ...(hashPolicy && { hashPolicy }),
        ...(sessions && {
          persistence: persistenceOf(sessions, { path: { kind: 'prefix', value: '/' } }, mesh.sessionSecret),
        }),
        // The waypoint has the time limits; here they would only race with them.
        ...(through ? { requestTimeoutMs: 0 } : routeTimes(own)),
        ...externalHost([{ service, port }]),
      },
    };
    entries.push({ route, from: {}, match: route.match, name: '', rule: 0, hostnames: [] });
  }
  const retry = retryOf(own);
  const hostFilters = through
    ? { filterConfigs: RETRIES_THROUGH }
    : retry === undefined
      ? {}
      : { filterConfigs: { [RETRY_FILTER]: retry } };
  const virtualHosts = hostsOf(entries, service, port, mesh).map((host): VirtualHost => ({
    ...host,
    ...hostFilters,
  }));
  return {
    config: { name: outboundName(service, port, mesh), virtualHosts },
    backends: [...backends.values()],
    auth: authEntries(entries),
  };
}

/** `namespace/name` of a route. */
export function refName(route: AnyRoute): string {
  return `${route.metadata.namespace}/${route.metadata.name}`;
}

/** Virtual hosts: one for each host name that routes ask for, and one for everything else (the port decides). */
function hostsOf(
  entries: readonly Entry[],
  service: Service,
  port: ServicePort,
  mesh: MeshSettings,
): VirtualHost[] {
  const { name, namespace } = service.metadata;
  const names = [...new Set(entries.flatMap((e) => e.hostnames))].toSorted();
  const own = [name, `${name}.${namespace}`, `${name}.${namespace}.svc`, hostOfService(service, mesh)].filter(
    (n) => !names.includes(n),
  );
  const order = (list: readonly Entry[]): Route[] => sortByPrecedence(list).map((e) => e.route);
  const hosts = names.map((host): VirtualHost => {
    const groups = new Map<number, Entry[]>();
    for (const entry of entries) {
      const rank =
        entry.hostnames.length === 0 ? 0 : Math.max(...entry.hostnames.map((h) => coverage(h, host)));
      if (rank < 0) continue;
      groups.set(rank, [...(groups.get(rank) ?? []), entry]);
    }
    const routes = [...groups].toSorted(([a], [b]) => b - a).flatMap(([, list]) => order(list));
    return {
      name: host,
      domains: [host],
      routes: routes.map((route) => ({ ...route, name: `${route.name}@${host}` })),
    };
  });
  const rest: VirtualHost = {
    name: `${hostOfService(service, mesh)}:${port.port}`,
    domains: [...own.flatMap((n) => [n, `${n}:${port.port}`]), '*'],
    routes: order(entries.filter((e) => e.hostnames.length === 0)),
  };
  return [...hosts, rest];
}

/** How specifically `pattern` covers `host`; -1: not at all. Exact above the longest wildcard. */
function coverage(pattern: string, host: string): number {
  if (pattern === host) return 1000 + pattern.length;
  return pattern.startsWith('*.') && host.endsWith(pattern.slice(1)) ? pattern.length : -1;
}

/** The matches of a route. @param own what holds for a rule where no policy for the route says otherwise */
export function entriesOf(
  world: World,
  route: RequestRoute,
  own: (rule: RouteRule) => Traffic,
  mesh: MeshSettings,
  reach: Reach,
  filters: RuleFilters,
): Entry[] {
  if (refusalOfRoute(route) !== undefined) return [];
  const created = createdMs(route.metadata);
  const dropped = incompatibleRules(route);
  return rulesOf(route).flatMap((whole, r) => {
    if (dropped.includes(r)) return [];
    const ofWhole = filters.overridesOf(route, whole);
    return sharesOf(whole).flatMap(({ rule, percent }, s) => {
      const auth = compileExternalAuth(world, route, rule, reach, filters.known);
      const refusal = refusalOf(rule, auth);
      const overrides = { ...ofWhole, ...askedBy(auth) };
      return matchesOfRule(route, r).map(({ match, grpc }, m): Entry => ({
        match,
        ...(grpc && { grpc }),
        name: refName(route),
        rule: r * 100 + m + s / 100,
        ...(created === undefined ? {} : { createdMs: created }),
        hostnames: route.spec.hostnames ?? [],
        from: whole,
        ...(auth && { auth }),
        route: {
          name: `${refName(route)}/${rule.name ?? `rule-${r}`}/match-${m}${s === 0 ? '' : `/share-${s}`}`,
          match: percent === undefined ? match : { ...match, percent },
          ...(refusal !== undefined
            ? { action: refusal, ...(Object.keys(overrides).length > 0 && { filterConfigs: overrides }) }
            : actionOf(
                world,
                route,
                { ...rule, sessionName: `${route.kind} ${refName(route)} ${r}`, match },
                own(whole),
                mesh,
                reach,
                overrides,
              )),
        },
      }));
    });
  });
}

/** The answer to every request of a rule where a filter that it asks for cannot be had: none may be skipped (Gateway API HTTPRouteFilter). */
function refusalOf(rule: RouteRule, auth: ExternalAuth | undefined): Refusal | undefined {
  if (extensionsIn(rule.filters).length > 0)
    return { kind: 'direct', status: 500, code: 'TULLE_FILTER_UNKNOWN' };
  return auth !== undefined && 'refusal' in auth ? auth.refusal : undefined;
}

/** A rule, or what becomes of one share of its requests. */
interface Share {
  readonly rule: RouteRule;
  /** Upper end of the share; absent: all that is left. */
  readonly percent?: number;
}

/**
 * A rule whose backends have steps of their own other than edits of fields (a redirect, copies, whom to ask, …) becomes one a
 * backend, by shares: one draw a request decides among them (model `RouteMatch.percent`), so that each begins where the
 * one before ends.
 */
function sharesOf(rule: RouteRule): readonly Share[] {
  const backends = rule.backendRefs ?? [];
  const isStep = ({ type }: HTTPRouteFilter): boolean =>
    type !== 'RequestHeaderModifier' && type !== 'ResponseHeaderModifier';
  if (!backends.some(({ filters = [] }) => filters.some(isStep))) return [{ rule }];
  const live = backends.filter(({ weight = 1 }) => weight > 0);
  const total = live.reduce((sum, { weight = 1 }) => sum + weight, 0);
  if (total === 0) return [{ rule }];
  let end = 0;
  return live.map((backend, i): Share => {
    const { filters = [], weight = 1, ...rest } = backend;
    end += weight;
    const own: RouteRule = {
      ...rule,
      backendRefs: [{ ...rest, filters: filters.filter((one) => !isStep(one)) }],
      filters: [...(rule.filters ?? []), ...filters.filter(isStep)],
    };
    return i === live.length - 1
      ? { rule: own }
      : { rule: own, percent: Math.round((end * 1_000_000) / total) / 10_000 };
  });
}

/** A rule, with what its sessions go by where they have no name, and one of its matches. */
type MatchedRule = RouteRule & { readonly sessionName: string; readonly match: RouteMatch };

function actionOf(
  world: World,
  route: RequestRoute,
  rule: MatchedRule,
  own: Traffic,
  mesh: MeshSettings,
  reach: Reach,
  filterConfigsOf: FilterConfigs,
): Omit<Route, 'name' | 'match'> {
  const edits = editsOf(rule.filters ?? []);
  const overrides = { ...corsOf(rule), ...filterConfigsOf };
  const answered = { ...edits, ...(Object.keys(overrides).length > 0 && { filterConfigs: overrides }) };
  const traffic: Traffic = {
    ...own,
    ...trafficFor(world, route.metadata.namespace, route.kind, route.metadata.name, rule.name),
  };
  for (const filter of rule.filters ?? []) {
    if (filter.type !== 'RequestRedirect') continue;
    const { scheme, hostname, path, port, statusCode } = filter.requestRedirect;
    return {
      ...answered,
      action: {
        kind: 'redirect',
        ...(scheme && { scheme }),
        ...(hostname && { host: hostname }),
        ...(port && { port }),
        ...(path && { path: pathOf(path) }),
        status: statusCode ?? 302,
      },
    };
  }
  const clusters: WeightedCluster[] = [];
  const reachedAll: Backend[] = [];
  // One list for the route: that of the first backend whose endpoints are chosen by it.
  let hashPolicy: readonly HashPolicy[] | undefined;
  for (const backend of rule.backendRefs ?? []) {
    const reached = backendOf(world, route, backend);
    if (reached !== undefined) {
      reachedAll.push(reached);
      const { metadata } = reached.service;
      hashPolicy ??= hashPolicyOf(
        trafficFor(world, metadata.namespace, 'Service', metadata.name, reached.port.name),
      );
    }
    const name = reached === undefined ? nowhere(route, backend, mesh) : reach(reached);
    clusters.push({ name, weight: backend.weight ?? 1, ...editsOf(backend.filters ?? []) });
  }
  const valid = reachedAll.length;
  if (valid === 0)
    return { ...answered, action: { kind: 'direct', status: 500, code: 'TULLE_BACKEND_INVALID' } };
  const mirrors = mirrorsIn(rule.filters).flatMap((mirror) => mirrorOf(world, route, mirror, reach));
  const rewrite = (rule.filters ?? []).find((f) => f.type === 'URLRewrite')?.urlRewrite;
  const sessions = sessionsOf(world, rule.sessionName, rule, reachedAll);
  const times = routeTimes(traffic);
  const request = rule.timeouts?.request === undefined ? undefined : parseDurationMs(rule.timeouts.request);
  const perTry =
    rule.timeouts?.backendRequest === undefined ? undefined : parseDurationMs(rule.timeouts.backendRequest);
  const filterConfigs = { ...retryOverride(rule, world, route), ...overrides };
  return {
    ...edits,
    ...priorityOf(traffic),
    ...(Object.keys(filterConfigs).length === 0 ? {} : { filterConfigs }),
    action: {
      kind: 'forward',
      clusters,
      ...(hashPolicy && { hashPolicy }),
      ...(sessions && { persistence: persistenceOf(sessions, rule.match, mesh.sessionSecret) }),
      ...(mirrors.length > 0 && { mirrors }),
      ...(valid < clusters.length ? { clusterNotFoundStatus: 500 as const } : {}),
      ...times,
      ...(request === undefined ? {} : { requestTimeoutMs: request }),
      ...(perTry === undefined ? {} : { perTryTimeoutMs: perTry }),
      ...(rewrite === undefined
        ? externalHost(reachedAll)
        : {
            rewrite: {
              ...externalHost(reachedAll).rewrite,
              ...(rewrite.hostname && { host: rewrite.hostname }),
              ...(rewrite.path && { path: pathOf(rewrite.path) }),
            },
          }),
    },
  };
}

/** The CORS filter of a rule, or of its one backend, which goes before: an override of the one that {@link corsEntry} puts into the chain. */
function corsOf(rule: RouteRule): FilterConfigs {
  const filter = (rule.filters ?? []).findLast((one) => one.type === 'CORS');
  if (filter === undefined) return {};
  const { maxAge, allowOrigins = [], ...rest } = filter.cors;
  const config: CorsFilterConfig = {
    allowOrigins,
    ...rest,
    ...(maxAge === undefined ? {} : { maxAgeSeconds: maxAge }),
  };
  return { [CORS_SLOT]: config };
}

/** Copies that lead nowhere are not made (Gateway API): the request itself is none the worse. */
function mirrorOf(world: World, route: RequestRoute, mirror: HTTPRequestMirror, reach: Reach): Mirror[] {
  const backend = backendOf(world, route, mirror.backendRef);
  if (backend === undefined) return [];
  const { percent, fraction } = mirror;
  const share =
    percent ??
    (fraction === undefined
      ? 100
      : Math.round((fraction.numerator * 1_000_000) / (fraction.denominator ?? 100)) / 10_000);
  return [{ cluster: reach(backend), ...(share === 100 ? {} : { percent: share }) }];
}

/** The rule's own retry wins over a policy for the route; the Service's policy stands at the virtual host. */
function retryOverride(rule: RouteRule, world: World, route: RequestRoute): FilterConfigs {
  if (rule.retry !== undefined) {
    const { codes, attempts, backoff } = rule.retry;
    const base = backoff === undefined ? undefined : Math.max(1, parseDurationMs(backoff) ?? 25);
    return {
      [RETRY_FILTER]: {
        retries: Math.min(attempts ?? 2, MAX_RETRY_ATTEMPTS),
        on: [
          'connect-failure',
          'reset',
          'per-try-timeout', // GEP-1742: a timeout of the backend is worth another attempt
          ...(codes === undefined ? [] : ['status-codes']),
        ],
        ...(codes === undefined ? {} : { statusCodes: codes }),
        ...(base === undefined
          ? {}
          : { backoffBaseMs: base, backoffMinMs: base, backoffMaxMs: Math.max(250, base) }),
      },
    };
  }
  const retry = retryOf(
    trafficFor(world, route.metadata.namespace, route.kind, route.metadata.name, rule.name),
  );
  return retry === undefined ? {} : { [RETRY_FILTER]: retry };
}

function pathOf(path: HTTPPathModifier): { kind: 'full' | 'prefix'; value: string } {
  return path.type === 'ReplaceFullPath'
    ? { kind: 'full', value: path.replaceFullPath }
    : { kind: 'prefix', value: path.replacePrefixMatch };
}

function editsOf(filters: NonNullable<RouteRule['filters']>): {
  requestHeaders?: HeaderEdits;
  responseHeaders?: HeaderEdits;
} {
  const edits: { requestHeaders?: HeaderEdits; responseHeaders?: HeaderEdits } = {};
  for (const filter of filters) {
    if (filter.type === 'RequestHeaderModifier') edits.requestHeaders = lower(filter.requestHeaderModifier);
    if (filter.type === 'ResponseHeaderModifier')
      edits.responseHeaders = lower(filter.responseHeaderModifier);
  }
  return edits;
}

function lower(edits: HTTPHeaderFilter): HeaderEdits {
  const fields = (list: NonNullable<HTTPHeaderFilter['set']>): { name: string; value: string }[] =>
    list.map(({ name, value }) => ({ name: name.toLowerCase(), value }));
  return {
    ...(edits.set && { set: fields(edits.set) }),
    ...(edits.add && { add: fields(edits.add) }),
    ...(edits.remove && { remove: edits.remove.map((n) => n.toLowerCase()) }),
  };
}
