import { Server } from '@grpc/grpc-js';
import { TulleError, type Log } from '@tulle/filter';
import { type Meter, noMeter } from '@tulle/telemetry';
import { type Clock, systemClock } from '@tulle/time';
import { addLoadReportingService } from '../load/load-report-service.ts';
import { createLoadReports, type LoadReports, type NodeLoad } from '../load/load-reports.ts';
import { bind, type ListenAt, type ServerTls } from './listen.ts';
import { type NodeStatus, statusOf } from './node-status.ts';
import { createRawMetrics } from './raw-metrics.ts';
import { addRawService } from './raw-service.ts';
import { type RawResource, type RawSet, resourcesOf } from './raw-set.ts';
import { type ChangeOptions, createRawStore, DEFAULT_NODE } from './raw-store.ts';
import type { RawStream } from './raw-stream.ts';
import { readOne, readResources, type ResourceInput } from './read-resource.ts';
import { resourceJson } from './resource-json.ts';
import { CLUSTER, shortTypeOf, typeUrlOf } from './resource-types.ts';

/** Options of {@link createXdsServer}. */
export interface XdsServerOptions {
  /** Default a free port of 127.0.0.1. */
  readonly listen?: ListenAt;
  /** Absent: plain text, on loopback and Unix sockets only. */
  readonly tls?: ServerTls;
  /** Name of the server in responses. Default `tulle`. */
  readonly identifier?: string;
  /** How often clients report their load (LRS). Default 10,000. */
  readonly loadReportIntervalMs?: number;
  /** Where reports of load are kept. Default: here. */
  readonly loadReports?: LoadReports;
  /** Nodes with a set of their own. Default 10,000: five times the largest mesh that is promised. */
  readonly maxNodes?: number;
  /** Resources in one set. Default 100,000. */
  readonly maxResources?: number;
  /** Bytes of one resource. Default 50 MiB. */
  readonly maxResourceBytes?: number;
  /** Default 10,000. Further streams get RESOURCE_EXHAUSTED. */
  readonly maxStreams?: number;
  /** Names one stream may subscribe to. Default 100,000. */
  readonly maxSubscriptions?: number;
  /** Resources are split over responses of about this size. Default 1 MiB: a quarter of gRPC's usual message limit. */
  readonly maxResponseBytes?: number;
  /** A client that does not answer for this long is let go. Default 60,000; 0: never. */
  readonly ackTimeoutMs?: number;
  /** How long listeners and routes wait until a client asks for the endpoints of a new cluster. Default 1,000. */
  readonly dependencyWaitMs?: number;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly meter?: Meter;
}

/** A resource as the server shows it. */
export interface ShownResource {
  readonly typeUrl: string;
  readonly name: string;
  /** Hash of the content. */
  readonly version: string;
  readonly ttlMs?: number;
  /** Protobuf's JSON with `@type`; `{ "@type", "value" }` in base64 where the type is not known here. */
  readonly resource: unknown;
}

/** A set as the server shows it. */
export interface ShownSet {
  readonly node: string;
  readonly version: string;
  readonly resources: readonly ShownResource[];
}

/** What happens on a server's streams. */
export type XdsServerEvent =
  | { readonly kind: 'connected' | 'disconnected'; readonly node: string; readonly peer: string }
  | {
      readonly kind: 'sent' | 'acked' | 'nacked';
      readonly node: string;
      readonly typeUrl: string;
      /** Version of the set that it belongs to. */
      readonly version: string;
      readonly nonce: string;
      readonly resources: readonly string[];
      readonly removed: readonly string[];
      /** The client's reason, for `nacked`. */
      readonly message?: string;
    };

/** How long to wait, and for what. */
export interface AckedOptions {
  /** Default 10,000. */
  readonly timeoutMs?: number;
}

