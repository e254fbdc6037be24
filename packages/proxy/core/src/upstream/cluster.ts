import {
  createBalancer,
  type AggregateBalancer,
  type Balancer,
  type BalancerOptions,
  type EndpointState,
} from '@tulle/balance';
import { aggregateOf } from './aggregate.ts';
import { DEFAULT_OPTIONS, type Http2Options as CodecOptions } from '@tulle/http2';
import type { Cluster, Endpoint, EndpointPolicy, PoolOptions } from '@tulle/model';
import { hashPolicyOf } from '../compile/compile-hash-policy.ts';
import type { CompiledHashPolicy } from '../compile/compiled-hash-policy.ts';
import { policiesOf, type ClusterPolicies } from '../compile/cluster-policies.ts';
import { spokenAlpn } from '../compile/alpn.ts';
import { NO_EVENT_FILES, type EventFiles } from '../compile/event-files.ts';
import type { Engine } from '../engine.ts';
import { sessionOptions } from '../http2/session-options.ts';
import type { ClientTls } from '../ports.ts';
import { callerZonesOf } from './caller-zones.ts';
import { connectOptionsOf, type ConnectingCluster } from './connect-endpoint.ts';
import { ClusterMetrics } from './cluster-metrics.ts';
import { type Drops, dropsOf } from './drops.ts';
import { EjectionLog } from './ejection-log.ts';
import { EndpointPool } from './endpoint-pool.ts';
import type { ClusterTls } from './endpoint-tls.ts';
import { HealthChecks } from './health/health-checks.ts';
import { SeveralChecks } from './health/several-checks.ts';
import { NameResolution } from './name-resolution.ts';
import { onDemandOf } from './on-demand-of.ts';
import type { OnDemandEndpoints } from './on-demand.ts';
import { Resources } from './resources.ts';

/** An endpoint with its pool, as the balancer hands it out. */
export type UpstreamEndpoint = EndpointState<EndpointPool>;

/**
 * A cluster's name with whatever stands behind it now. Routes keep the reference, so a replaced cluster is seen by
 * chains that did not change.
 */
export interface ClusterRef {
  readonly name: string;
  current: ClusterRuntime | undefined;
}

/** Endpoints with what holds for them together. */
export interface KnownEndpoints {
  readonly endpoints: readonly Endpoint[];
  readonly policy?: EndpointPolicy | undefined;
}

/** What a cluster is made of that was opened before. */
export interface ClusterParts extends ClusterTls {
  /** Default none. */
  readonly events?: EventFiles;
}

