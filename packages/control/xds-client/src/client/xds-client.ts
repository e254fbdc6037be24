import type { ChannelOptions } from '@grpc/grpc-js';
import { type ConfigIssue, isTulleError, type Log } from '@tulle/filter';
import type { Cluster, Demand, Listener, ProxyConfig } from '@tulle/model';
import { type Meter, noMeter } from '@tulle/telemetry';
import type { ClientConfig } from '@tulle/xds-proto/envoy/service/status/v3/csds';
import type { ResourceState } from '../session/resource-state.ts';
import type { Node } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { type BackoffOptions, type Clock, createBackoff, systemClock } from '@tulle/time';
import {
  type DiscoverySource,
  type GrpcServerName,
  type Need,
  sourceOf,
} from '../decode/discovery-source.ts';
import {
  createResourceDecoder,
  type Decoded,
  type DecodeOptions,
  type Discovered,
} from '../decode/resource.ts';
import type { FindSecret } from '../decode/secret.ts';
import type { Secret } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';
import { type ClientRequest, clientRequest, type ServerResponse } from '../session/messages.ts';
import type { Demand as SessionDemand } from '../session/demands.ts';
import type { ApplyResult, Roots, Session, SessionStatus } from '../session/contract.ts';
import { createSession } from '../session/session.ts';
import { configOf, emptyStore, sameStore, type Store } from '../session/store.ts';
import { type AdsCall, type Channel, openAdsCall } from './ads-call.ts';
import { type NodeDescription, writeNode } from './envelope.ts';
import { describeClient } from './client-status.ts';
import { createClientMetrics } from './metrics.ts';
import { type ParseFile, parseJsonFile } from './file-stream.ts';
import { createOutageLog } from './outage-log.ts';
import type { XdsApi } from '../wire.ts';
import { CLIENT_FEATURES, deltaProtocol, stateOfTheWorldProtocol } from './protocol.ts';
import { createSideStreams, type ServerAddress, type SideStreams } from './side-streams.ts';
import { createSnapshotFile, type SnapshotFile } from './snapshot-file.ts';
import { byKind, TYPE_URLS } from '../wire.ts';

/** Options of {@link createXdsClient}. */
export interface XdsClientOptions {
  /**
   * `host:port` of each control plane that serves ADS; the next one is tried when one fails. Empty where {@link sources} says
   * that everything comes from elsewhere.
   */
  readonly targets: readonly string[];
  /** Credentials for the next connection: `() => meshChannel(…)` of `@tulle/ca`; plain text only over loopback. */
  readonly channel: () => Channel;
  /** Absent: everything is discovered over the one stream, and resources that name another source are refused. */
  readonly sources?: SourceOptions;
  readonly node: NodeDescription;
  /**
   * How streams speak. Default `delta`: only what differs is sent, and Tulle's control plane sends changes whole.
   * `state-of-the-world` is what every other xDS server knows.
   */
  readonly api?: XdsApi;
  /**
   * Takes a whole configuration into use, or refuses it. Called one at a time. What it refuses is taken back, and the
   * control plane told; a throw refuses as well (`issues` of a TulleError are read).
   */
  readonly onConfig: (config: ProxyConfig) => Promise<ApplyResult>;
  /** Where the last good configuration is kept, for starts without a control plane. Absent: not kept. */
  readonly snapshotFile?: string;
  readonly decode?: DecodeOptions;
  /** How long a listener waits for its routes and a cluster for its endpoints (Envoy `initial_fetch_timeout`, whose default it is). Default 15,000. */
  readonly initialFetchTimeoutMs?: number;
  /** How long an unfinished change is held before the stream is opened anew. Default 30,000: a control plane that needs longer for one push is stuck. */
  readonly changeHoldMs?: number;
  /** Larger responses end the stream. Default 50 MiB. */
  readonly maxMessageBytes?: number;
  /** Resources held at a time. Default 100,000. */
  readonly maxResources?: number;
  /**
   * Clusters and virtual hosts that requests ask for at a time. Default 10,000. Who is said not to exist makes room; past it nothing is
   * asked for, since callers choose the names and each is remembered, here and by the control plane; nor is a name of more than
   * 1,024 characters.
   */
  readonly maxDemands?: number;
  /** Larger snapshot files are not read. Default 256 MiB. */
  readonly maxSnapshotBytes?: number;
  /** Between streams, full jitter. Default 100 to 4,000: so that all are back within 5 s of a control plane's return. */
  readonly backoff?: BackoffOptions;
  /** A connection without a byte is asked for life this often. Default 10,000. */
  readonly keepaliveMs?: number;
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly meter?: Meter;
}

