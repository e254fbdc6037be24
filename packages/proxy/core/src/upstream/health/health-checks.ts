import { parseWireName, type Endpoint, type HealthCheck } from '@tulle/model';
import { isValidAuthority } from '@tulle/http1';
import type { LineFile } from '@tulle/telemetry';
import { HealthEvents } from './health-events.ts';
import { HealthCheckMetrics } from './health-check-metrics.ts';
import { connectEndpoint } from '../connect-endpoint.ts';
import type { CheckedCluster, CheckedEndpoint, CheckOwner } from './check-owner.ts';
import { EndpointCheck } from './endpoint-check.ts';
import { GrpcProbe } from './grpc-probe.ts';
import { HttpProbe } from './http-probe.ts';
import type { Probe, Told } from './probe.ts';
import { TcpProbe } from './tcp-probe.ts';

/**
 * Active health checks of one cluster (Envoy `HealthCheck`): one for each endpoint, on the engine's clock and transport.
 * Until every endpoint of the beginning was checked, those that were not are used; later ones wait for their first check.
 */
export class HealthChecks implements CheckOwner {
  readonly cluster: CheckedCluster;
  readonly config: HealthCheck;
  readonly metrics: HealthCheckMetrics;
  /** Who is told of what becomes of endpoints; `undefined`: nobody. */
  readonly events: HealthEvents | undefined;
  readonly #own: CheckedCluster['own'];
  readonly #checks: Map<CheckedEndpoint, EndpointCheck> = new Map<CheckedEndpoint, EndpointCheck>();

  /** @param files see {@link HealthCheck.eventLogs} @param own what is asked, and told of what is found */
  constructor(
    cluster: CheckedCluster,
    config: HealthCheck,
    files: readonly LineFile[] = [],
    own: CheckedCluster['own'] = cluster.own,
  ) {
    this.#own = own;
    this.events = files.length === 0 ? undefined : new HealthEvents(cluster, config, files);
    this.cluster = cluster;
    this.config = config;
    // One alone has no name in statistics.
    const checkName = own === cluster.own ? undefined : config.name;
    this.metrics = new HealthCheckMetrics(cluster.engine.meter, cluster.name, checkName, () =>
      own.endpoints.reduce((sum, { check }) => sum + (check === 'passed' ? 1 : 0), 0),
    );
  }

  /** The set changed: endpoints that are new are asked, those that left are not any more. */
  follow(endpoints: readonly CheckedEndpoint[]): void {
    const present = new Set(endpoints);
    for (const [state, check] of this.#checks) {
      if (present.has(state)) continue;
      check.close();
      this.#checks.delete(state);
    }
    for (const state of endpoints) {
      if (this.#checks.has(state)) continue;
      if (state.endpoint.healthCheck?.disabled === true)
        this.#own.checked(state, true, this.cluster.engine.clock.nowMs());
      else this.#checks.set(state, new EndpointCheck(this, state));
    }
    this.warm();
  }

  /** An endpoint turned out well, or ill. */
  found(state: CheckedEndpoint, passed: boolean, detail: string, degraded = false): void {
    const before = state.check;
    const { engine, name } = this.cluster;
    if (degraded !== state.checkedDegraded && passed)
      engine.log.info(
        `endpoint ${state.address} of cluster ${name} says that it is ${degraded ? 'degraded' : 'degraded no more'}`,
        { cluster: name, endpoint: state.address },
      );
    this.#own.checked(state, passed, engine.clock.nowMs(), degraded);
    this.warm();
    const fields = { cluster: name, endpoint: state.address };
    if (!passed)
      engine.log.warn(
        `endpoint ${state.address} of cluster ${name} failed its health check: ${detail}`,
        fields,
      );
    else if (before === 'failed')
      engine.log.info(`endpoint ${state.address} of cluster ${name} passes its health check again`, fields);
  }

  /** An endpoint says of itself that it is ill: it is, until as many checks as ever pass. */
  saysUnwell(state: CheckedEndpoint): void {
    this.#checks.get(state)?.unwell();
  }

  close(): void {
    for (const check of this.#checks.values()) check.close();
    this.#checks.clear();
    this.metrics.close();
    this.events?.close();
  }

  probeOf(state: CheckedEndpoint, told: Told): Probe {
    const { cluster, config } = this;
    const { engine } = cluster;
    const host = {
      engine,
      told,
      http2: cluster.http2,
      expectsHttp2: cluster.protocol === 'http2' || (config.kind === 'http' && config.codec === 'http2'),
      connect: () =>
        connectEndpoint(cluster, probedAt(state.endpoint, config), {
          alpn: cluster.alpn,
          onlyAlpn: config.alpn,
        }),
    };
    switch (config.kind) {
      case 'tcp':
        return new TcpProbe(host, config);
      case 'http':
        return new HttpProbe(
          host,
          config,
          state.endpoint.healthCheck?.hostname ?? config.host ?? authorityFor(cluster.name, state),
        );
      case 'grpc':
        return new GrpcProbe(
          host,
          config,
          state.endpoint.healthCheck?.hostname ?? config.authority ?? authorityFor(cluster.name, state),
        );
    }
  }

  /** As soon as nothing is pending, health is known. */
  warm(): void {
    const own = this.#own;
    if (own.endpoints.length > 0 && own.endpoints.every(({ check }) => check !== 'pending'))
      own.warmed(this.cluster.engine.clock.nowMs());
  }
}

/** Where an endpoint is asked. */
function probedAt(given: Endpoint, { altPort, tlsLabels }: HealthCheck): Endpoint {
  const { address, healthCheck } = given;
  const endpoint = tlsLabels === undefined ? given : labelled(given, tlsLabels);
  const port = healthCheck?.port ?? altPort;
  if (!('host' in address) || (port === undefined && healthCheck?.host === undefined)) return endpoint;
  return {
    ...endpoint,
    address: { host: healthCheck?.host ?? address.host, port: port ?? address.port },
  };
}

/** The endpoint as if it had these labels, which may switch TLS on. */
function labelled({ mode, ...endpoint }: Endpoint, tlsLabels: Readonly<Record<string, string>>): Endpoint {
  return { ...endpoint, ...(mode === undefined || mode === 'none' ? {} : { mode }), tlsLabels };
}

/** What a check without a host of its own says: the host in the cluster's name, its name, or the address. */
function authorityFor(
  clusterName: string,
  { endpoint: { address }, address: text }: CheckedEndpoint,
): string {
  const host = parseWireName(clusterName)?.host ?? clusterName;
  if (isValidAuthority(host)) return host;
  return 'host' in address ? text : 'localhost';
}
