import type { RegexEngine } from '@tulle/match';
import type {
  DownstreamTls,
  FilterChain,
  FilterEntry,
  HttpHandler,
  Listener,
  ProxyConfig,
  TcpHandler,
} from '@tulle/model';
import type { LineFile } from '@tulle/telemetry';
import type { Engine } from '../engine.ts';
import type { ClusterRef } from '../upstream/cluster.ts';
import { accessLogClusters, openListenerLogs } from './access-logs.ts';
import { downstreamTls } from './alpn.ts';
import { canonical } from './canonical.ts';
import { openTelemetry, type ChainTelemetry, type TelemetryParts } from './chain-telemetry.ts';
import { AddressCheck } from './check-addresses.ts';
import { checkModel } from './check-model.ts';
import { circleFrom } from './aggregate-circle.ts';
import { checkPolicies } from './cluster-policies.ts';
import { believesAnybody, compileCluster, type CompiledCluster } from './compile-cluster.ts';
import { NO_EVENT_FILES, openEventFiles, wantsEventFiles, type EventFiles } from './event-files.ts';
import { createFilters, type Registry } from './compile-filters.ts';
import { compileRouteConfig } from './compile-routes.ts';
import { compileChooser } from './compile-chain-choice.ts';
import { compileMatch } from './compile-match.ts';
import { compileHbone } from './compiled-hbone.ts';
import { compileTcp } from './compile-tcp.ts';
import { compileSettings } from './compile-settings.ts';
import { HttpChain } from './compiled.ts';
import { CompiledChain, CompiledListener } from './compiled-listener.ts';
import type { TcpChain } from './compiled-tcp.ts';
import type { FilterSet } from './filter-set.ts';
import { Issues } from './issues.ts';
import { whyDestinationsAreUnknown } from './kernel-destination.ts';
import { loadEngines } from './load-engines.ts';
import { References } from './references.ts';
import { compileScopes, scopedInternalOnly, type FoundRoutes, type FoundScope } from './compile-scopes.ts';
import { SharedTls } from './shared-tls.ts';
import { TableMaker } from './table-maker.ts';
import { unique } from './unique.ts';
import { compileUdp, takesDatagrams, type CompiledUdp } from '../udp/compiled-udp.ts';

/** A configuration ready to be applied: everything that can fail has happened. */
export interface Compiled {
  readonly config: ProxyConfig;
  readonly listeners: ReadonlyMap<string, CompiledListener>;
  /** Those that take datagrams. */
  readonly udp: readonly CompiledUdp[];
  readonly clusters: ReadonlyMap<string, CompiledCluster>;
  /** Names of clusters that something refers to. */
  readonly references: ReadonlySet<string>;
  readonly warnings: readonly string[];
  /** It is applied: chains and listeners hold what was made, the compilation lets go. */
  commit(): void;
  /** Lets go of what this compilation made, when it is not applied. */
  discard(): void;
}

/** What a compilation builds on. */
export interface CompileBase extends TelemetryParts {
  readonly engine: Engine;
  readonly registry: Registry;
  readonly generation: number;
  readonly listeners: ReadonlyMap<string, CompiledListener>;
  readonly clusterKeys: ReadonlyMap<string, string>;
  ref(name: string): ClusterRef;
  /** That of a name which something has named. */
  find(name: string): ClusterRef | undefined;
  /** Whether a cluster name that nothing defines is a fault; else it is answered with 503 until it comes. */
  readonly refuseDangling: boolean;
}

/**
 * The one door for configuration: plain model in, frozen chains out, whole or not at all. What means the same as before
 * is taken over as the very same objects, so applying it drains nothing.
 * @throws TulleError `TULLE_CONFIG_INVALID` with every issue; nothing of it stays behind
 */
export async function compile(config: ProxyConfig, base: CompileBase): Promise<Compiled> {
  const compilation = new Compilation(config, base);
  try {
    return await compilation.run();
  } catch (error) {
    compilation.discard();
    throw error;
  }
}

const NOTHING: CompileBase['listeners'] = new Map<string, CompiledListener>();