/** Where resources come from beside, or in place of, the one ADS stream. */
export interface SourceOptions {
  /** Where listeners and clusters come from; `none`: no server is asked. Default: ADS for both. */
  readonly roots?: Roots;
  /**
   * Where a server is that `api_config_source` names. Asked again for each connection.
   * @returns `undefined` where there is no such server (yet)
   */
  server(name: GrpcServerName): ServerAddress | undefined;
  /** Reads the text of `path_config_source`. Default: JSON, and binary in files that end in `.pb`. */
  readonly parseFile?: ParseFile;
  /** Resources that no server gives, with what they need: there from the start, and nothing replaces them. */
  readonly fixed?: {
    readonly listeners?: readonly Fixed<Listener>[];
    readonly clusters?: readonly Fixed<Cluster>[];
    readonly secrets?: readonly Secret[];
  };
}

/** A resource that was decoded by its owner. */
export interface Fixed<Model> {
  readonly resource: Model;
  /** As {@link Decoded} has it. Default none. */
  readonly needs?: readonly Need[];
  /** As {@link Decoded} has it. Default none. */
  readonly sources?: readonly DiscoverySource[];
  /** Translates it again with what is here of what it names. */
  readonly fill?: (found: Discovered) => Decoded;
}

/** A running client. */
export interface XdsClient {
  /** Takes the saved snapshot into use, if there is one, and begins to connect. */
  start(): Promise<void>;
  /** Closes the stream; the configuration in use stays with whoever has it. Resolves when the snapshot is on disk. */
  stop(): Promise<void>;
  /**
   * Says something new of this proxy, such as that it is ready: at once on the stream there is, and on each one after.
   * @throws TypeError when the id is another one
   */
  describe(node: NodeDescription): void;
  /** Asks for what a request waits for. Resolves when it is in use, when there is none, or when that takes too long. */
  discover(demand: Demand): Promise<void>;
  state(): XdsClientState;
  /** Everything that is here, asked for or refused. */
  resources(): ResourceState[];
  /** How this client stands, as Envoy's CSDS has it: for {@link serveClientStatus}. */
  clientStatus(): ClientConfig;
  /** Resolves when the first configuration is in use, from the snapshot or from the control plane. */
  configured(): Promise<void>;
}

/** Where a client stands. */
export interface XdsClientState extends SessionStatus {
  readonly connected: boolean;
  /** Control plane of the stream, or of the last try. */
  readonly target: string | undefined;
  /** Where the configuration in use came from. */
  readonly source: 'none' | 'snapshot' | 'control-plane';
  /** Streams opened so far. */
  readonly streams: number;
  /** Why there is no stream; `undefined` while there is one. */
  readonly lastError: string | undefined;
}