/** A cluster at work: its endpoints, pools, limits and retry budget. Lives as long as its configuration means the same. */
export class ClusterRuntime {
  readonly engine: Engine;
  readonly name: string;
  readonly metrics: ClusterMetrics;
  /** Of its own endpoints; of an aggregate there are none. */
  readonly own: Balancer<EndpointPool>;
  /** Of an aggregate: whose endpoints it has. */
  readonly parts: readonly ClusterRef[] | undefined;
  /** Who chooses endpoints for requests. */
  readonly balancer: AggregateBalancer<EndpointPool>;
  /** Of streams of the default priority. */
  readonly resources: Resources;
  /** Of those whose route says `circuitPriority: 'high'`. */
  readonly highResources: Resources;
  readonly tls: ClientTls | undefined;
  readonly tlsMatches: ClusterTls['tlsMatches'];
  readonly proxyProtocol: ClusterTls['proxyProtocol'];
  readonly passthrough: ClusterTls['passthrough'];
  /** Requests of one connection have connections of their own. */
  readonly perDownstream: boolean;
  readonly config: Cluster;
  /** What statistics call it, where that is not its name. */
  readonly statName: string | undefined;
  /** To one endpoint. */
  readonly maxConnectionsPerEndpoint: number;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxIdlePerEndpoint: number;
  readonly maxRequestsPerConnection: number;
  /** What its endpoints are spoken to in; by TLS where ALPN decides. */
  readonly protocol: NonNullable<PoolOptions['protocol']>;
  /** What is offered by ALPN to be spoken, where TLS names nothing and no request decides. */
  readonly alpn: readonly string[] | undefined;
  readonly http2: Partial<CodecOptions>;
  /** Streams that an HTTP/2 connection may bear at most. */
  readonly streamsEach: number;
  /** How long an HTTP/2 connection without a stream is kept: longer than others, since its endpoint says when it goes. */
  readonly http2IdleTimeoutMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly connectOptions: ConnectingCluster['connectOptions'];
  /** Bytes queued towards an endpoint before the caller is not read on. */
  readonly bufferLimitBytes: number;
  /** Where endpoints are made when they are asked for; else `undefined`. */
  readonly onDemand: OnDemandEndpoints | undefined;
  /** Where requests say themselves which endpoint they go to; else `undefined`. */
  readonly hostOverride: Cluster['hostOverride'];
  /** Where requests say the server name for TLS; else `undefined`. */
  readonly serverNames: Cluster['serverNameFrom'];
  /** What its requests are told together by, whatever their routes say; `null`: as those say. */
  readonly hashPolicy: readonly CompiledHashPolicy[] | null;
  /** What it says in the place of routes; `null`: nothing. */
  readonly policies: ClusterPolicies | null;
  /** Of its endpoints together, as set last. */
  policy: EndpointPolicy | undefined;
  /** What refuses a share of its requests; else `undefined`. */
  drops: Drops | undefined;
  /** Open or connecting. */
  connections = 0;
  /** Open and speaking HTTP/2. */
  http2Connections = 0;
  closed = false;
  /** Whether anybody has called it. */
  used = false;
  readonly #healthChecks: HealthChecks | SeveralChecks | undefined;
  readonly #ejections: EventFiles['ejections'];
  #ejectionLog: EjectionLog | undefined;
  #names: NameResolution | undefined;

