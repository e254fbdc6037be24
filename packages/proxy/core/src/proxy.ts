import { isTulleError, TulleError, type Log } from '@tulle/filter';
import { emptyProxyConfig, isInternalAddress, type Address, type ProxyConfig } from '@tulle/model';
import { noMeter, type TelemetryPlugin } from '@tulle/telemetry';
import { systemClock, type Clock } from '@tulle/time';
import { gatherConfig } from './code-config.ts';
import { compile, type Compiled } from './compile/compile.ts';
import { Registry } from './compile/compile-filters.ts';
import type { CompiledListener } from './compile/compiled-listener.ts';
import { withDeadline } from './deadline.ts';
import { Engine } from './engine.ts';
import { Fetcher } from './fetch/fetcher.ts';
import { Carriers } from './hbone/carriers.ts';
import { Mirrors } from './mirror/mirrors.ts';
import { DEFAULT_ENGINE_LIMITS } from './limits.ts';
import type { ListenerRuntime } from './listener/listener.ts';
import { NewListeners, sameAddresses } from './listener/new-listeners.ts';
import { startAdmin, type AdminServer } from './node/admin.ts';
import { defaultLog } from './node/default-log.ts';
import { monitorOf } from './node/resource-monitor.ts';
import { nodeTransport } from './node/node-transport.ts';
import type { ProxyOptions } from './options.ts';
import { overloadSettings } from './overload/options.ts';
import type { Transport } from './ports.ts';
import { observeProxy } from './proxy-gauges.ts';
import { DOORS } from './rooms.ts';
import { UdpListeners, type PreparedUdp } from './udp/udp-listeners.ts';
import { finishParts, onlyOne } from './telemetry-parts.ts';
import { ClusterRuntime, type ClusterRef, type KnownEndpoints } from './upstream/cluster.ts';

/** What came of {@link Proxy.update}. */
export interface UpdateResult {
  /** Grows with each configuration that was applied. */
  readonly generation: number;
  /** False: it means the same as the one in force, and nothing was touched. */
  readonly changed: boolean;
  /** What was applied and should be looked at, e.g. names that nothing defines yet. */
  readonly warnings: readonly string[];
}

/** Where a proxy is in its life. */
export type ProxyState = 'new' | 'starting' | 'ready' | 'draining' | 'stopped';

/** Numbers about a proxy at this moment. */
export interface ProxyStats {
  readonly state: ProxyState;
  readonly generation: number;
  readonly streams: number;
  readonly connections: number;
  readonly upstreamConnections: number;
}

/** A proxy. */
export interface Proxy {
  /** Binds the listeners and serves. @throws TulleError when the configuration is wrong or an address cannot be had; nothing is left open */
  start(): Promise<void>;
  /**
   * Takes another configuration, whole, or refuses it whole. Listeners, chains and clusters that mean the same stay as
   * they are; streams under way end with what they began with. A proxy that drains takes it for the connections that it
   * still has, and opens no listener any more.
   * @throws TulleError `TULLE_CONFIG_INVALID` with every issue; the running configuration stays
   */
  update(config: ProxyConfig): Promise<UpdateResult>;
  /** Addresses by listener, with the real ports; not of those that take connections of this process alone. */
  addresses(): Readonly<Record<string, Address>>;
  /** The configuration in force. */
  readonly config: ProxyConfig;
  readonly state: ProxyState;
  /**
   * Goes out of service: not ready any more, no new connection, responses say `Connection: close` ever more often over
   * the window, then idle connections close. Resolves when nothing is under way or the window is over.
   * @param options.windowMs default 5,000
   */
  drain(options?: { readonly windowMs?: number }): Promise<void>;
  /** Whether health checks fail from now on; it serves on, and asks callers to close (Envoy `/healthcheck/fail`). */
  failHealthChecks(fail: boolean): void;
  /** Resolves when no caller is connected: after {@link drain}, when the last long connection has ended by itself. */
  emptied(): Promise<void>;
  /** Closes everything now; call {@link drain} before, to lose nobody. */
  stop(): Promise<void>;
  readonly stats: ProxyStats;
}

