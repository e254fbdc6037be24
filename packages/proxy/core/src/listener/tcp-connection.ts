import { connectionNumber } from '../stream/connection-number.ts';
import { recordConnection } from '../stream/record-connection.ts';
import type { RecordConnection } from '@tulle/telemetry';
import {
  addHash,
  hashText,
  LOCAL_FAILURE,
  NEUTRAL,
  type Outcome,
  type SubsetCriteria,
  SUCCESS,
} from '@tulle/balance';
import { errorRow, type ErrorCode, type ResponseFlag } from '@tulle/filter';
import type { TcpChain, TcpShare } from '../compile/compiled-listener.ts';
import type { Engine } from '../engine.ts';
import type { Socket, SocketEvents, SocketFault } from '../ports.ts';
import type { ClusterRuntime, UpstreamEndpoint } from '../upstream/cluster.ts';
import { addressesOf, connectEndpoint } from '../upstream/connect-endpoint.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { ConnectionHooks } from './conn-hooks.ts';
import { Relay, type RelayEnd } from './relay.ts';
import type { ListenerConnection, ServingListener } from './serving.ts';

/** What a connection that is over says of its endpoint: one that broke before it said a word has failed. */
function outcomeOf({ fault, side }: RelayEnd, bytes: number): Outcome {
  if (bytes > 0) return SUCCESS;
  return fault !== undefined && side === 'endpoint' ? LOCAL_FAILURE : NEUTRAL;
}

/** One connection of a TCP chain: an endpoint is connected, then bytes flow. */
export class TcpConnection implements SocketEvents, ListenerConnection {
  readonly #engine: Engine;
  readonly #listener: ServingListener;
  readonly #chain: TcpChain;
  readonly plain: 'bytes' | undefined;
  readonly #socket: Socket;
  readonly #facts: ConnectionFacts;
  readonly #hooks: ConnectionHooks | undefined;
  readonly #startMs: number;
  #held: Buffer[] = [];
  #peerEnded = false;
  #cluster: ClusterRuntime | undefined;
  #subset: SubsetCriteria | undefined;
  #endpoint: UpstreamEndpoint | undefined;
  readonly #tried: UpstreamEndpoint[] = [];
  #endpointSocket: Socket | undefined;
  #identity: string | undefined;
  #line: RecordConnection | undefined;
  #relay: Relay | undefined;
  #cancelTimer: (() => void) | undefined;
  #code = '';
  /** Why the endpoint that was tried last could not be connected. */
  #connectCode: ErrorCode = 'TULLE_UPSTREAM_CONNECT';
  #details = '';
  #cancelDuration: (() => void) | undefined;
  readonly #hash: number;
  #over = false;
  #admitted = false;

  constructor(
    engine: Engine,
    listener: ServingListener,
    chain: TcpChain,
    socket: Socket,
    facts: ConnectionFacts,
    hooks: ConnectionHooks | undefined,
    first: Buffer | undefined,
  ) {
    this.#engine = engine;
    this.#listener = listener;
    this.#chain = chain;
    this.plain = socket.tls === undefined ? 'bytes' : undefined;
    this.#socket = socket;
    this.#facts = facts;
    this.#hooks = hooks;
    this.#startMs = engine.turn.nowMs;
    this.#hash = chain.hashesSource ? addHash(-1, hashText(facts.remoteAddress)) : -1;
    if (chain.maxDurationMs > 0)
      this.#cancelDuration = engine.clock.setTimer(chain.maxDurationMs, () => this.destroy());
    if (first !== undefined && first.length > 0) this.#held.push(first);
    chain.filters.retain();
    chain.accessLogs?.retain();
    socket.events = this;
    socket.pause();
  }

  /** Looks for an endpoint, once the listener knows this connection: what fails at once ends it there. */
  begin(): void {
    const share = this.#draw();
    const cluster = share?.ref.current;
    this.#subset = share?.subset;
    this.#cluster = cluster;
    if (cluster === undefined) return this.#fail('TULLE_CLUSTER_NOT_FOUND');
    if (!cluster.enter(false)) return this.#fail('TULLE_UPSTREAM_OVERFLOW');
    this.#admitted = true;
    this.#connect(cluster);
  }