  /** @param ref of another cluster, by its name @param find likewise, where something has named it */
  constructor(
    engine: Engine,
    config: Cluster,
    { tls, tlsMatches, proxyProtocol, passthrough, events = NO_EVENT_FILES }: ClusterParts,
    ref: (name: string) => ClusterRef,
    find: (name: string) => ClusterRef | undefined = () => undefined,
  ) {
    this.engine = engine;
    this.config = config;
    this.statName = config.statName;
    this.name = config.name;
    this.tls = tls;
    this.tlsMatches = tlsMatches;
    this.proxyProtocol = proxyProtocol;
    this.passthrough = passthrough;
    this.serverNames = config.serverNameFrom;
    this.hostOverride = config.hostOverride;
    this.hashPolicy = hashPolicyOf(config.hashPolicy);
    this.policies = policiesOf(config, { ref, find });
    const { limits, pool } = config;
    this.perDownstream = pool?.perDownstreamConnection === true;
    this.maxConnectionsPerEndpoint = limits?.maxConnectionsPerEndpoint ?? Infinity;
    this.connectTimeoutMs = config.connectTimeoutMs ?? 5_000;
    this.idleTimeoutMs = pool?.idleTimeoutMs ?? 4_000;
    this.maxIdlePerEndpoint = pool?.maxIdlePerEndpoint ?? 64;
    this.maxRequestsPerConnection = pool?.maxRequestsPerConnection ?? 0;
    this.protocol = pool?.protocol ?? 'http1';
    this.alpn = spokenAlpn(config);
    this.http2 = sessionOptions(pool?.http2, engine.responseLimits);
    this.streamsEach = pool?.http2?.maxConcurrentStreams ?? DEFAULT_OPTIONS.maxConcurrentStreams;
    this.http2IdleTimeoutMs = pool?.idleTimeoutMs ?? 300_000;
    this.labels = Object.freeze({ ...config.labels });
    this.connectOptions = connectOptionsOf(pool ?? {});
    this.bufferLimitBytes = pool?.bufferLimitBytes ?? engine.limits.bufferLimitBytes;
    const metrics = (this.metrics = new ClusterMetrics(engine.meter, config.name));
    const nowMs = engine.clock.nowMs();
    this.resources = new Resources(limits ?? {}, nowMs, undefined);
    this.highResources = new Resources(config.highLimits ?? {}, nowMs, this.resources.budget);
    this.own = createBalancer<EndpointPool>({
      ...(config.balance === undefined ? {} : { policy: config.balance }),
      ...(config.outlier === undefined ? {} : { outlier: config.outlier }),
      ...(config.panicThresholdPercent === undefined
        ? {}
        : { panicThresholdPercent: config.panicThresholdPercent }),
      ...(config.localityWeighted === undefined ? {} : { localityWeighted: config.localityWeighted }),
      ...(config.failOnPanic === undefined ? {} : { failsOnPanic: config.failOnPanic }),
      ...(config.subsets === undefined ? {} : { subsets: config.subsets }),
      ...zoneOptions(engine, config, ref),
      healthChecked: config.healthCheck !== undefined,
      random: engine.random,
      attach: (endpoint, address) => new EndpointPool(this, endpoint, address),
      detach: (state) => state.data.retire(),
      onFailedCheck: (state) => state.data.unwell(),
      onEjection: ({ state, ejected, reason, durationMs }) => {
        if (ejected) {
          state.data.unwell();
          metrics.ejections.add();
          engine.log.warn(
            `endpoint ${state.address} of cluster ${this.name} ejected for ${Math.round(durationMs)} ms: ${reason}`,
            { cluster: this.name, endpoint: state.address, reason },
          );
        } else {
          engine.log.info(`endpoint ${state.address} of cluster ${this.name} is back`, {
            cluster: this.name,
            endpoint: state.address,
          });
          this.#ejectionLog?.returned(state);
        }
      },
      ...(events.ejections && { onDetection: (event) => this.#ejectionLog?.detected(event) }),
      onEjectionRefused: () => metrics.ejectionsRefused.add(),
      onPanicPick: () => metrics.panicPicks.add(),
    });
    const { discovery } = config;
    this.balancer =
      discovery.kind === 'aggregate'
        ? aggregateOf((this.parts = discovery.clusters.map(ref)), engine, config.panicThresholdPercent)
        : this.own;
    this.onDemand = onDemandOf(this);
    this.#healthChecks = checksOf(this, config, events);
    this.#ejections = events.ejections;
  }

  /** Goes to work. What can fail has happened when it was made. */
  start(): void {
    const { metrics, config } = this;
    metrics.observe('upstream_cx_active', 'Open connections', () => this.connections);
    metrics.observe('upstream_cx_http2_active', 'Open HTTP/2 connections', () => this.http2Connections);
    metrics.observe('upstream_rq_active', 'Requests under way', () => this.requests);
    metrics.observe('upstream_rq_pending_active', 'Requests waiting for a connection', () => this.pending);
    metrics.observe('membership_total', 'Endpoints', () => this.balancer.size);
    metrics.observe(
      'membership_healthy',
      'Endpoints that are healthy, not degraded and not ejected',
      () => this.balancer.usable - this.balancer.degraded,
    );
    metrics.observe(
      'membership_degraded',
      'Endpoints that are degraded and not ejected',
      () => this.balancer.degraded,
    );
    metrics.observe('outlier_detection_ejections_active', 'Endpoints ejected now', () => this.own.ejected);
    this.#ejectionLog = this.#ejections && new EjectionLog(this, this.#ejections, config.outlier?.intervalMs);
    if (config.discovery.kind === 'static')
      this.setEndpoints(config.discovery.endpoints, config.discovery.policy);
    else if (config.discovery.kind === 'dns') this.#names = new NameResolution(this, config.discovery);
  }

  /** Takes a new set of endpoints; those that stay keep their connections. */
  setEndpoints(endpoints: readonly Endpoint[], policy?: EndpointPolicy): void {
    this.policy = policy;
    this.drops = dropsOf(policy, this.metrics, this.engine.random);
    const before = this.config.pool?.drainsOnSetChange === true ? this.own.endpoints : undefined;
    this.own.update(endpoints, this.engine.clock.nowMs(), policy);
    for (const state of this.own.endpoints) state.data.configure(state.endpoint);
    if (before !== undefined && !haveSame(before, this.own.endpoints))
      for (const state of this.own.endpoints) state.data.drain();
    this.#healthChecks?.follow(this.own.endpoints);
  }

  get checksHealth(): boolean {
    return this.#healthChecks !== undefined;
  }

  saysUnwell(endpoint: UpstreamEndpoint): void {
    this.#healthChecks?.saysUnwell(endpoint);
  }

  /** What checks of the runtime that this one replaces found holds until they are made anew. */
  inheritHealth(before: ClusterRuntime): void {
    if (this.#healthChecks === undefined) return;
    for (const { address, check, ejected, checkedDegraded } of before.own.endpoints) {
      const state = this.own.get(address);
      if (state?.check === 'pending' && check !== 'pending' && !ejected)
        this.own.checked(state, check !== 'failed', this.engine.clock.nowMs(), checkedDegraded);
    }
    this.#healthChecks.warm();
  }

  /** The set in force. */
  get endpoints(): readonly Endpoint[] {
    return this.own.endpoints.map((state) => state.endpoint);
  }

  /** Resolves when names were looked up once, so that a start does not begin with 503. */
  ready(): Promise<void> {
    return this.#names === undefined ? Promise.resolve() : this.#names.ready;
  }

  /** Streams that wait for a connection. */
  get pending(): number {
    return this.resources.pending + this.highResources.pending;
  }

  /** Streams under way. */
  get requests(): number {
    return this.resources.requests + this.highResources.requests;
  }

  resourcesOf(high: boolean): Resources {
    return high ? this.highResources : this.resources;
  }

  enter(high: boolean): boolean {
    const resources = this.resourcesOf(high);
    if (resources.requests >= resources.maxRequests) {
      this.metrics.requestOverflow.add();
      return false;
    }
    resources.requests++;
    this.used = true;
    return true;
  }

  leave(high: boolean): void {
    this.resourcesOf(high).requests--;
    if (this.closed && this.requests === 0) this.#finish();
  }

  /** Not configured any more (or replaced): idle connections close, busy ones end with their stream. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#names?.close();
    this.onDemand?.close();
    this.#healthChecks?.close();
    this.#ejectionLog?.close();
    for (const state of this.own.endpoints) state.data.retire();
    if (this.requests === 0) this.#finish();
  }

  #finish(): void {
    this.metrics.close();
    for (const { tls } of [this, ...this.tlsMatches]) tls?.close();
  }
}

/** Whether both are the same endpoints, in whatever order. */
function haveSame(some: readonly UpstreamEndpoint[], others: readonly UpstreamEndpoint[]): boolean {
  const known = new Set(some);
  return some.length === others.length && others.every((one) => known.has(one));
}

function checksOf(
  cluster: ClusterRuntime,
  { healthCheck, moreHealthChecks = [] }: Cluster,
  { health }: EventFiles,
): HealthChecks | SeveralChecks | undefined {
  if (healthCheck === undefined) return undefined;
  return moreHealthChecks.length === 0
    ? new HealthChecks(cluster, healthCheck, health[0])
    : new SeveralChecks(cluster, [healthCheck, ...moreHealthChecks], health);
}

/** What a balancer needs to know of where callers are. */
function zoneOptions(
  engine: Engine,
  { zoneRouting }: Cluster,
  ref: (name: string) => ClusterRef,
): Pick<BalancerOptions<EndpointPool>, 'zoneRouting' | 'callerZones'> {
  const callerZones = zoneRouting && callerZonesOf(engine, ref);
  return callerZones === undefined || zoneRouting === undefined ? {} : { zoneRouting, callerZones };
}
