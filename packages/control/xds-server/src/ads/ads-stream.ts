import { status } from '@grpc/grpc-js';
import { equals } from '@bufbuild/protobuf';
import { isTulleError, type Log } from '@tulle/filter';
import type { Clock } from '@tulle/time';
import { type Node, NodeSchema } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { WireResource } from '../encode/wire-resource.ts';
import type { NodeInfo, ResourceKind, Snapshot, SnapshotHandle, SnapshotProvider } from '../provider.ts';
import { ATOMIC_CHANGES, kindOfTypeUrl, SECRET_TYPE_URL, TYPE_URLS } from '../wire.ts';
import { type AdmissionRules, admit } from './admit.ts';
import { type FormComparers, formOf, isGrpcClient, isOwnClient } from './client-form.ts';
import {
  createDeltaStream,
  type DeltaResponse,
  type DeltaStream,
  type DeltaStreamStatus,
  type ResourceStatus,
} from './delta-stream.ts';
import type { Comparer } from './differences.ts';
import type { StreamProtocol } from './messages.ts';
import type { AdsMetrics } from './metrics.ts';
import { readNode } from './node.ts';
import type { StreamLimits } from './push.ts';
import { createSecretStream } from './secret-stream.ts';
import { type AdsCall, bindCall } from './stream-call.ts';

/** What one stream is given by the service. */
export interface AdsStreamOptions<Message> extends Omit<AdmissionRules, 'identify'> {
  /** Absent: a stream of secrets only (SDS). */
  readonly provider: SnapshotProvider | undefined;
  readonly identify: () => { readonly spiffeId: string } | undefined;
  readonly protocol: StreamProtocol<Message>;
  readonly maxBufferedBytes: number;
  readonly firstRequestTimeoutMs: number;
  readonly comparers: FormComparers;
  /** Makes of a snapshot what a client that is not Tulle's needs. */
  readonly forOthers: (snapshot: Snapshot) => Snapshot;
  /** The same for a gRPC program. */
  readonly forGrpc: (snapshot: Snapshot) => Snapshot;
  /** By name. */
  readonly secrets: () => ReadonlyMap<string, WireResource>;
  readonly limits: StreamLimits;
  readonly clock: Clock;
  readonly metrics: AdsMetrics;
  readonly log: Log | undefined;
  readonly onEnd: () => void;
}

/** One open stream. */
export interface AdsStream {
  /** The mesh's roots changed. */
  secretsChanged(): void;
  status(): AdsStreamStatus;
  /** What the client said of itself, and how its resources stand; `undefined` before its first request, and for SDS. */
  client(): ConnectedClient | undefined;
  end(code: status, details: string): void;
}

/** A client with an ADS stream. */
export interface ConnectedClient {
  readonly node: Node;
  resources(): ResourceStatus[];
}

/** Where a stream stands. */
export interface AdsStreamStatus {
  /** `undefined` before its first request. */
  readonly node: NodeInfo | undefined;
  readonly peer: string;
  readonly openedAtMs: number;
  /** `undefined` before its first request. */
  readonly delta: DeltaStreamStatus | undefined;
}