  #draw(): TcpShare | undefined {
    const { shares, totalWeight } = this.#chain;
    let draw = this.#engine.random() * totalWeight;
    for (const share of shares) {
      draw -= share.weight;
      if (draw < 0) return share;
    }
    return totalWeight === 0 ? undefined : shares.findLast(({ weight }) => weight > 0);
  }

  #endpointOf(cluster: ClusterRuntime, nowMs: number): UpstreamEndpoint | undefined {
    const { onDemand } = cluster;
    if (onDemand === undefined) return cluster.balancer.pick(nowMs, this.#tried, this.#hash, this.#subset);
    const found = this.#tried.length === 0 ? onDemand.ofConnection(this.#facts) : undefined;
    return found && cluster.own.get(found.address);
  }

  #connect(cluster: ClusterRuntime): void {
    const nowMs = this.#engine.turn.nowMs;
    const endpoint = this.#endpointOf(cluster, nowMs);
    if (endpoint === undefined) {
      if (this.#tried.length === 0) cluster.metrics.noEndpoint.add();
      return this.#fail(this.#tried.length === 0 ? 'TULLE_UPSTREAM_NO_ENDPOINT' : this.#connectCode);
    }
    if (cluster.connections >= cluster.resources.maxConnections) {
      cluster.metrics.connectionOverflow.add();
      return this.#fail('TULLE_UPSTREAM_OVERFLOW');
    }
    this.#endpoint = endpoint;
    this.#tried.push(endpoint);
    endpoint.onStart();
    cluster.connections++;
    cluster.used = true;
    cluster.metrics.connections.add();
    const { engine } = cluster;
    const socket = connectEndpoint(endpoint.data.cluster, endpoint.endpoint, {
      whose: addressesOf(this.#facts),
    });
    this.#endpointSocket = socket;
    let timedOut = false;
    this.#cancelTimer = engine.clock.setTimer(endpoint.data.cluster.connectTimeoutMs, () => {
      timedOut = true;
      socket.destroy();
    });
    socket.events = {
      onOpen: () => this.#inTurn(() => this.#opened(cluster, endpoint, socket, nowMs)),
      onRead: () => {},
      onEnd: () => {},
      onDrain: () => {},
      onClose: (fault) => this.#inTurn(() => this.#connectFailed(cluster, endpoint, fault, timedOut, nowMs)),
    };
  }

  #opened(cluster: ClusterRuntime, endpoint: UpstreamEndpoint, socket: Socket, startedMs: number): void {
    this.#cancelTimer?.();
    if (this.#over) return socket.destroy();
    const connectMs = this.#engine.turn.nowMs - startedMs;
    this.#code = '';
    this.#identity = socket.tls?.identity;
    this.#line = recordConnection(connectionNumber(), 'TCP', socket, socket.tls);
    const hooks = this.#hooks;
    const relay: Relay = new Relay(
      this.#engine,
      this.#socket,
      socket,
      {
        bufferLimitBytes: this.#listener.bufferLimitBytes,
        idleTimeoutMs: this.#chain.idleTimeoutMs,
        tap: hooks?.hasBytesHooks === true ? hooks : undefined,
      },
      (end) => {
        endpoint.onEnd(outcomeOf(end, relay.endpoint.bytes), connectMs, this.#engine.turn.nowMs);
        this.#relayOver(cluster, end);
      },
    );
    this.#relay = relay;
    this.#socket.tunnel?.accept();
    for (const bytes of this.#held.splice(0)) relay.caller.take(bytes, 0, bytes.length, true);
    if (this.#peerEnded) relay.caller.onEnd();
    if (!relay.over) this.#socket.resume();
  }

  #connectFailed(
    cluster: ClusterRuntime,
    endpoint: UpstreamEndpoint,
    fault: SocketFault | undefined,
    timedOut: boolean,
    startedMs: number,
  ): void {
    this.#cancelTimer?.();
    cluster.connections--;
    this.#endpointSocket = undefined;
    const nowMs = this.#engine.turn.nowMs;
    endpoint.onEnd(this.#over ? NEUTRAL : LOCAL_FAILURE, nowMs - startedMs, nowMs);
    if (this.#over) return;
    cluster.metrics.connectFailures.add();
    if (timedOut) cluster.metrics.connectTimeouts.add();
    const kind = fault?.kind;
    if (kind === 'tls' || kind === 'identity')
      cluster.metrics.tlsRefused(fault?.reason ?? 'handshake-failed');
    this.#connectCode = timedOut
      ? 'TULLE_UPSTREAM_CONNECT_TIMEOUT'
      : kind === 'identity'
        ? 'TULLE_UPSTREAM_IDENTITY'
        : kind === 'tls'
          ? 'TULLE_UPSTREAM_TLS'
          : 'TULLE_UPSTREAM_CONNECT';
    if (fault !== undefined)
      this.#engine.log.debug(`cluster ${cluster.name}: ${endpoint.address}: ${fault.message}`);
    if (this.#tried.length < this.#chain.maxConnectAttempts) return this.#connect(cluster);
    cluster.metrics.connectAttemptsExceeded.add();
    this.#fail(this.#connectCode);
  }

  #relayOver(cluster: ClusterRuntime, end: RelayEnd): void {
    cluster.connections--;
    this.#endpointSocket = undefined;
    if (this.#hooks !== undefined && this.#hooks.code !== '') {
      this.#code = this.#hooks.code;
      this.#details = this.#hooks.details;
    } else if (end.idle) this.#code = 'TULLE_STREAM_IDLE';
    else if (end.fault !== undefined)
      this.#code = end.side === 'caller' ? 'TULLE_DOWNSTREAM_CLOSED' : 'TULLE_UPSTREAM_RESET_AFTER_START';
    this.#finish();
  }

  #fail(code: ErrorCode): void {
    this.#code = code;
    this.#socket.tunnel?.refuse(errorRow(code)?.http ?? 503);
    this.#socket.destroy(true);
    this.#finish();
  }

  /** The end, once: counters, the record, the listener. */
  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimer?.();
    this.#cancelDuration?.();
    const endpointSocket = this.#endpointSocket;
    if (endpointSocket !== undefined && this.#relay === undefined) endpointSocket.destroy();
    if (this.#admitted) this.#cluster?.leave(false);
    this.#record();
    this.#hooks?.close();
    this.#chain.filters.release();
    this.#chain.accessLogs?.release();
    this.#listener.connectionOver(this);
  }

  #record(): void {
    const { clock, recorder } = this.#engine;
    const facts = this.#facts;
    const row = errorRow(this.#code);
    const durationMs = clock.nowMs() - this.#startMs;
    recorder.recordOther((record) => {
      record.kind = 'tcp';
      record.protocol = 'TCP';
      record.startEpochMs = clock.epochMs() - durationMs;
      record.durationMs = durationMs;
      record.listener = facts.listener;
      record.direction = facts.direction;
      record.code = this.#code;
      record.details = this.#details || (row?.details ?? '');
      record.flags = row === undefined || row.flag === '-' ? [] : [row.flag satisfies ResponseFlag];
      record.routeName = this.#chain.name;
      record.cluster = this.#cluster?.name ?? '';
      record.upstreamAddress = this.#endpoint?.address ?? '';
      record.upstreamLabels = this.#endpoint?.endpoint.labels ?? this.#cluster?.labels ?? {};
      record.upstreamIdentity = this.#identity;
      record.peerIdentity = facts.peerIdentity;
      record.remoteAddress = facts.remoteAddress;
      record.remotePort = facts.remotePort;
      record.localAddress = facts.localAddress;
      record.localPort = facts.localPort;
      record.tls = facts.tls;
      record.serverName = facts.serverName;
      record.downstream = recordConnection(facts.id, 'TCP', facts, facts.tlsPeer);
      record.upstream = this.#line;
      record.upstreamHostname = this.#endpoint?.endpoint.hostname;
      record.filterChain = this.#chain.name;
      record.bytesReceived = this.#relay?.caller.bytes ?? 0;
      record.bytesSent = this.#relay?.endpoint.bytes ?? 0;
      record.configGeneration = this.#chain.generation;
    }, this.#chain.accessLogs?.logs);
  }

  // — the caller's socket until the relay takes it —

  onOpen(): void {}

  onRead(chunk: Buffer, start: number, end: number): void {
    this.#held.push(Buffer.from(chunk.subarray(start, end)));
  }

  onEnd(): void {
    this.#peerEnded = true;
  }

  onDrain(): void {}

  onClose(): void {
    this.#inTurn(() => {
      if (this.#over) return;
      this.#code = 'TULLE_DOWNSTREAM_CLOSED';
      this.#finish();
    });
  }

  /** Bytes flow as long as the two want: only its listener's end closes it. */
  closeIfIdle(): void {}

  destroy(): void {
    this.#inTurn(() => {
      if (this.#relay !== undefined)
        this.#relay.finish({
          fault: { kind: 'local', reason: 'draining', message: 'draining' },
          side: 'none',
          idle: false,
        });
      else this.#fail('TULLE_DRAINING');
    });
  }

  #inTurn(run: () => void): void {
    this.#engine.turn.begin();
    try {
      run();
    } catch (defect) {
      this.#engine.logDefect(defect);
      this.#fail('TULLE_INTERNAL');
    } finally {
      this.#engine.turn.end();
    }
  }
}
