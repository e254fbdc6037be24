import { existsSync } from 'node:fs';
import { kernelDestinations } from '@tulle/intercept';
import type { OverloadOptions, ProxyZone } from '@tulle/proxy';
import { createProxy, nodeResourceMonitor, nodeTransport } from '@tulle/proxy';
import { lentSockets, overloadOf } from '@tulle/sidecar/engine';
import { loadStandardFilters, loadStandardTelemetry } from '@tulle/standard/load';
import type { CreateEngine } from '@tulle/supervisor';

/** What the proxy tells its engine processes; plain data. */
export interface EngineSettings {
  /** Who it is in metrics: `node.cluster` of the bootstrap. */
  readonly workload: string;
  /** How load is shed, for one process. Default: the engine's own way. */
  readonly overload?: OverloadOptions;
  /** Where it is, and the cluster that it is one of. Default: nobody knows. */
  readonly zone?: ProxyZone;
  /** What may wait between the ends of a connection within the process. Default: the engine's. */
  readonly internalBufferBytes?: number;
  /** While this file is there, health checks fail. */
  readonly failFile: string;
  /** Time over which connections are asked to close, in milliseconds. */
  readonly drainWindowMs: number;
}

/** The data plane: everything that ships with Tulle, for chains that name it. Copy the file for a proxy of your own. */
export const createEnvoyEngine: CreateEngine<EngineSettings> = async ({
  settings,
  listeners,
  adminAddress,
  tokens,
  discover,
  workers,
  log,
}) => {
  const overload = overloadOf(settings.overload, workers);
  const { internalBufferBytes } = settings;
  const proxy = createProxy({
    registry: await loadStandardFilters(undefined, tokens),
    telemetry: await loadStandardTelemetry({
      prometheus: { self: { workload: settings.workload, namespace: 'default' } },
    }),
    transport: lentSockets(listeners, (acquire) =>
      nodeTransport({
        acquireHandle: acquire,
        sharesDatagrams: workers !== undefined,
        originalDestination: kernelDestinations,
        onError: (message) => log.error(message),
      }),
    ),
    monitor: nodeResourceMonitor(),
    ...(overload === undefined ? {} : { overload }),
    ...(settings.zone && { zone: settings.zone }),
    ...(internalBufferBytes !== undefined && { limits: { internalBufferBytes } }),
    admin: adminAddress,
    ...(discover && { discover }),
    log,
    danglingReferences: 'allow', // as Envoy: 503 or 404 until what is named has come
  });
  proxy.failHealthChecks(existsSync(settings.failFile));
  await proxy.start();
  return {
    async apply(config) {
      await proxy.update(config);
    },
    async drain() {
      await proxy.drain({ windowMs: settings.drainWindowMs });
      // Long connections live on until they end, or the supervisor's time for it is over (decision D3).
      await proxy.emptied();
    },
    close: async () => proxy.stop(),
    stats: () => {
      const { streams, connections, upstreamConnections } = proxy.stats;
      return { streams, connections, upstreamConnections };
    },
  };
};
