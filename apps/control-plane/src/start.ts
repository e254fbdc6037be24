import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Server } from '@grpc/grpc-js';
import {
  addCaService,
  caLog,
  caMetrics,
  connectionCalls,
  createCa,
  directoryStore,
  grantCovers,
  identityLog,
  identityMetrics,
  localIdentity,
  observeCa,
  observeConnections,
  observeIdentity,
  refusalLog,
  refusalMetrics,
  serveMeshGrpc,
  type Ca,
  type CaPublication,
} from '@tulle/ca';
import {
  createApi,
  createControlPlane,
  fileState,
  showsSecret,
  type ControlPlane,
} from '@tulle/control-plane';
import type { Log } from '@tulle/filter';
import { formatAddress } from '@tulle/model';
import { directorySource } from '@tulle/source-file';
import { createRegistry, renderText } from '@tulle/metrics';
import { stderrLog } from '@tulle/supervisor';
import {
  addAdsService,
  addLoadReportingService,
  type CallerCall,
  createLoadReports,
  createXdsServer,
  type ListenAt,
  type XdsServer,
} from '@tulle/xds-server';
import { allowedFilters } from './allowed-filters.ts';
import { freePort, portOf, readEndpoints, type Endpoints } from './endpoints.ts';

/** Options of {@link startControlPlane}. */
export interface StartOptions {
  /** Keys of the CA, REST's resources and joined Workloads; made with mode 0700. */
  readonly stateDir: string;
  /** Directory of resources to follow. Absent: REST only. */
  readonly configDir?: string;
  /** Default `mesh.local`. */
  readonly trustDomain?: string;
  /** Address of xDS and CA (mutual TLS). Default 127.0.0.1, on the port of last time, else a free one. */
  readonly listen?: { readonly host?: string; readonly port?: number };
  /** REST: a Unix socket, or a loopback port. Default the port of last time, else a free one. */
  readonly api?: { readonly path: string } | { readonly port: number };
  /**
   * Serves resources as they are put over REST (`tulle xds`), in plain text: a loopback port or a Unix socket. Absent: not served.
   */
  readonly rawXds?: ListenAt;
  /** Allow-list of filters that are npm packages: what policies give them is validated by the schemas in it. Default: none. */
  readonly filters?: string;
  /** What a workload without ALLOW policies does with authenticated callers (decision D20). Default `allow`. */
  readonly defaultAction?: 'allow' | 'deny';
  /** Between proxies of the mesh: `ControlPlaneOptions.meshProtocol` of `@tulle/control-plane`, whose default it has. */
  readonly meshProtocol?: 'auto' | 'http1';
  /** Lifetime of certificates; default 24 h. */
  readonly leafLifetimeMs?: number;
  /** Default: JSON lines on standard error. */
  readonly log?: Log;
}

/** A control plane that runs in this process. */
export interface RunningControlPlane {
  readonly endpoints: Endpoints;
  readonly controlPlane: ControlPlane;
  /** Resources as they are put; where they are served. */
  readonly xds: XdsServer | undefined;
  readonly ca: Ca;
  /** Ends streams so that sidecars look for a successor, then everything else. */
  close(): Promise<void>;
}

/**
 * What Node takes small buffers from; its own is 64 KiB. Each connection keeps a few bytes for as long as it lives, which keep the whole
 * block that they are in, and hardly two are in the same.
 */
const BUFFER_POOL_BYTES = 8 * 1_024;