export function createXdsClient(options: XdsClientOptions): XdsClient {
  const { sources } = options;
  const hasAds = options.targets.length > 0;
  if (!hasAds && (sources?.roots?.listener === undefined || sources.roots.cluster === undefined))
    throw new TypeError('targets is empty: name at least one control plane as host:port');
  const clock = options.clock ?? systemClock();
  const random = options.random ?? Math.random;
  const { log } = options;
  const backoffOptions = options.backoff ?? { baseMs: 100, maxMs: 4000 };
  const backoff = createBackoff(backoffOptions, random);
  const file = options.snapshotFile === undefined ? undefined : snapshotFile(options.snapshotFile);
  const initialFetchTimeoutMs = options.initialFetchTimeoutMs ?? 15_000;

  const api = options.api ?? 'delta';
  let { node } = options;
  let session: Session | undefined;
  let call: AdsCall | undefined;
  let place = Math.floor(random() * options.targets.length);
  let connected = false;
  const metrics = createClientMetrics(options.meter ?? noMeter, () => (connected ? 1 : 0));
  const outages = createOutageLog(log, () => clock.nowMs());
  let stopped = false;
  let saidWhoCannot = false;
  let source: XdsClientState['source'] = 'none';
  let streams = 0;
  let lastError: string | undefined;
  let saved: Store = emptyStore();
  let cancelReconnect = (): void => {};
  let cancelTimer = (): void => {};
  const first = Promise.withResolvers<void>();

  function snapshotFile(path: string): SnapshotFile {
    return createSnapshotFile(path, {
      nodeId: options.node.id,
      maxBytes: options.maxSnapshotBytes ?? 256 * 1024 * 1024,
      epochMs: () => clock.epochMs(),
      failed(message, error) {
        metrics.snapshotErrors.add();
        log?.warn(message, { path, reason: reasonOf(error) });
      },
    });
  }

  /** Runs a step of the session, and sets the timer for the next. */
  function step(run: (session: Session) => void): void {
    if (!session || stopped) return;
    try {
      run(session);
    } catch (error) {
      log?.error('Defect in the xDS client; the stream is opened anew', { error });
      if (call) lose(reasonOf(error));
      return;
    }
    cancelTimer();
    const at = session.deadlineMs();
    cancelTimer =
      at === undefined
        ? () => {}
        : clock.setTimer(Math.max(0, at - clock.nowMs()), () => step((one) => one.expire()));
  }

  async function offer(config: ProxyConfig): Promise<ApplyResult> {
    try {
      return await options.onConfig(config);
    } catch (error) {
      const issues: readonly ConfigIssue[] =
        isTulleError(error) && error.issues.length > 0
          ? error.issues
          : [{ path: '', message: reasonOf(error) }];
      return { ok: false, issues };
    }
  }

  function newSession(initial: Store): Session {
    return createSession({
      decoder: createResourceDecoder({ node: options.node, ...options.decode }),
      initial,
      ...(sources && {
        fixed: fixedStore(sources),
        fixedSecret: fixedSecrets(sources),
        roots: sources.roots ?? {},
      }),
      maxResources: options.maxResources ?? 100_000,
      maxDemands: options.maxDemands ?? 10_000,
      warmingMs: initialFetchTimeoutMs,
      holdMs: options.changeHoldMs ?? 30_000,
      nowMs: () => clock.nowMs(),
      epochMs: () => clock.epochMs(),
      send: (request) => send(request),
      apply: (config) => void offer(config).then((result) => step((one) => one.applied(result))),
      accepted({ changeId, store }) {
        metrics.accepted.add();
        backoff.reset();
        source = 'control-plane';
        first.resolve();
        if (file && !sameStore(store, saved)) file.save(store, changeId);
        saved = store;
      },
      refused(refusals, changeId) {
        metrics.refused.add(refusals.length);
        for (const { kind, name, reasons } of refusals)
          log?.warn('Resource refused; the last good one stays in use', {
            kind,
            name,
            change: changeId,
            reasons,
          });
      },
      abandon: (reason) => lose(reason),
      warn: (message, fields) => log?.warn(message, fields),
    });
  }

  let firstOfStream = true;
  const described = (): Node => writeNode(node, CLIENT_FEATURES[api]);
  let side: SideStreams | undefined;
  function send(request: ClientRequest): void {
    const { source } = request;
    if (source !== undefined && source.kind !== 'ads') {
      side ??= newSideStreams(sources as SourceOptions);
      side.send(request, source);
      return;
    }
    if (!hasAds) {
      log?.warn('A resource comes by ADS, but no server of ADS is given', {
        typeUrl: request.typeUrl,
        names: request.subscribe,
      });
      return;
    }
    call?.send(request, firstOfStream ? described() : undefined);
    firstOfStream = false;
  }

  function newSideStreams({ server, parseFile = parseJsonFile }: SourceOptions): SideStreams {
    return createSideStreams({
      server,
      parseFile,
      channelOptions: channelOptions(options),
      backoff: backoffOptions,
      random,
      clock,
      log,
      node: described,
      response: (response) => step((one) => one.response(response)),
    });
  }

  function connect(): void {
    if (stopped) return;
    if (!hasAds) return step((one) => one.connected());
    const target = options.targets[place % options.targets.length] as string;
    streams++;
    firstOfStream = true;
    try {
      const events = {
        response(response: ServerResponse): void {
          if (call !== opened) return;
          if (!connected) outages.found(target);
          connected = true;
          lastError = undefined;
          step((one) => one.response(sources ? { ...response, source: ADS } : response));
        },
        ended(reason: string): void {
          if (call === opened) lose(reason);
        },
      };
      const [channel, grpc] = [options.channel(), channelOptions(options)];
      const opened: AdsCall =
        api === 'delta'
          ? openAdsCall(deltaProtocol, target, channel, grpc, events)
          : openAdsCall(stateOfTheWorldProtocol(), target, channel, grpc, events);
      call = opened;
    } catch (error) {
      return lose(reasonOf(error));
    }
    step((one) => one.connected());
  }

  /** The stream is gone, or of no use: what is in use stays in use, and another stream is opened later. */
  function lose(reason: string): void {
    const delayMs = backoff.next();
    outages.lost(options.targets[place % options.targets.length] as string, reason, delayMs);
    metrics.lost.add();
    connected = false;
    lastError = reason;
    call?.abandon();
    call = undefined;
    side?.close();
    side = undefined; // what they were asked for is asked again with the next stream
    place++;
    step((one) => one.disconnected());
    cancelReconnect = clock.setTimer(delayMs, connect);
  }

  async function useSnapshot(): Promise<Store> {
    const found = await file?.load();
    if (!found) return emptyStore();
    const result = await offer(configOf(found.store, found.changeId));
    if (!result.ok) {
      log?.warn('The saved snapshot is not used: the engine refuses it', { issues: result.issues });
      return emptyStore();
    }
    log?.info('Started from the saved snapshot', { change: found.changeId, savedAtMs: found.savedAtMs });
    source = 'snapshot';
    first.resolve();
    return found.store;
  }

  return {
    async start() {
      if (session) throw new Error('start() was called before');
      saved = await useSnapshot();
      if (stopped) return;
      session = newSession(saved);
      connect();
    },
    async stop() {
      if (stopped) return;
      stopped = true;
      cancelReconnect();
      cancelTimer();
      call?.close();
      call = undefined;
      side?.close();
      connected = false;
      metrics.close();
      await file?.settled();
    },
    describe(next) {
      if (next.id !== node.id)
        throw new TypeError(`a node keeps its id: ${node.id} cannot become ${next.id}`);
      node = next;
      // A request that asks for nothing and answers nothing: the node is all that it has to say.
      if (!firstOfStream) call?.send(clientRequest(TYPE_URLS.listener, {}), described());
    },
    async discover(demand) {
      if (!session || stopped) return;
      const wanted = demandOf(demand, initialFetchTimeoutMs);
      if (wanted.source?.kind === 'ads' && api === 'state-of-the-world') {
        // Once: callers choose how often.
        if (!saidWhoCannot)
          log?.warn('A cluster is asked for on demand over ADS, whose api_type is not DELTA_GRPC', {
            name: wanted.name,
          });
        saidWhoCannot = true;
        return;
      }
      await new Promise<void>((resolve) => step((one) => one.demand(wanted, resolve)));
    },
    state: () => ({
      ...(session?.status() ?? idleStatus),
      connected: hasAds ? connected : side?.faults().length === 0,
      target: streams === 0 ? undefined : options.targets[place % options.targets.length],
      source,
      streams,
      lastError: lastError ?? side?.faults()[0],
    }),
    resources: () => session?.resources() ?? [],
    clientStatus: () => describeClient(described(), session?.resources() ?? []),
    configured: () => first.promise,
  };
}