class Compilation {
  readonly #config: ProxyConfig;
  readonly #base: Omit<CompileBase, 'listeners'>;
  /**
   * Those at work, until this has run. What is compiled keeps functions of this object for as long as it serves, so it
   * would keep them, and they those before them.
   */
  #before: CompileBase['listeners'];
  readonly #issues: Issues = new Issues();
  readonly #undo: (() => void)[] = [];
  readonly #warnings: string[] = [];
  readonly #references: References;
  readonly #udp: CompiledUdp[] = [];
  /** Filter sets of chains that this compilation made and holds until the chains do. */
  readonly #holds: FilterSet[] = [];
  /** What each set keeps of overrides when this is applied. */
  readonly #makers: Map<FilterSet, TableMaker> = new Map<FilterSet, TableMaker>();
  #regex: RegexEngine | undefined;

  constructor(config: ProxyConfig, { listeners, ...base }: CompileBase) {
    this.#config = config;
    this.#before = listeners;
    this.#base = base;
    this.#references = new References(config, base, this.#issues, this.#warnings);
  }

  discard(): void {
    for (const undo of this.#undo.splice(0).toReversed()) undo();
  }

  async run(): Promise<Compiled> {
    const config = this.#config;
    const sound = checkModel(config, this.#issues);
    if (sound === undefined) throw this.#issues.error();
    this.#regex = await loadEngines(config, sound);
    unique(this.#issues, config.routes, '/routes');
    unique(this.#issues, config.clusters, '/clusters');
    unique(this.#issues, config.endpoints, '/endpoints');
    unique(this.#issues, config.listeners, '/listeners');
    const clusters = new Map<string, CompiledCluster>();
    for (const index of sound.clusters) await this.#cluster(index, clusters);
    const listeners = new Map<string, CompiledListener>();
    const addresses = new AddressCheck(this.#issues);
    for (const [index, listener] of config.listeners.entries())
      if (!sound.listeners.has(index)) this.#references.ofListener(listener, `/listeners/${index}`);
    for (const index of sound.listeners) {
      const listener = config.listeners[index] as Listener;
      const path = `/listeners/${index}`;
      addresses.take(listener, path);
      const compiled = await this.#listener(listener, path);
      if (compiled !== undefined) listeners.set(listener.name, compiled);
    }
    this.#before = NOTHING;
    this.#issues.finish();
    return {
      config,
      listeners,
      udp: this.#udp,
      clusters,
      references: this.#references.clusters,
      warnings: this.#warnings,
      commit: () => this.#commit(),
      discard: () => this.discard(),
    };
  }

  #commit(): void {
    this.#undo.length = 0;
    for (const [set, maker] of this.#makers) set.overrides = maker.overrides;
    for (const set of this.#holds.splice(0)) set.release();
  }

  // — clusters —

  async #cluster(index: number, clusters: Map<string, CompiledCluster>): Promise<void> {
    const cluster = this.#config.clusters[index] as ProxyConfig['clusters'][number];
    const { engine, clusterKeys } = this.#base;
    const compiled = compileCluster(
      cluster,
      `/clusters/${index}`,
      clusterKeys.get(cluster.name),
      engine,
      this.#issues,
    );
    this.#undo.push(() => {
      for (const { tls } of [compiled, ...compiled.tlsMatches]) tls?.close();
    });
    if (!compiled.kept && believesAnybody(cluster))
      this.#warnings.push(
        `/clusters/${index}/tls/trust believes whoever answers: connections are encrypted, and anybody on the way can be the endpoint`,
      );
    clusters.set(cluster.name, { ...compiled, events: await this.#events(compiled, `/clusters/${index}`) });
    if (cluster.zoneRouting !== undefined && engine.zone !== undefined)
      this.#references.cluster(engine.zone.cluster, `/clusters/${index}/zoneRouting`);
    checkPolicies(cluster, `/clusters/${index}`, this.#issues, (name, at) =>
      this.#references.cluster(name, at),
    );
    const { discovery } = cluster;
    if (discovery.kind !== 'aggregate') return;
    for (const [part, name] of discovery.clusters.entries())
      this.#references.cluster(name, `/clusters/${index}/discovery/clusters/${part}`);
    const circle = circleFrom(cluster.name, this.#config.clusters);
    if (circle !== undefined)
      this.#issues.add(
        `/clusters/${index}/discovery/clusters`,
        `goes round in a circle: ${circle.map((name) => JSON.stringify(name)).join(' → ')}`,
      );
  }

  async #events(
    { config, kept }: Pick<CompiledCluster, 'config' | 'kept'>,
    path: string,
  ): Promise<EventFiles> {
    if (kept || !wantsEventFiles(config)) return NO_EVENT_FILES;
    const { engine, loggers } = this.#base;
    const opened: LineFile[] = [];
    this.#undo.push(() => engine.closing.closeFiles(engine, `event logs of cluster ${config.name}`, opened));
    return openEventFiles(config, path, loggers, this.#issues, opened);
  }

  // — listeners —

  async #listener(listener: Listener, path: string): Promise<CompiledListener | undefined> {
    if (takesDatagrams(listener)) {
      const { transport } = this.#base.engine;
      this.#udp.push(
        ...compileUdp(listener, path, (...of) => this.#references.cluster(...of), transport, this.#issues),
      );
      return undefined;
    }
    unique(this.#issues, listener.filterChains, `${path}/filterChains`);
    const before = this.#before.get(listener.name);
    const chains: CompiledChain[] = [];
    for (const [index, chain] of listener.filterChains.entries()) {
      const compiled = await this.#chain(
        chain,
        `${path}/filterChains/${index}`,
        listener,
        before?.chains.find((other) => other.name === chain.name),
      );
      if (compiled !== undefined) chains.push(compiled);
    }
    const unasked = whyDestinationsAreUnknown(listener, this.#base.engine.transport);
    if (unasked) this.#issues.add(`${path}/originalDestination`, unasked);
    const entries = listener.connectionFilters ?? [];
    const filtersKey = canonical(entries);
    const filters =
      before?.filtersKey === filtersKey
        ? before.filters
        : await this.#filterSet([], entries, path, before?.filters);
    for (const [name, at] of accessLogClusters(listener.accessLogs))
      this.#references.cluster(name, `${path}/accessLogs${at}`);
    const logs = await openListenerLogs(listener, path, before, {
      ...this.#base,
      regex: this.#regex,
      issues: this.#issues,
    });
    this.#undo.push(() => logs.opened?.closeIfUnused());
    const hbone = compileHbone(listener, path, before?.hbone, this.#issues, (tls, at) =>
      this.#serverTls(tls, at),
    );
    const chooser = compileChooser(listener, this.#regex, path, this.#issues);
    return filters === undefined
      ? undefined
      : new CompiledListener(listener, chains, filters, filtersKey, hbone, logs, chooser);
  }

  async #filterSet(
    entries: readonly FilterEntry[],
    connEntries: readonly FilterEntry[],
    path: string,
    before: FilterSet | undefined,
    connField: 'connectionFilters' | 'filters' = 'connectionFilters',
  ): Promise<FilterSet | undefined> {
    const set = await createFilters(
      this.#base.engine,
      this.#base.registry,
      entries,
      connEntries,
      [`${path}/filters`, `${path}/${connField}`],
      this.#issues,
      before,
    );
    if (set !== undefined) {
      // Held by this compilation until chains hold it, so that a refusal disposes it.
      set.retain();
      this.#undo.push(() => set.release());
      this.#holds.push(set);
    }
    return set;
  }

  async #chain(
    chain: FilterChain,
    path: string,
    listener: Listener,
    before: CompiledChain | undefined,
  ): Promise<CompiledChain | undefined> {
    const routes = chain.handler.kind === 'http' ? this.#references.routes(chain.handler, path) : undefined;
    const scopes = chain.handler.kind === 'http' ? this.#references.scopes(chain.handler, path) : [];
    const { name, direction } = listener;
    const key = canonical({
      chain,
      routes: routes?.config,
      ...(scopes.length > 0 && { scopes: scopes.map(({ config }) => config) }),
      listener: name,
      direction,
    });
    const tlsConfig = downstreamTls(chain);
    const tlsKey = canonical(tlsConfig);
    if (before?.key === key) {
      this.#references.ofChain(chain, [...(routes ? [routes] : []), ...scopes], path);
      return before;
    }
    const match = compileMatch(chain, path, this.#issues);
    const tls =
      tlsConfig === undefined
        ? undefined
        : before?.tlsKey === tlsKey
          ? before.tls
          : this.#serverTls(tlsConfig, path);
    const entries = chain.handler.filters ?? [];
    const early = chain.handler.kind === 'http' ? (chain.handler.connectionFilters ?? []) : [];
    const filtersKey = canonical(early.length === 0 ? entries : { entries, early });
    const filters =
      before?.filtersKey === filtersKey && 'matcher' in before.handler === (chain.handler.kind === 'http')
        ? before.handler.filters
        : chain.handler.kind === 'http'
          ? await this.#filterSet(entries, early, `${path}/handler`, before?.handler.filters)
          : await this.#filterSet([], entries, `${path}/handler`, before?.handler.filters, 'filters');
    const telemetry = await this.#telemetry(chain, listener, path);
    const otherwise =
      chain.handler.kind === 'http' && chain.handler.otherwise !== undefined
        ? await this.#otherwise(chain.name, chain.handler.otherwise, telemetry, `${path}/handler/otherwise`)
        : undefined;
    if (filters === undefined) return undefined;
    const handler =
      chain.handler.kind === 'http'
        ? this.#http(chain.name, chain.handler, { routes, scopes }, { filters, ...telemetry }, listener, path)
        : this.#tcp(chain.name, chain.handler, { filters, ...telemetry }, `${path}/handler`);
    if (handler === undefined) return undefined;
    const compiled = new CompiledChain({
      name: chain.name,
      handshakeTimeoutMs: chain.handshakeTimeoutMs,
      key,
      match,
      tls,
      tlsKey,
      filtersKey,
      handler,
      otherwise,
    });
    this.#undo.push(() => compiled.retireIfUnused());
    return compiled;
  }

  #tcp(
    name: string,
    handler: Omit<TcpHandler, 'kind'>,
    parts: { readonly filters: FilterSet; readonly accessLogs: ChainTelemetry['accessLogs'] },
    path: string,
  ): TcpChain {
    return compileTcp(name, handler, parts, path, {
      ref: (cluster, where) => this.#references.cluster(cluster, where),
      issues: this.#issues,
      engine: this.#base.engine,
      generation: this.#base.generation,
    });
  }

  /** What becomes of connections to a chain of HTTP that turn out to be none. */
  async #otherwise(
    name: string,
    otherwise: NonNullable<HttpHandler['otherwise']>,
    { accessLogs }: ChainTelemetry,
    path: string,
  ): Promise<TcpChain | undefined> {
    const filters = await this.#filterSet([], otherwise.filters ?? [], path, undefined, 'filters');
    return filters && this.#tcp(name, otherwise, { filters, accessLogs }, path);
  }

  async #telemetry(chain: FilterChain, listener: Listener, path: string): Promise<ChainTelemetry> {
    const opened = await openTelemetry(chain.handler, listener, `${path}/handler`, {
      ...this.#base,
      regex: this.#regex,
      issues: this.#issues,
    });
    this.#undo.push(() => {
      opened.accessLogs?.closeIfUnused();
      opened.tracer?.closeIfUnused();
    });
    return opened;
  }

  #serverTls(config: DownstreamTls, path: string): SharedTls | undefined {
    const tls = this.#issues.guard(
      `${path}/tls`,
      () => new SharedTls(this.#base.engine.transport.serverTls(config)),
    );
    if (tls !== undefined) this.#undo.push(() => tls.closeIfUnused());
    return tls;
  }

