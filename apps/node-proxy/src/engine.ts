import { kernelDestinations } from '@tulle/intercept';
import { createProxy, nodeResourceMonitor, nodeTransport } from '@tulle/proxy';
import { lentSockets, overloadOf } from '@tulle/sidecar/engine';
import { loadStandardFilters, loadStandardTelemetry } from '@tulle/standard/load';
import type { CreateEngine } from '@tulle/supervisor';
import { openInside } from './sockets.ts';

/** What the node proxy tells its engine; plain data. */
export interface EngineSettings {
  /** Time over which connections are asked to close, in milliseconds. */
  readonly drainWindowMs: number;
}

/** The data plane of a node proxy: layer 4, for all its workloads. */
export const createNodeProxyEngine: CreateEngine<EngineSettings> = async ({
  settings,
  listeners,
  identities,
  adminAddress,
  tokens,
  workers,
  log,
}) => {
  const overload = overloadOf(undefined, workers);
  const proxy = createProxy({
    registry: await loadStandardFilters(['tulle.conn.authz'], tokens),
    telemetry: await loadStandardTelemetry({ prometheus: {} }),
    transport: lentSockets(listeners, (acquire) =>
      nodeTransport({
        acquireHandle: acquire,
        identities,
        openSocket: openInside(),
        originalDestination: kernelDestinations,
        onError: (message) => log.error(message),
      }),
    ),
    monitor: nodeResourceMonitor(),
    ...(overload === undefined ? {} : { overload }),
    admin: adminAddress,
    log,
    danglingReferences: 'allow',
  });
  await proxy.start();
  return {
    async apply(config) {
      await proxy.update(config);
    },
    drain: async () => proxy.drain({ windowMs: settings.drainWindowMs }),
    close: async () => proxy.stop(),
    stats: () => {
      const { streams, connections, upstreamConnections } = proxy.stats;
      return { streams, connections, upstreamConnections };
    },
  };
};