const ADS: DiscoverySource = { kind: 'ads' };

/** @param patienceMs for virtual hosts */
function demandOf(demand: Demand, patienceMs: number): SessionDemand {
  const { kind } = demand;
  return kind === 'cluster'
    ? { kind, name: demand.name, source: sourceOf(demand.source), timeoutMs: demand.timeoutMs }
    : { kind, name: `${demand.routes}/${demand.host}`, timeoutMs: patienceMs };
}

function fixedStore({ fixed }: SourceOptions): Store {
  const store = emptyStore();
  for (const { resource, needs, fill } of fixed?.listeners ?? [])
    store.listener.set(resource.name, {
      version: '',
      resource,
      fixed: true,
      ...(needs && { needs }),
      ...(fill && { fill }),
    });
  for (const { resource, needs, fill } of fixed?.clusters ?? [])
    store.cluster.set(resource.name, {
      version: '',
      resource,
      fixed: true,
      ...(needs && { needs }),
      ...(fill && { fill }),
    });
  return store;
}

function fixedSecrets({ fixed }: SourceOptions): FindSecret {
  const secrets = new Map((fixed?.secrets ?? []).map((secret) => [secret.name, secret]));
  return (name) => secrets.get(name);
}

const idleStatus: SessionStatus = {
  changeId: '',
  synced: false,
  resources: byKind<SessionStatus['resources']>(() => 0),
  warming: [],
  refused: [],
  applying: false,
};

function channelOptions({
  maxMessageBytes = 50 * 1024 * 1024,
  keepaliveMs = 10_000,
}: XdsClientOptions): ChannelOptions {
  return {
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': -1,
    // A control plane that is frozen or cut off must be noticed: its silence looks like having nothing to say.
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.keepalive_timeout_ms': Math.min(keepaliveMs, 5000),
    // Every stream gets a connection of its own, so that the backoff is ours alone.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
