import { status } from '@grpc/grpc-js';
import type { Log } from '@tulle/filter';
import type { Clock } from '@tulle/time';
import type { Node } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { createMachine, type DeltaStream, type ResourceStatus } from '../ads/delta-stream.ts';
import type { Comparer } from '../ads/differences.ts';
import type { StreamProtocol } from '../ads/messages.ts';
import { readNode } from '../ads/node.ts';
import type { StreamLimits } from '../ads/push.ts';
import { createOrderedPush } from '../ads/push-ordered.ts';
import { type AdsCall, bindCall } from '../ads/stream-call.ts';
import type { AckReport, NodeInfo } from '../provider.ts';
import type { RawMetrics } from './raw-metrics.ts';
import { RAW_RULES } from './raw-rules.ts';
import type { RawSet } from './raw-set.ts';
import type { RawStore } from './raw-store.ts';

/** What a client says that lets resources end with their time (xDS "TTL"). Others do not know a heartbeat when they see one. */
const TTL_FEATURE = 'xds.config.supports-resource-ttl';
/** Says nothing of the kind, and does it since 1.17 (2021). gRPC reads the wrapper and no time. */
const ENVOY = 'envoy';

/** What one stream is given by the service. */
export interface RawStreamOptions<Message> {
  readonly protocol: StreamProtocol<Message>;
  /** The one type of a discovery service of its own; `undefined` for the aggregated one. */
  readonly onlyType: string | undefined;
  readonly store: RawStore;
  readonly comparers: {
    readonly withTtl: Comparer<string, RawSet>;
    readonly without: Comparer<string, RawSet>;
  };
  readonly limits: StreamLimits;
  readonly maxBufferedBytes: number;
  readonly firstRequestTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Log | undefined;
  readonly metrics: RawMetrics;
  readonly listener: RawStreamListener;
}

/** Who hears of a stream. */
export interface RawStreamListener {
  connected(stream: RawStream): void;
  sent(stream: RawStream, response: RawSent): void;
  answered(stream: RawStream, report: AckReport<string>): void;
  /** After each step, whether or not something came of it. */
  moved(stream: RawStream): void;
  /** Comes once, last. */
  ended(stream: RawStream): void;
}

/** One response to a client. */
export interface RawSent {
  readonly typeUrl: string;
  readonly version: string;
  readonly nonce: string;
  readonly resources: readonly string[];
  readonly removed: readonly string[];
}

/** How one type stands on one stream. */
export interface RawTypeStatus {
  readonly typeUrl: string;
  /** Version that the client took last; absent before the first. */
  readonly acked?: string;
  readonly acks: number;
  readonly nacks: number;
  /** What it refused last, until it takes something. */
  readonly nack?: { readonly version: string; readonly message: string; readonly atMs: number };
}

/** One open stream. */
export interface RawStream {
  /** `undefined` before its first request. */
  node(): NodeInfo | undefined;
  readonly peer: string;
  readonly openedAtMs: number;
  readonly protocol: 'delta' | 'state-of-the-world';
  types(): readonly RawTypeStatus[];
  /** How each resource stands that the client asks for, or still has. */
  resources(): readonly ResourceStatus<string>[];
  /** Types that the client asked for, of which something is to be sent, compared or answered. */
  unsettled(): number;
  end(code: status, details: string): void;
}

interface TypeCount {
  acked?: string;
  acks: number;
  nacks: number;
  nack?: NonNullable<RawTypeStatus['nack']>;
}

const EMPTY: RawSet = { changeId: '', byType: new Map(), discovered: [], leads: [] };

function knowsTtl({ clientFeatures, userAgentName }: Node): boolean {
  return clientFeatures.includes(TTL_FEATURE) || userAgentName === ENVOY;
}