/** An xDS server for anyone: resources as they are put, by node id. */
export interface XdsServer extends AsyncDisposable {
  /** What clients dial: `127.0.0.1:PORT`, or `unix:/path`. */
  readonly target: string;
  /**
   * Replaces what a node has, all at once. `*` is for every node without a set of its own.
   * @throws TulleError `TULLE_CONFIG_INVALID` with every fault; nothing is changed then
   */
  setSnapshot(
    node: string,
    resources: readonly ResourceInput[],
    options?: ChangeOptions,
  ): { readonly version: string };
  /**
   * Puts a resource, or several, beside those that a node has.
   * @param options.name of one that does not say its name itself, as a VirtualHost of VHDS
   * @throws TulleError as {@link setSnapshot}
   */
  put(
    node: string,
    resources: ResourceInput | readonly ResourceInput[],
    options?: ChangeOptions & { readonly name?: string },
  ): { readonly version: string };
  /**
   * Takes a resource away. @param type a word such as `cluster`, the name of a message, or a type URL
   * @returns false where there is none
   * @throws TulleError `TULLE_CONFIG_INVALID` for a word that is no type, and where another resource names it
   */
  delete(node: string, type: string, name: string, options?: ChangeOptions): boolean;
  /** Forgets a node's set. Clients keep what they have until there is another set for them. @returns false where there is none */
  clear(node: string): boolean;
  /** `undefined` where a node has no set of its own. */
  snapshot(node: string): ShownSet | undefined;
  /** One resource of a node's own set. @throws TulleError `TULLE_CONFIG_INVALID` for a word that is no type */
  resource(node: string, type: string, name: string): ShownResource | undefined;
  /** Node ids that have a set or a stream. */
  nodes(): readonly string[];
  status(node: string): NodeStatus;
  /**
   * Resolves when a node has taken all of its set that it asks for. For `*`: every connected node without a set of its own.
   * @throws TulleError `TULLE_XDS_NACKED` when it refuses something, `TULLE_XDS_NOT_ACKED` after `timeoutMs` with what is missing
   */
  acked(node: string, options?: AckedOptions): Promise<NodeStatus>;
  /** What clients report of their load (LRS). */
  loadReports(node?: string): readonly NodeLoad[];
  /** @returns stops it */
  subscribe(listener: (event: XdsServerEvent) => void): () => void;
  /** Ends every stream with UNAVAILABLE, and stops listening. */
  close(): Promise<void>;
}

/**
 * Starts an xDS server: aggregated and single-type discovery, delta and state of the world, and LRS.
 * @throws TulleError `TULLE_CONFIG_INVALID` when it cannot listen
 */