/** Starts CA, xDS, sources and REST, in that order; what fails undoes what was started. Sets `Buffer.poolSize` of the process. */
export async function startControlPlane(options: StartOptions): Promise<RunningControlPlane> {
  const { stateDir } = options;
  Buffer.poolSize = BUFFER_POOL_BYTES;
  const trustDomain = options.trustDomain ?? 'mesh.local';
  const log = options.log ?? stderrLog;
  const undo: (() => void | Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    const filters = options.filters === undefined ? {} : { filters: allowedFilters(options.filters) };
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const file = join(stateDir, 'control-plane.json');
    // Sidecars and people know the addresses of last time.
    const before = readEndpoints(file);
    const registry = createRegistry();
    const caEvent = both(caMetrics(registry), caLog(log));
    const ca = await createCa({
      trustDomain,
      store: directoryStore(join(stateDir, 'ca')),
      onEvent: caEvent,
      ...(options.leafLifetimeMs === undefined ? {} : { leafLifetimeMs: options.leafLifetimeMs }),
    });
    undo.push(() => ca.close());
    const identity = localIdentity(ca, { onEvent: both(identityMetrics(registry), identityLog(log)) });
    undo.push(() => identity.close());
    observeIdentity(registry, identity);
    await identity.ready();
    const controlPlane = createControlPlane({
      trustDomain,
      ...(options.defaultAction === undefined ? {} : { defaultAction: options.defaultAction }),
      ...(options.meshProtocol === undefined ? {} : { meshProtocol: options.meshProtocol }),
      state: fileState(join(stateDir, 'resources')),
      mayClaim: (serviceAccount, labels) => {
        const [namespace = '', name = ''] = serviceAccount.split('/');
        return grantCovers(ca.grantedLabels(`spiffe://${trustDomain}/ns/${namespace}/sa/${name}`), labels);
      },
      log,
      meter: registry,
    });
    undo.push(() => controlPlane.close());
    undo.push(onRootRemoved(ca, () => controlPlane.expectReturn()));
    if (options.configDir !== undefined)
      await controlPlane.attach(directorySource({ directory: options.configDir, ...filters }));

    const calls = connectionCalls();
    const grpc = new Server({
      interceptors: [calls.interceptor],
      // A sidecar has two: xDS and the watch of its identity.
      'grpc.max_concurrent_streams': 100,
    });
    // The services ask who called only once calls come, which is after the server runs.
    let callerIdentity: Awaited<ReturnType<typeof serveMeshGrpc>>['callerIdentity'] = () => undefined;
    const authenticate = (call: CallerCall): { readonly spiffeId: string } | undefined => {
      const spiffeId = callerIdentity(call);
      return spiffeId === undefined ? undefined : { spiffeId };
    };
    const caService = addCaService(grpc, ca, {
      callerIdentity: (call) => callerIdentity(call),
      onRefused: caEvent,
    });
    observeCa(registry, ca, caService);
    const apiSecret = before?.apiSecret ?? randomBytes(32).toString('base64url');
    const ads = addAdsService(grpc, {
      provider: controlPlane.provider,
      // Operators, by what REST asks for too; workloads have certificates, and no business with each other's configuration.
      mayReadStatus: ({ metadata }) => showsSecret(metadata.get('authorization')[0]?.toString(), apiSecret),
      // For Envoy; Tulle's own data planes hear of roots from the CA, with their certificates.
      trust: {
        current: () => ca.published().bundles,
        subscribe: (listener) => ca.subscribe(() => listener()),
      },
      meter: registry,
      log,
      authenticate,
    });
    const loadReports = createLoadReports(registry);
    const loads = addLoadReportingService(grpc, { reports: loadReports, authenticate, log, meter: registry });
    const host = options.listen?.host ?? '127.0.0.1';
    const server = await serveMeshGrpc(grpc, {
      identity,
      calls,
      host,
      port: options.listen?.port || (await freePort(host, portOf(before?.xds))),
      onRefused: both(refusalMetrics(registry), refusalLog(log)),
      onBadSnapshot: (error) =>
        log.error("the control plane's new certificate cannot be used", { reason: error.message }),
    });
    callerIdentity = server.callerIdentity;
    observeConnections(registry, server);
    undo.push(() => server.close(100));
    undo.push(() => ads.close());
    undo.push(() => loads.close());
    undo.push(() => controlPlane.retire());

    const raw =
      options.rawXds === undefined
        ? undefined
        : await createXdsServer({ listen: options.rawXds, loadReports, log, meter: registry });
    if (raw !== undefined) undo.push(() => raw.close());
    const api = createApi({
      controlPlane,
      loadReports,
      ...(raw === undefined ? {} : { xds: raw }),
      ca,
      ...filters,
      secret: apiSecret,
      meter: registry,
      metrics: () => [...renderText(registry, 'prometheus')].join(''),
    });
    const apiAt = options.api ?? { port: 0 };
    const apiAddress = await api.listen(
      'path' in apiAt ? apiAt : { port: apiAt.port || (await freePort('127.0.0.1', portOf(before?.api))) },
    );
    undo.push(() => api.close());
    const endpoints: Endpoints = {
      xds: formatAddress({ host, port: server.port }),
      api: apiAddress.startsWith('http') ? apiAddress : `unix:${apiAddress}`,
      apiSecret,
      ...(raw === undefined ? {} : { rawXds: raw.target }),
      trustDomain,
      rootPin: ca.rootPin,
      pid: process.pid,
    };
    const announce = (): void => {
      const now = { ...endpoints, rootPin: ca.rootPin };
      writeFileSync(`${file}.new`, `${JSON.stringify(now, null, 2)}\n`, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    };
    announce();
    let announced = ca.rootPin;
    undo.push(
      ca.subscribe(() => {
        if (ca.rootPin === announced) return;
        try {
          announce();
          announced = ca.rootPin;
        } catch (error) {
          log.error('control-plane.json could not be written; it names the root of before', {
            reason: error instanceof Error ? error.message : String(error),
          });
        }
      }),
    );
    return { endpoints, controlPlane, xds: raw, ca, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Whoever stands on a removed root is cut off at once, by the server here or by itself. */
function onRootRemoved(ca: Ca, removed: () => void): () => void {
  let before = rootsOf(ca.published());
  return ca.subscribe((publication) => {
    const roots = rootsOf(publication);
    const gone = before.some((root) => !roots.includes(root));
    before = roots;
    if (gone) removed();
  });
}

const rootsOf = ({ bundles }: CaPublication): readonly string[] =>
  bundles.flatMap(({ rootsPem }) => rootsPem);

/** Tells two about the same. */
function both<T>(one: (event: T) => void, other: (event: T) => void): (event: T) => void {
  return (event) => {
    one(event);
    other(event);
  };
}