/**
 * Makes a proxy. Nothing is opened before {@link Proxy.start}.
 *
 * ```ts
 * const proxy = createProxy({
 *   listeners: [httpListener({ port: 8080, routes: [route('/', 'api')] })],
 *   clusters: [cluster('api', ['127.0.0.1:9000'])],
 * });
 * await proxy.start();
 * ```
 * @throws TulleError `TULLE_CONFIG_INVALID` when the options contradict each other
 */
export function createProxy(options: ProxyOptions): Proxy {
  return new ProxyRuntime(options);
}

/** What the admin interface reads of a proxy. */
export class ProxyRuntime implements Proxy {
  readonly engine: Engine;
  readonly registry: Registry;
  readonly telemetry: readonly TelemetryPlugin[];
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  readonly listeners: Map<string, ListenerRuntime> = new Map<string, ListenerRuntime>();
  readonly refs: Map<string, ClusterRef> = new Map<string, ClusterRef>();
  readonly udp: UdpListeners;
  readonly startedEpochMs: number;
  config: ProxyConfig = emptyProxyConfig;
  state: ProxyState = 'new';
  readonly #options: ProxyOptions;
  readonly #initial: ProxyConfig | undefined;
  readonly #clusterKeys: Map<string, string> = new Map<string, string>();
  /** Removed listeners whose connections are still at work. */
  readonly #leaving: Set<ListenerRuntime> = new Set<ListenerRuntime>();
  readonly #stops: readonly (() => void)[];
  #admin: AdminServer | undefined;
  /** Updates are applied one after the other. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.clock = options.clock ?? systemClock();
    this.log = options.log ?? defaultLog();
    this.telemetry = options.telemetry ?? [];
    this.transport =
      options.transport ??
      nodeTransport({ identity: options.identity, onError: (message) => this.log.error(message) });
    const gathered = gatherConfig(options);
    this.#initial = gathered.config;
    this.registry = new Registry(gathered.filters);
    this.engine = new Engine({
      doors: DOORS,
      clock: this.clock,
      transport: this.transport,
      log: this.log,
      meter: onlyOne(this.telemetry, 'meter') ?? noMeter,
      limits: Object.freeze({ ...DEFAULT_ENGINE_LIMITS, ...options.limits }),
      random: options.random ?? Math.random,
      sinks: this.telemetry.flatMap((plugin) => (plugin.sink === undefined ? [] : [plugin.sink])),
      tracing: onlyOne(this.telemetry, 'tracing'),
      tracingSink: this.telemetry.find(({ tracing }) => tracing !== undefined)?.sink,
      overload: options.overload === false ? undefined : overloadSettings(options.overload),
      monitor: monitorOf(options),
      discover: options.discover,
      zone: options.zone,
    });
    this.udp = new UdpListeners(this.engine);
    this.engine.hbone = new Carriers(this.engine);
    this.engine.mirrors = new Mirrors(this.engine);
    this.engine.fetcher = new Fetcher(this.engine, (name) => this.refs.get(name)?.current);
    this.startedEpochMs = this.clock.epochMs();
    this.#stops = observeProxy(this.engine, () => this.state === 'ready');
  }

  async start(): Promise<void> {
    if (this.state !== 'new')
      throw new TulleError('TULLE_INTERNAL', `start() of a proxy that is ${this.state}; make another one`);
    this.state = 'starting';
    try {
      if (this.#initial !== undefined) await this.update(this.#initial);
      this.#refuseLate();
      if (this.#options.admin !== undefined && this.#options.admin !== false)
        this.#admin = await startAdmin(this, this.#options.admin);
      this.#refuseLate();
      this.state = 'ready';
      this.engine.overload.start((atMost) => this.#closeIdle(atMost));
    } catch (error) {
      await this.#admin?.close();
      await this.stop();
      throw error;
    }
  }

  /** Where the admin interface listens. */
  get adminAddress(): Address | undefined {
    return this.#admin?.address;
  }