/** Binds the state machine to a gRPC call: protobuf, identity, backpressure, timers, the end. */
export function openAdsStream<Message>(
  call: AdsCall<Message>,
  options: AdsStreamOptions<Message>,
): AdsStream {
  const { clock, metrics, log } = options;
  const openedAtMs = clock.epochMs();
  let node: NodeInfo | undefined;
  let said: Node | undefined;
  let handle: SnapshotHandle | undefined;
  let machine: DeltaStream | undefined;
  let stopWatching = (): void => {};
  let wakeUp: NodeJS.Immediate | undefined;

  const { step, write, fail, over } = bindCall(call, {
    ...options,
    nodeId: () => node?.id,
    machine: () => machine,
    backpressure: () => metrics.backpressure.add(),
    faulty: () => metrics.faults.add(),
    message: take,
    ended(how) {
      stopWatching();
      if (wakeUp) clearImmediate(wakeUp);
      options.onEnd();
      handle?.closed(how);
    },
  });

  function send(response: DeltaResponse): void {
    const { kind, changeId, resources, removed } = response;
    metrics.sent(kind, resources.length, write({ ...response, typeUrl: TYPE_URLS[kind] }));
    handle?.sent?.({
      kind,
      changeId,
      resources: resources.map(({ name, version }) => ({ name, version })),
      removed,
    });
  }

  const secrets = createSecretStream({
    maxNames: options.limits.maxSubscriptions,
    canRemove: !options.protocol.stateOfTheWorld,
    current: options.secrets,
    send(response) {
      metrics.secretsSent.add(response.resources.length);
      write({ ...response, typeUrl: SECRET_TYPE_URL, changeId: '', last: undefined });
    },
    unknown(name) {
      log?.warn(
        'A client asks for a secret that is not given out here: private keys never cross the network. Name a local agent or files in its node metadata (certificate)',
        { node: node?.id, secret: name },
      );
    },
    answered(ok, reason) {
      (ok ? metrics.secretAcks : metrics.secretNacks).add();
      if (!ok) log?.warn('Client refused a secret', { node: node?.id, reason });
    },
  });

  /** @returns whether the stream goes on */
  function open(first: Node | undefined): boolean {
    const admission = admit(first, { ...options, identify });
    if (!admission.ok) return refuse(admission.code, admission.details);
    const given = admission.node;
    said = given;
    node = readNode(given, admission.identity);
    if (!options.provider) return true;
    let source: SnapshotHandle;
    let comparer: Comparer;
    try {
      comparer = options.comparers.of(formOf(given));
      source = handle = options.provider.open(node);
    } catch (cause) {
      return refuseNode(given, cause);
    }
    const own = isOwnClient(given);
    const grpc = isGrpcClient(given);
    const forOthers = grpc ? options.forGrpc : options.forOthers;
    const movedToRoutes = (snapshot: Snapshot): boolean =>
      forOthers(snapshot).config.routes.length > snapshot.config.routes.length;
    const { stateOfTheWorld } = options.protocol;
    machine = createDeltaStream({
      stateOfTheWorld,
      atomic: !stateOfTheWorld && given.clientFeatures.includes(ATOMIC_CHANGES),
      comparer,
      limits: options.limits,
      byName: grpc,
      current: () => (own ? source.current() : forOthers(source.current())),
      asked: (kind, names) => source.asked?.(kind, names),
      send,
      report: (report) => {
        metrics.answered(report);
        if (!report.ok)
          log?.warn('Proxy refused a change', {
            node: given.id,
            kind: report.kind,
            change: report.changeId,
            names: report.resources.map(({ name }) => name),
            reason: report.error,
          });
        source.acked(report);
      },
      resumed: (report) => source.resumed?.(report),
      upToDate(kind, changeId) {
        const report = (one: ResourceKind): void => source.upToDate?.(one, changeId);
        if (own || !movedToRoutes(source.current())) return report(kind);
        // A part of what a listener says stands with its routes: it is there when they are.
        if (kind === 'listener') return;
        if (kind === 'route') report('listener');
        report(kind);
      },
      nowMs: () => clock.nowMs(),
      epochMs: () => clock.epochMs(),
    });
    source.replaceable?.((reason) => void (over() || refuse(status.ABORTED, reason)));
    stopWatching = source.subscribe(() => {
      // One look a turn, however often it changed: the machine takes the newest.
      wakeUp ??= setImmediate(() => {
        wakeUp = undefined;
        step(() => machine?.changed());
      });
    });
    return true;
  }

  /** Later requests may say it again: some clients always do. @returns whether the stream goes on */
  function describe(given: Node | undefined): boolean {
    if (!given || !said || equals(NodeSchema, given, said)) return true;
    if (given.id !== said.id)
      return refuse(
        status.INVALID_ARGUMENT,
        `The node "${said.id}" cannot become "${given.id}"; open another stream.`,
      );
    said = given;
    node = readNode(given, node?.identity);
    try {
      handle?.described?.(node);
    } catch (cause) {
      return refuseNode(given, cause);
    }
    return true;
  }

  function refuseNode(given: Node, cause: unknown): false {
    if (isTulleError(cause)) return refuse(status.PERMISSION_DENIED, cause.message);
    log?.error('ADS stream refused: defect', { node: given.id, error: cause });
    return refuse(
      status.INTERNAL,
      'The control plane has no configuration for this node; its log has the reason.',
    );
  }

  function identify(): string | undefined {
    try {
      return options.identify()?.spiffeId;
    } catch (cause) {
      log?.warn('Caller could not be identified', { peer: call.getPeer(), error: cause });
      return undefined;
    }
  }

  function refuse(code: status, details: string): false {
    metrics.refused.add();
    log?.warn('ADS stream refused', { peer: call.getPeer(), reason: details });
    fail(code, details);
    return false;
  }

  function take(message: Message): void {
    const { protocol } = options;
    if (!(said ? describe(protocol.node(message)) : open(protocol.node(message)))) return;
    step(() => {
      const request = protocol.read(message);
      if (!request) return;
      const kind = kindOfTypeUrl(request.typeUrl);
      if (request.typeUrl === SECRET_TYPE_URL) secrets.request(request);
      else if (kind && machine) machine.request({ ...request, kind });
      else metrics.unknownTypes.add(); // a client may ask for more than we have; it lives without
    });
  }

  return {
    secretsChanged: () => step(() => secrets.changed()),
    status: () => ({ node, peer: call.getPeer(), openedAtMs, delta: machine?.status() }),
    client: () => {
      const [described, of] = [said, machine];
      return described && of && { node: described, resources: () => of.resources() };
    },
    end: fail,
  };
}