  #http(
    name: string,
    handler: HttpHandler,
    { routes, scopes }: { readonly routes: FoundRoutes | undefined; readonly scopes: readonly FoundScope[] },
    { filters, accessLogs, tracer }: Shared,
    listener: Listener,
    path: string,
  ): HttpChain | undefined {
    const issues = this.#issues;
    const settings = {
      ...compileSettings(handler, listener, routes?.config, path, {
        limits: this.#base.engine.limits,
        issues,
      }),
      ...scopedInternalOnly(handler.scopes, scopes),
    };
    const tables = new TableMaker(filters, `${path}/handler/filters`, issues);
    this.#makers.set(filters, tables);
    if (routes === undefined) return undefined;
    const context = {
      settings,
      tables,
      issues,
      regex: this.#regex,
      meter: this.#base.engine.meter,
      cluster: (cluster: string, where: string) => this.#references.cluster(cluster, where),
      find: (cluster: string) => this.#base.find(cluster),
    };
    const rest = compileRouteConfig(routes.config, routes.path, context);
    const matcher = rest && compileScopes(handler.scopes, scopes, rest, context);
    if (matcher === undefined) return undefined;
    const chain = new HttpChain({
      name,
      listener: listener.name,
      bypassesOverload: listener.bypassesOverload ?? false,
      generation: this.#base.generation,
      settings,
      filters,
      accessLogs,
      tracer,
      beforeRoute: tables.beforeRoute,
      unrouted: tables.unrouted,
      matcher,
    });
    this.#undo.push(() => chain.retire());
    return chain;
  }
}

/** What chains hold and let go of. */
interface Shared extends ChainTelemetry {
  readonly filters: FilterSet;
}
