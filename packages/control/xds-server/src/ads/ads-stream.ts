import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { equals } from '@bufbuild/protobuf';
import { isTulleError, type Log } from '@tulle/filter';
import type { Clock } from '@tulle/time';
import { type Node, NodeSchema } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { DeltaDiscoveryRequest } from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import type { NodeInfo, SnapshotHandle, SnapshotProvider } from '../provider.ts';
import { ATOMIC_CHANGES } from '../wire.ts';
import {
  createDeltaStream,
  type DeltaResponse,
  type DeltaStream,
  type DeltaStreamStatus,
} from './delta-stream.ts';
import type { Comparer } from './differences.ts';
import { readRequest, writeResponse } from './messages.ts';
import type { AdsMetrics } from './metrics.ts';
import { readNode } from './node.ts';
import type { StreamLimits } from './push.ts';
import { StreamFault } from './stream-fault.ts';

/** The call as grpc-js gives it. */
export type AdsCall = ServerDuplexStream<DeltaDiscoveryRequest, Buffer>;

/** What one stream is given by the service. */
export interface AdsStreamOptions {
  readonly provider: SnapshotProvider;
  readonly identify: () => { readonly spiffeId: string } | undefined;
  readonly allowUnauthenticated: boolean;
  readonly agrees: (nodeId: string, spiffeId: string) => boolean;
  readonly identifier: string;
  readonly maxBufferedBytes: number;
  readonly comparer: Comparer;
  readonly limits: StreamLimits;
  readonly clock: Clock;
  readonly metrics: AdsMetrics;
  readonly log: Log | undefined;
  readonly onEnd: () => void;
}

/** One open stream. */
export interface AdsStream {
  status(): AdsStreamStatus;
  end(code: status, details: string): void;
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
export function openAdsStream(call: AdsCall, options: AdsStreamOptions): AdsStream {
  const { clock, metrics, log } = options;
  const openedAtMs = clock.epochMs();
  let node: NodeInfo | undefined;
  let said: Node | undefined;
  let handle: SnapshotHandle | undefined;
  let machine: DeltaStream | undefined;
  let stopWatching = (): void => {};
  let cancelTimer = (): void => {};
  let buffered = 0;
  let blocked = false;
  let wakeUp: NodeJS.Immediate | undefined;
  let over = false;

  function finish(how: 'clean' | 'lost'): void {
    if (over) return;
    over = true;
    stopWatching();
    cancelTimer();
    if (wakeUp) clearImmediate(wakeUp);
    options.onEnd();
    handle?.closed(how);
  }

  function fail(code: status, details: string): void {
    if (over) return;
    finish('lost');
    call.emit('error', { code, details });
  }

  /** Runs one step of the machine, and sets the timer for the next. */
  function step(run: (machine: DeltaStream) => void): void {
    if (over || !machine) return;
    try {
      run(machine);
    } catch (cause) {
      metrics.faults.add();
      if (cause instanceof StreamFault) {
        log?.warn('ADS stream ended: its client broke a rule', { node: node?.id, reason: cause.message });
        return fail(cause.code, cause.message);
      }
      log?.error('ADS stream ended: defect', { node: node?.id, error: cause });
      return fail(status.INTERNAL, 'The control plane failed to handle a request; its log has the reason.');
    }
    cancelTimer();
    const at = machine.deadlineMs();
    cancelTimer =
      at === undefined
        ? () => {}
        : clock.setTimer(Math.max(0, at - clock.nowMs()), () => step((one) => one.expire()));
  }

  function send(response: DeltaResponse): void {
    const bytes = writeResponse(response, options.identifier);
    buffered += bytes.length;
    metrics.sent(response.kind, response.resources.length, bytes.length);
    handle?.sent?.({
      kind: response.kind,
      changeId: response.changeId,
      resources: response.resources.map(({ name, version }) => ({ name, version })),
      removed: response.removed,
    });
    if (buffered >= options.maxBufferedBytes && !blocked) {
      blocked = true;
      metrics.backpressure.add();
      machine?.writable(false);
    }
    call.write(bytes, () => {
      buffered -= bytes.length;
      if (!blocked || buffered >= options.maxBufferedBytes) return;
      blocked = false;
      step((one) => one.writable(true));
    });
  }

  /** @returns whether the stream goes on */
  function open(given: Node | undefined): boolean {
    if (!given || given.id === '')
      return refuse(status.INVALID_ARGUMENT, 'The first request must have a node with an id.');
    const identity = identify();
    if (identity === undefined && !options.allowUnauthenticated) {
      return refuse(
        status.UNAUTHENTICATED,
        'No identity was proven. Connect over mutual TLS with the certificate of the workload.',
      );
    }
    if (identity !== undefined && !options.agrees(given.id, identity)) {
      return refuse(
        status.PERMISSION_DENIED,
        `The node id "${given.id}" does not agree with the proven identity ${identity}. Use that id, alone or followed by ~ and a name of the instance.`,
      );
    }
    said = given;
    node = readNode(given, identity);
    let source: SnapshotHandle;
    try {
      source = handle = options.provider.open(node);
    } catch (cause) {
      return refuseNode(given, cause);
    }
    machine = createDeltaStream({
      atomic: given.clientFeatures.includes(ATOMIC_CHANGES),
      comparer: options.comparer,
      limits: options.limits,
      current: () => source.current(),
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
      upToDate: (kind, changeId) => source.upToDate?.(kind, changeId),
      nowMs: () => clock.nowMs(),
      epochMs: () => clock.epochMs(),
    });
    source.replaceable?.((reason) => void (over || refuse(status.ABORTED, reason)));
    stopWatching = source.subscribe(() => {
      // One look a turn, however often it changed: the machine takes the newest.
      wakeUp ??= setImmediate(() => {
        wakeUp = undefined;
        step((one) => one.changed());
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

  call.on('data', (message: DeltaDiscoveryRequest) => {
    if (over || !(machine ? describe(message.node) : open(message.node))) return;
    step((one) => {
      const request = readRequest(message);
      if (request) one.request(request);
      else metrics.unknownTypes.add(); // a client may ask for more than we have; it lives without
    });
  });
  call.on('end', () => {
    finish('clean');
    call.end();
  });
  call.on('cancelled', () => finish('lost'));
  call.on('error', () => finish('lost'));
  call.on('close', () => finish('lost'));

  return {
    status: () => ({ node, peer: call.getPeer(), openedAtMs, delta: machine?.status() }),
    end: fail,
  };
}