/** Binds the state machine of raw resources to a gRPC call. */
export function openRawStream<Message extends { typeUrl: string }>(
  call: AdsCall<Message>,
  options: RawStreamOptions<Message>,
): RawStream {
  const { clock, metrics, log, store, listener, onlyType } = options;
  const types = new Map<string, TypeCount>();
  let node: NodeInfo | undefined;
  let machine: DeltaStream<string> | undefined;
  let wakeUp: NodeJS.Immediate | undefined;
  let stopWatching = (): void => {};
  let transportTakes = true;

  const current = (): RawSet | undefined => (node ? store.of(node.id) : undefined);
  /** Without a set nothing is said: an empty answer would mean that there is nothing. */
  const gate = (): void => machine?.writable(transportTakes && current() !== undefined);

  const {
    step: run,
    write,
    fail,
    over,
  } = bindCall(call, {
    ...options,
    nodeId: () => node?.id,
    machine: () =>
      machine && {
        writable(yes) {
          transportTakes = yes;
          gate();
        },
        deadlineMs: () => machine?.deadlineMs(),
        expire: () => machine?.expire(),
      },
    backpressure: () => metrics.backpressure(),
    faulty: () => metrics.fault(),
    message: take,
    ended() {
      stopWatching();
      if (wakeUp) clearImmediate(wakeUp);
      listener.ended(stream);
    },
  });

  function step(what: () => void): void {
    run(what);
    listener.moved(stream);
  }

  function open(given: Node): void {
    node = readNode(given, undefined);
    const ttl = knowsTtl(given);
    machine = createMachine<string, RawSet>({
      rules: RAW_RULES,
      push: createOrderedPush,
      stateOfTheWorld: options.protocol.stateOfTheWorld,
      comparer: ttl ? options.comparers.withTtl : options.comparers.without,
      limits: options.limits,
      current: () => current() ?? EMPTY,
      send(response) {
        const { kind: typeUrl, changeId: version, nonce, removed } = response;
        const resources = response.resources.map(({ name }) => name);
        metrics.sent(typeUrl, resources.length, write({ ...response, typeUrl }));
        if (!response.heartbeat) listener.sent(stream, { typeUrl, version, nonce, resources, removed });
      },
      report(report) {
        note(report);
        listener.answered(stream, report);
      },
      nowMs: () => clock.nowMs(),
      epochMs: () => clock.epochMs(),
    });
    gate();
    stopWatching = store.subscribe(() => {
      // One look a turn, however often it changed: the machine takes the newest.
      wakeUp ??= setImmediate(() => {
        wakeUp = undefined;
        step(() => {
          gate();
          machine?.changed();
        });
      });
    });
    listener.connected(stream);
  }

  function note({ kind, changeId, ok, error, ackedAtMs, resources, removed }: AckReport<string>): void {
    const type = types.get(kind) ?? { acks: 0, nacks: 0 };
    types.set(kind, type);
    metrics.answered(kind, ok);
    if (ok) {
      type.acks++;
      type.acked = changeId;
      delete type.nack;
      return;
    }
    type.nacks++;
    type.nack = { version: changeId, message: error ?? '', atMs: ackedAtMs };
    log?.warn('A client refused resources', {
      node: node?.id,
      type: kind,
      version: changeId,
      names: [...resources.map(({ name }) => name), ...removed],
      reason: error,
    });
  }

  function take(message: Message): void {
    if (onlyType !== undefined) {
      // The service says it; a client may (xDS DiscoveryRequest.type_url).
      if (message.typeUrl !== '' && message.typeUrl !== onlyType)
        return fail(status.INVALID_ARGUMENT, `This service has ${onlyType} only, not ${message.typeUrl}.`);
      message.typeUrl = onlyType;
    }
    if (!machine) {
      const given = options.protocol.node(message);
      if (!given || given.id === '')
        return fail(status.INVALID_ARGUMENT, 'The first request must have a node with an id.');
      open(given);
    }
    step(() => {
      const request = options.protocol.read(message);
      if (request && request.typeUrl !== '') machine?.request({ ...request, kind: request.typeUrl });
    });
  }

  const stream: RawStream = {
    node: () => node,
    peer: call.getPeer(),
    openedAtMs: clock.epochMs(),
    protocol: options.protocol.stateOfTheWorld ? 'state-of-the-world' : 'delta',
    types: () => [...types].map(([typeUrl, type]) => ({ typeUrl, ...type })),
    resources: () => machine?.resources() ?? [],
    unsettled: () => machine?.unsettled() ?? 1,
    end(code, details) {
      if (!over()) fail(code, details);
    },
  };
  return stream;
}