  update(config: ProxyConfig): Promise<UpdateResult> {
    const applied = this.#queue.then(() => this.#apply(config));
    this.#queue = applied.catch(() => {});
    return applied;
  }

  /** @throws TulleError `TULLE_DRAINING` when the proxy was stopped meanwhile */
  #refuseStopped(): void {
    if (this.state === 'stopped')
      throw new TulleError('TULLE_DRAINING', 'the proxy is stopped; it takes no configuration any more');
  }

  /** @throws TulleError `TULLE_DRAINING` when the proxy was stopped or drained meanwhile */
  #refuseLate(): void {
    this.#refuseStopped();
    if (this.state === 'draining')
      throw new TulleError('TULLE_DRAINING', 'the proxy drains; it does not start any more');
  }

  async #apply(config: ProxyConfig): Promise<UpdateResult> {
    this.#refuseStopped();
    const { engine } = this;
    let compiled: Compiled;
    try {
      compiled = await compile(config, {
        engine,
        registry: this.registry,
        generation: engine.generation + 1,
        clusterKeys: this.#clusterKeys,
        listeners: new Map(
          [...this.listeners].map(([name, runtime]): [string, CompiledListener] => [name, runtime.compiled]),
        ),
        loggers: this.telemetry.flatMap(({ accessLoggers }) => accessLoggers ?? []),
        tracers: this.telemetry.flatMap(({ tracers }) => tracers ?? []),
        ref: (name) => this.#ref(name),
        find: (name) => this.refs.get(name),
        refuseDangling: (this.#options.danglingReferences ?? 'refuse') === 'refuse',
      });
    } catch (error) {
      engine.metrics.configRefused.add();
      throw error;
    }
    const opened = new NewListeners(engine, this.listeners, compiled.listeners);
    const clusters = new Map<string, ClusterRuntime>();
    let datagrams: PreparedUdp | undefined;
    try {
      for (const made of compiled.clusters.values())
        if (!made.kept)
          clusters.set(
            made.config.name,
            new ClusterRuntime(
              engine,
              made.config,
              made,
              (name) => this.#ref(name),
              (name) => this.refs.get(name),
            ),
          );
      // Listeners that are new, or whose address changed, are bound before anything else changes: only this can fail now.
      for (const listener of compiled.listeners.values()) {
        const running = this.listeners.get(listener.name);
        if (running !== undefined && sameAddresses(running.compiled, listener)) continue;
        if (this.state === 'draining') continue;
        await opened.open(listener, `/listeners/${config.listeners.indexOf(listener.config)}`);
      }
      if (this.state === 'draining') await opened.abandon();
      datagrams = await this.udp.prepare(compiled.udp, this.state !== 'draining');
      this.#refuseStopped();
    } catch (error) {
      await opened.abandon();
      datagrams?.abandon();
      compiled.discard();
      engine.metrics.configRefused.add();
      if (isTulleError(error)) throw error;
      const message = error instanceof Error ? error.message : String(error);
      throw new TulleError('TULLE_CONFIG_INVALID', message, {
        cause: error,
        issues: [{ path: opened.at, message }],
      });
    }
    opened.inherit();
    const swapped = this.#swap(config, compiled, opened.runtimes, clusters);
    const changed = datagrams.commit() || swapped;
    compiled.commit();
    const warnings = [...compiled.warnings, ...this.#unopened(compiled)];
    await this.#namesReady(compiled);
    for (const warning of warnings) this.log.warn(`configuration ${config.version}: ${warning}`);
    return { generation: engine.generation, changed, warnings };
  }

  /** Lets go of listeners that this proxy does not open since it drains. @returns what to say of each */
  #unopened(compiled: Compiled): string[] {
    const unopened = [...compiled.listeners.values()].filter(
      (listener) => this.listeners.get(listener.name)?.compiled !== listener,
    );
    for (const listener of unopened) listener.retireIfUnused();
    return unopened.map(({ name }) => `listener ${name} is not opened: the proxy drains`);
  }

  /** Puts the new state in place; synchronous and without anything that can fail. */
  #swap(
    config: ProxyConfig,
    compiled: Compiled,
    fresh: readonly ListenerRuntime[],
    clusters: ReadonlyMap<string, ClusterRuntime>,
  ): boolean {
    const { engine } = this;
    engine.generation++;
    engine.metrics.configUpdates.add();
    let changed = fresh.length > 0;
    const endpointSets = new Map(config.endpoints.map((set) => [set.name, set]));
    for (const { config: cluster, key } of compiled.clusters.values()) {
      const ref = this.#ref(cluster.name);
      const before = ref.current;
      const made = clusters.get(cluster.name);
      let set = endpointsOf(cluster.discovery, cluster.name, endpointSets);
      if (made !== undefined) {
        made.start();
        // Endpoints known from before serve until discovery sends the set, also where the cluster takes another one now.
        if (cluster.discovery.kind === 'eds') set ??= before;
        ref.current = made;
        this.#clusterKeys.set(cluster.name, key);
        before?.close();
        changed = true;
      }
      if (set !== undefined) ref.current?.setEndpoints(set.endpoints, set.policy);
      if (made !== undefined && before !== undefined) made.inheritHealth(before);
    }
    for (const [name, ref] of this.refs) {
      if (compiled.clusters.has(name) || ref.current === undefined) continue;
      ref.current.close();
      ref.current = undefined;
      this.#clusterKeys.delete(name);
      changed = true;
    }
    this.#forgetRefs(compiled);
    for (const [name, runtime] of [...this.listeners]) {
      const next = compiled.listeners.get(name);
      const replacement = fresh.find((other) => other.name === name);
      if (next !== undefined && replacement === undefined && sameAddresses(runtime.compiled, next)) {
        if (!sameChains(runtime.compiled, next)) changed = true;
        runtime.replace(next);
      } else {
        changed = true;
        this.listeners.delete(name);
        this.#leave(runtime);
      }
    }
    for (const runtime of fresh) {
      this.listeners.set(runtime.name, runtime);
      runtime.activate();
    }
    this.config = config;
    engine.decisions.forgetOldChains();
    return changed;
  }

  /** References that nobody can ask for any more; a chain that leaves may still hold one. */
  #forgetRefs(compiled: Compiled): void {
    if (this.#leaving.size > 0) return;
    for (const name of this.refs.keys())
      if (!compiled.clusters.has(name) && !compiled.references.has(name)) this.refs.delete(name);
  }

  /** A removed listener takes nothing new; its connections end in their own time. */
  #leave(runtime: ListenerRuntime): void {
    this.#leaving.add(runtime);
    void runtime
      .drain(REMOVED_LISTENER_DRAIN_MS)
      .then(() => this.#atMost(runtime.emptied(), REMOVED_LISTENER_END_MS))
      .then(() => runtime.close())
      .finally(() => this.#leaving.delete(runtime));
  }

  /** Resolves with `promise`, or after the time. */
  #atMost(promise: Promise<void>, timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.clock.setTimer(timeoutMs, resolve);
      void promise.then(() => {
        cancel();
        resolve();
      });
    });
  }

  async #namesReady(compiled: Compiled): Promise<void> {
    const names = [...compiled.clusters.keys()];
    await Promise.all(names.map((name) => this.refs.get(name)?.current?.ready() ?? Promise.resolve()));
  }

  #ref(name: string): ClusterRef {
    let ref = this.refs.get(name);
    if (ref === undefined) this.refs.set(name, (ref = { name, current: undefined }));
    return ref;
  }

  addresses(): Readonly<Record<string, Address>> {
    const own = [...this.listeners].flatMap(([name, { address, compiled }]) =>
      isInternalAddress(address) || compiled.config.unbound === true ? [] : [[name, address] as const],
    );
    return { ...Object.fromEntries(own), ...this.udp.addresses() };
  }

  get stats(): ProxyStats {
    let connections = 0;
    for (const runtime of [...this.listeners.values(), ...this.#leaving]) connections += runtime.connections;
    return {
      state: this.state,
      generation: this.engine.generation,
      streams: this.engine.streams.active,
      connections,
      upstreamConnections: this.engine.connections.size,
    };
  }

  async drain(options: { readonly windowMs?: number } = {}): Promise<void> {
    if (this.state === 'stopped') return;
    this.state = 'draining';
    this.engine.draining = true;
    const windowMs = options.windowMs ?? 5_000;
    // An update under way gives up when it sees the state; nothing of it is left then.
    await Promise.all([
      this.#queue,
      ...[...this.listeners.values()].map((runtime) => runtime.drain(windowMs)),
      this.udp.drain(windowMs),
    ]);
    await Promise.all(this.telemetry.map((plugin) => this.#finish(plugin, 'flush')));
  }

  failHealthChecks(fail: boolean): void {
    this.engine.failsHealthChecks = fail;
  }

  async emptied(): Promise<void> {
    await Promise.all([...this.listeners.values(), ...this.#leaving].map((runtime) => runtime.emptied()));
  }

  async stop(): Promise<void> {
    if (this.state === 'stopped') return;
    this.state = 'stopped';
    await Promise.all([
      this.#queue,
      ...[...this.listeners.values(), ...this.#leaving].map((runtime) => runtime.close()),
    ]);
    this.listeners.clear();
    this.udp.close();
    // Access logs and spans of the last requests go to clusters, which are still there.
    await this.engine.closing.end(this.engine, LAST_RECORDS_MS);
    for (const ref of this.refs.values()) {
      ref.current?.close();
      ref.current = undefined;
    }
    await this.engine.closing.end(this.engine, LAST_RECORDS_MS); // what clusters told files of
    this.engine.fetcher.close();
    for (const connection of [...this.engine.connections]) connection.close();
    await this.#admin?.close();
    for (const plugin of this.telemetry) await this.#finish(plugin, 'close');
    for (const stop of this.#stops) stop();
    this.engine.overload.stop();
    this.engine.wheel.close();
    await this.transport.close();
  }

  /** Asks so many connections at most, those first that came first. */
  #closeIdle(atMost: number): number {
    let left = atMost;
    for (const runtime of this.listeners.values()) left -= runtime.closeIdle(left);
    return atMost - left;
  }

  async #finish(plugin: TelemetryPlugin, step: 'flush' | 'close'): Promise<void> {
    try {
      // At once what throws at once, and never longer than the deadline.
      const done = finishParts(plugin, step);
      await withDeadline(
        this.engine,
        done,
        SINK_DEADLINE_MS,
        () => new Error(`not done after ${SINK_DEADLINE_MS} ms; what it held is lost`),
      );
    } catch (error) {
      this.log.error(
        `telemetry plugin ${plugin.name} failed to ${step}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}

/** Time for an exporter to `flush` or `close`, as the telemetry contract says. */
const SINK_DEADLINE_MS = 5_000;

/** Time for what chains log and trace at the end: as what exporters are given after a drain. */
const LAST_RECORDS_MS = 2_000;

/** Connections of a removed listener hear `Connection: close` ever more often over this time. */
const REMOVED_LISTENER_DRAIN_MS = 5_000;

/** What is still connected to a removed listener then, a long TCP connection for instance, is cut. As Envoy's `drain_time`. */
const REMOVED_LISTENER_END_MS = 600_000;

function sameChains(a: CompiledListener, b: CompiledListener): boolean {
  return (
    a.chains.length === b.chains.length &&
    a.filters === b.filters &&
    a.chains.every((chain, index) => chain === b.chains[index])
  );
}

function endpointsOf(
  discovery: ProxyConfig['clusters'][number]['discovery'],
  name: string,
  sets: ReadonlyMap<string, KnownEndpoints>,
): KnownEndpoints | undefined {
  if (discovery.kind === 'static') return discovery;
  return discovery.kind === 'eds' ? sets.get(discovery.serviceName ?? name) : undefined;
}
