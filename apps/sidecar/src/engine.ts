import type { Log } from '@tulle/filter';
import { loadFilters, type VerifiedFilters } from '@tulle/filter-loader';
import { kernelDestinations } from '@tulle/intercept';
import type { OverloadOptions, Transport } from '@tulle/proxy';
import { createProxy, nodeResourceMonitor, nodeTransport } from '@tulle/proxy';
import { loadStandardFilters, loadStandardTelemetry } from '@tulle/standard/load';
import { formatAddress } from '@tulle/model';
import type { AcquiredListener, CreateEngine, ListenerSource } from '@tulle/supervisor';
import type { TelemetryPlugin } from '@tulle/telemetry';
import { CAPABILITIES, filtersOf, type Capability } from './capabilities.ts';
import { overloadOf } from './memory-share.ts';
import type { SidecarTelemetry } from './options.ts';

/** What the sidecar tells its engine; plain data. */
export interface EngineSettings {
  /** Labels of the workload in metrics. */
  readonly workload: string;
  readonly namespace: string;
  readonly version: string | undefined;
  readonly app: string | undefined;
  /** SPIFFE id of the workload. */
  readonly principal: string;
  /** Cluster that it runs in. */
  readonly cluster: string;
  /** What is on beside identity; what is off is not loaded. Default: everything. */
  readonly capabilities?: readonly Capability[];
  /** How load is shed; `false`: never. Default: the engine's own way. */
  readonly overload?: OverloadOptions | false;
  /** Where the access log goes; undefined: nowhere. */
  readonly accessLog: 'stdout' | { readonly file: string } | undefined;
  readonly telemetry: SidecarTelemetry;
  /** Filters beside the standard ones; compared with what is installed again, and loaded, in each engine process. */
  readonly filters: VerifiedFilters | undefined;
  /** Time over which connections are asked to close, in milliseconds. */
  readonly drainWindowMs: number;
}

/** The data plane of a sidecar: what ships with Tulle, in this order. Copy the file for a sidecar of your own. */
export const createSidecarEngine: CreateEngine<EngineSettings> = async ({
  settings,
  listeners,
  identity,
  adminAddress,
  tokens,
  workers,
  log,
}) => {
  const overload = overloadOf(settings.overload, workers);
  const { capabilities = CAPABILITIES } = settings;
  const standard = await loadStandardFilters(filtersOf(capabilities), tokens);
  const proxy = createProxy({
    registry:
      settings.filters === undefined ? standard : [...standard, ...(await loadFilters(settings.filters))],
    telemetry: await telemetryOf(settings, capabilities, log),
    transport: lentSockets(listeners, (acquire) =>
      nodeTransport({
        acquireHandle: acquire,
        identity,
        sharesDatagrams: workers !== undefined,
        originalDestination: kernelDestinations,
        onError: (message) => log.error(message),
      }),
    ),
    monitor: nodeResourceMonitor(),
    ...(overload === undefined ? {} : { overload }),
    ...(identity === undefined ? {} : { identity }),
    admin: adminAddress,
    log,
    danglingReferences: 'allow', // as xDS wants it: 503 or 404 until what is named has come
  });
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

async function telemetryOf(
  settings: EngineSettings,
  capabilities: readonly Capability[],
  log: Log,
): Promise<readonly TelemetryPlugin[]> {
  const { workload, namespace, version, app, principal, cluster } = settings;
  const { accessLogFormat, metricsDialects, otlp } = settings.telemetry;
  const self = {
    workload,
    namespace,
    principal,
    cluster,
    ...(app === undefined ? {} : { app }),
    ...(version === undefined ? {} : { version }),
  };
  return loadStandardTelemetry({
    ...(capabilities.includes('metrics')
      ? {
          prometheus: {
            self,
            ...(metricsDialects === undefined ? {} : { dialects: metricsDialects }),
          },
        }
      : {}),
    ...(settings.accessLog === undefined || !capabilities.includes('access-log')
      ? {}
      : {
          accessLog: {
            to: settings.accessLog,
            ...(accessLogFormat === undefined ? {} : { format: accessLogFormat }),
          },
        }),
    ...(otlp === undefined || !capabilities.includes('tracing')
      ? {}
      : {
          otlp: {
            self,
            ...otlp,
            ...(otlp.environment === true ? {} : { env: {} }),
            onError: (message: string) => log.warn(message),
          },
        }),
  });
}

/** A transport on the supervisor's sockets; what it closes is given back. */
export function lentSockets(
  listeners: ListenerSource,
  make: (
    acquire: NonNullable<NonNullable<Parameters<typeof nodeTransport>[0]>['acquireHandle']>,
  ) => Transport,
): Transport {
  const acquired = new Map<string, AcquiredListener[]>();
  const inner = make(async (address) => {
    const listener = await listeners.acquire(address);
    const key = formatAddress(listener.address);
    acquired.set(key, [...(acquired.get(key) ?? []), listener]);
    return listener.handle;
  });
  const listen: Transport['listen'] = async (address, owner) => {
    const listening = await inner.listen(address, owner);
    return {
      address: listening.address,
      async close() {
        await listening.close();
        acquired.get(formatAddress(listening.address))?.pop()?.release();
      },
    };
  };
  return {
    listen,
    connect: (address, options) => inner.connect(address, options),
    secure: (socket, tls, firstBytes) => inner.secure(socket, tls, firstBytes),
    serverTls: (config) => inner.serverTls(config),
    clientTls: (config) => inner.clientTls(config),
    resolve: async (host, withTtl) => inner.resolve(host, withTtl),
    ...(inner.originalDestination && {
      originalDestination: (socket) => inner.originalDestination?.(socket),
      prepareOriginalDestination: () => inner.prepareOriginalDestination?.(),
    }),
    ...(inner.datagrams && { datagrams: inner.datagrams }),
    sha1: (text) => inner.sha1(text),
    certificates: () => inner.certificates(),
    close: async () => inner.close(),
  };
}

export { overloadOf } from './memory-share.ts';