export async function createXdsServer(options: XdsServerOptions = {}): Promise<XdsServer> {
  // Some three hundred files of descriptors: only who needs them loads them.
  const { registry } = await import('@tulle/xds-proto/registry');
  const clock = options.clock ?? systemClock();
  const meter = options.meter ?? noMeter;
  const maxResourceBytes = options.maxResourceBytes ?? 50 * 1024 * 1024;
  const read = { registry, maxBytes: maxResourceBytes };
  const store = createRawStore(registry, {
    maxNodes: options.maxNodes ?? 10_000,
    maxResources: options.maxResources ?? 100_000,
  });
  const listeners = new Set<(event: XdsServerEvent) => void>();
  const waiting = new Set<() => void>();
  let looking: NodeJS.Immediate | undefined;
  const reports = options.loadReports ?? createLoadReports(meter);
  const server = new Server();
  const byNode = new Map<string, Set<RawStream>>();
  const metrics = createRawMetrics(
    meter,
    () => [...byNode.values()].reduce((sum, streams) => sum + streams.size, 0),
    () => store.nodes().length,
  );

  function tell(event: XdsServerEvent): void {
    for (const listener of listeners) listener(event);
  }

  /** Has those who wait look once more, when what is going on is over. */
  function look(): void {
    if (waiting.size > 0)
      looking ??= setImmediate(() => {
        looking = undefined;
        for (const one of waiting) one();
      });
  }

  const idOf = (stream: RawStream): string => stream.node()?.id ?? '';

  const service = addRawService(server, {
    store,
    identifier: options.identifier ?? 'tulle',
    maxStreams: options.maxStreams ?? 10_000,
    maxResourceBytes,
    limits: {
      maxSubscriptions: options.maxSubscriptions ?? 100_000,
      maxOutstanding: 1024,
      maxResponseBytes: options.maxResponseBytes ?? 1024 * 1024,
      ackTimeoutMs: options.ackTimeoutMs ?? 60_000,
      dependencyWaitMs: options.dependencyWaitMs ?? 1000,
    },
    maxBufferedBytes: 1024 * 1024,
    firstRequestTimeoutMs: 10_000,
    clock,
    log: options.log,
    metrics,
    listener: {
      connected(stream) {
        const node = idOf(stream);
        byNode.set(node, (byNode.get(node) ?? new Set()).add(stream));
        tell({ kind: 'connected', node, peer: stream.peer });
      },
      sent: (stream, sent) => tell({ kind: 'sent', node: idOf(stream), ...sent }),
      answered: (stream, { kind, changeId, nonce, ok, error, resources, removed }) =>
        tell({
          kind: ok ? 'acked' : 'nacked',
          node: idOf(stream),
          typeUrl: kind,
          version: changeId,
          nonce,
          resources: resources.map(({ name }) => name),
          removed,
          ...(error === undefined ? {} : { message: error }),
        }),
      moved: look,
      ended(stream) {
        const node = idOf(stream);
        const streams = byNode.get(node);
        if (!streams?.delete(stream)) return; // it never said who it is
        if (streams.size === 0) byNode.delete(node);
        tell({ kind: 'disconnected', node, peer: stream.peer });
        look();
      },
    },
  });
  const loads = addLoadReportingService(server, {
    reports,
    allowUnauthenticated: true,
    clustersOf: (node) => (store.of(node)?.byType.get(CLUSTER) ?? []).map(({ name }) => name),
    ...(options.loadReportIntervalMs === undefined ? {} : { intervalMs: options.loadReportIntervalMs }),
    clock,
    ...(options.log ? { log: options.log } : {}),
    meter,
    server: 'raw',
  });
  const target = await bind(server, options.listen ?? {}, options.tls);
  let closing: Promise<void> | undefined;

  function status(node: string): NodeStatus {
    const own = store.own(node);
    const set = own ?? store.of(node);
    return statusOf(
      node,
      set && { value: set, kind: own ? 'own' : 'default' },
      [...(byNode.get(node) ?? [])],
      store,
    );
  }

  /** Those for whom a node id stands. */
  function meant(node: string): NodeStatus[] {
    if (node !== DEFAULT_NODE) return [status(node)];
    return [...byNode.keys()].filter((one) => store.own(one) === undefined).map(status);
  }

  function show(resource: RawResource): ShownResource {
    const { typeUrl, name, wire } = resource;
    return {
      typeUrl,
      name,
      version: wire.version,
      ...(wire.ttlMs === undefined ? {} : { ttlMs: wire.ttlMs }),
      resource: resourceJson(resource, registry),
    };
  }

  function typeNamed(type: string): string {
    const typeUrl = typeUrlOf(type);
    if (typeUrl !== undefined) return typeUrl;
    throw new TulleError('TULLE_CONFIG_INVALID', unknownType(type));
  }

  const versionOf = ({ changeId }: RawSet): { readonly version: string } => ({ version: changeId });

  const close = (): Promise<void> =>
    (closing ??= new Promise((resolve) => {
      service.close();
      loads.close();
      metrics.close();
      // A client that does not take the end of its stream must not keep the server.
      const force = setTimeout(() => server.forceShutdown(), 1_000);
      server.tryShutdown(() => {
        clearTimeout(force);
        resolve();
      });
    }));

  return {
    target,
    setSnapshot: (node, resources, change) =>
      versionOf(store.set(node, readResources(resources, read), change)),
    put: (node, resources, change) =>
      versionOf(
        store.put(
          node,
          Array.isArray(resources)
            ? readResources(resources as readonly ResourceInput[], read)
            : [readOne(resources as ResourceInput, read, change?.name)],
          change,
        ),
      ),
    delete: (node, type, name, change) => store.delete(node, typeNamed(type), name, change) !== undefined,
    clear: (node) => store.clear(node),
    snapshot(node) {
      const set = store.own(node);
      return set && { node, version: set.changeId, resources: [...resourcesOf(set)].map(show) };
    },
    resource(node, type, name) {
      const found = store
        .own(node)
        ?.byType.get(typeNamed(type))
        ?.find((one) => one.name === name);
      return found && show(found);
    },
    nodes: () => [...new Set([...store.nodes(), ...byNode.keys()])],
    status,
    acked: (node, { timeoutMs = 10_000 } = {}) =>
      new Promise((resolve, reject) => {
        const finish = (settle: () => void): void => {
          cancel();
          waiting.delete(check);
          settle();
        };
        const check = (): void => {
          const all = meant(node);
          const refused = all.find(({ state }) => state === 'nacked');
          if (refused) finish(() => reject(nacked(refused)));
          else if (all.length > 0 && all.every(({ state }) => state === 'acked'))
            finish(() => resolve(all[0] as NodeStatus));
        };
        const cancel = clock.setTimer(timeoutMs, () =>
          finish(() => reject(notAcked(node, meant(node), timeoutMs))),
        );
        waiting.add(check);
        check();
      }),
    loadReports: (node) => reports.all(node),
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Words for a type that is none. */
export function unknownType(type: string): string {
  return `${JSON.stringify(type)} is no type of resources: say a word such as cluster, the name of a message, or a type URL`;
}

function nacked({ node, resources, streams }: NodeStatus): TulleError {
  const named = resources.flatMap(({ name, error }) => (error ? [{ name, ...error }] : []));
  // A client may ask no more for what it refused.
  const refused =
    named.length > 0
      ? named
      : streams.flatMap(({ types }) =>
          types.flatMap(({ typeUrl, nack }) => (nack ? [{ name: shortTypeOf(typeUrl), ...nack }] : [])),
        );
  return new TulleError(
    'TULLE_XDS_NACKED',
    `${node} refused ${refused.map(({ name, message }) => `${JSON.stringify(name)}: ${message}`).join('; ')}`,
    { issues: refused.map(({ name, message }) => ({ path: `/${name}`, message })) },
  );
}

function notAcked(node: string, all: readonly NodeStatus[], timeoutMs: number): TulleError {
  const why =
    all.length === 0
      ? ['no node is connected that gets this set']
      : all.flatMap((one) => [
          ...(one.state === 'no set' ? [`a set for ${one.node}`] : []),
          ...(one.state === 'disconnected' ? [`a stream of ${one.node}`] : []),
          ...one.waitsFor,
        ]);
  return new TulleError(
    'TULLE_XDS_NOT_ACKED',
    `${node} has not taken its set within ${timeoutMs} ms; it waits for ${[...new Set(why)].slice(0, 10).join(', ')}`,
  );
}
