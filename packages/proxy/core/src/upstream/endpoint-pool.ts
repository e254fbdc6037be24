import type { Endpoint } from '@tulle/model';
import type { WheelTimer } from '@tulle/time';
import { attemptFailed, sendAttempt } from '../attempts/attempts.ts';
import type { SocketFault } from '../ports.ts';
import { Stack } from '../stack.ts';
import type { Stream } from '../stream/stream.ts';
import type { ClusterRuntime } from './cluster.ts';
import { usesTls } from './endpoint-tls.ts';
import { UpstreamConnection } from './h1-client.ts';

/** What an observed close teaches is forgotten after this: the endpoint may have been restarted with other settings. */
const LEARNT_FOR_MS = 600_000;
/** A close of a connection idle for less than this teaches nothing: endpoints close early for many reasons. */
const MIN_LEARNT_IDLE_MS = 500;

/**
 * The connections to one endpoint: those at rest, last used first (so that the rest can grow old and be retired), and
 * the streams that wait for one. Limits are the cluster's.
 */
export class EndpointPool {
  readonly cluster: ClusterRuntime;
  readonly address: string;
  endpoint: Endpoint;
  /** Open or connecting. */
  connections = 0;
  connecting = 0;
  readonly #idle: Stack<UpstreamConnection> = new Stack<UpstreamConnection>();
  #waiters: (Stream | undefined)[] = [];
  #firstWaiter = 0;
  #waiting = 0;
  #retired = false;
  #learntIdleMs = Infinity;
  #learntAtMs = 0;
  readonly #idleTimer: WheelTimer;
  #sweepAtMs = 0;

  constructor(cluster: ClusterRuntime, endpoint: Endpoint, address: string) {
    this.cluster = cluster;
    this.endpoint = endpoint;
    this.address = address;
    this.#idleTimer = cluster.engine.wheel.timer(retireIdle, this);
  }

  /** Connections at rest. */
  get idle(): number {
    return this.#idle.size;
  }

  /** The endpoint is described anew; another expected identity or mode ends the connections that relied on the old. */
  configure(endpoint: Endpoint): void {
    const before = this.endpoint;
    this.endpoint = endpoint;
    if (before.identity !== endpoint.identity || before.mode !== endpoint.mode) this.#closeIdle();
  }

  /** A connection for the stream, or `undefined`: it waits, or its attempt has failed already. */
  take(stream: Stream): UpstreamConnection | undefined {
    const idle = this.#idle;
    if (idle.size > 0) {
      const nowMs = stream.attempt.startMs;
      for (let connection = idle.pop(); connection !== undefined; connection = idle.pop()) {
        if (connection.startsAgain(stream, nowMs, this.idleLimitMs(nowMs))) return connection;
        this.cluster.metrics.idleRetired.add();
        connection.close();
      }
    }
    const { cluster } = this;
    if (cluster.pending >= cluster.maxPending) {
      cluster.metrics.pendingOverflow.add();
      attemptFailed(
        stream,
        'TULLE_UPSTREAM_OVERFLOW',
        true,
        'upstream_reset_before_response_started{overflow,pending}',
      );
      return undefined;
    }
    cluster.pending++;
    this.#waiting++;
    this.#waiters.push(stream);
    stream.waiting = true;
    this.#grow();
    return undefined;
  }

  /** The stream does not wait any more. */
  stopWaiting(stream: Stream): void {
    const at = this.#waiters.indexOf(stream, this.#firstWaiter);
    if (at < 0) return;
    this.#waiters[at] = undefined;
    this.#waiting--;
    this.cluster.pending--;
    if (this.#waiting === 0) {
      this.#waiters.length = 0;
      this.#firstWaiter = 0;
    }
  }

  /** A connection is open. */
  opened(connection: UpstreamConnection): void {
    this.connecting--;
    this.give(connection);
  }

  /** A connection is free: the next waiter gets it, or it rests. */
  give(connection: UpstreamConnection): void {
    const { cluster } = this;
    if (!connection.reusable) return connection.close();
    const nowMs = cluster.engine.turn.nowMs;
    for (let stream = this.#nextWaiter(); stream !== undefined; stream = this.#nextWaiter()) {
      stream.waiting = false;
      if (!connection.startsAgain(stream, nowMs, Infinity))
        return attemptFailed(stream, 'TULLE_UPSTREAM_CONNECT', true, undefined);
      sendAttempt(stream, connection);
      return;
    }
    if (this.#retired || cluster.closed || this.#idle.size >= cluster.maxIdlePerEndpoint)
      return connection.close();
    connection.idleSinceMs = nowMs;
    this.#idle.push(connection);
    const limitMs = this.idleLimitMs(nowMs);
    if (!this.#idleTimer.armed || nowMs + limitMs < this.#sweepAtMs) this.#sweepAfter(limitMs, nowMs);
  }

  /** A connection could not be made: the stream that waited longest learns it. */
  connectFailed(fault: SocketFault): void {
    this.connecting--;
    const { metrics, engine } = this.cluster;
    metrics.connectFailures.add();
    const code =
      fault.kind === 'timeout'
        ? 'TULLE_UPSTREAM_CONNECT_TIMEOUT'
        : fault.kind === 'identity'
          ? 'TULLE_UPSTREAM_IDENTITY'
          : fault.kind === 'tls'
            ? 'TULLE_UPSTREAM_TLS'
            : 'TULLE_UPSTREAM_CONNECT';
    if (fault.kind === 'timeout') metrics.connectTimeouts.add();
    if (fault.kind === 'identity' || fault.kind === 'tls') {
      metrics.tlsRefused(fault.reason);
      engine.log.warn(`endpoint ${this.address} of cluster ${this.cluster.name} refused: ${fault.message}`, {
        cluster: this.cluster.name,
        endpoint: this.address,
        reason: fault.reason,
      });
    }
    const stream = this.#nextWaiter();
    if (stream !== undefined) {
      stream.waiting = false;
      attemptFailed(
        stream,
        code,
        true,
        code === 'TULLE_UPSTREAM_CONNECT' || code === 'TULLE_UPSTREAM_CONNECT_TIMEOUT'
          ? undefined
          : `upstream_reset_before_response_started{connection_failure,${fault.reason}}`,
      );
    }
    this.#grow();
  }

  /** A connection is gone, open or not. @param resting it was at rest and the peer closed it */
  gone(connection: UpstreamConnection, resting: boolean): void {
    this.connections--;
    this.cluster.connections--;
    this.#idle.remove(connection);
    if (resting) this.#learnClose(connection);
    if (this.#waiting > 0) this.#grow();
  }

  /** How long a connection may rest now: configured, said by the endpoint, or seen. */
  idleLimitMs(nowMs: number): number {
    const configured = this.cluster.idleTimeoutMs;
    if (this.#learntIdleMs >= configured) return configured;
    if (nowMs - this.#learntAtMs > LEARNT_FOR_MS) this.#learntIdleMs = Infinity;
    return Math.min(configured, this.#learntIdleMs);
  }

  /** `Keep-Alive: timeout=5`: the endpoint says when it closes; a margin for the way there and back. */
  learnKeepAlive(value: string): void {
    const match = /(?:^|[\s,;])timeout=(\d{1,6})/.exec(value);
    if (match === null) return;
    const timeoutMs = Number(match[1]) * 1000;
    this.#learn(Math.max(timeoutMs - Math.max(1000, timeoutMs * 0.1), timeoutMs / 2));
  }

  #learnClose(connection: UpstreamConnection): void {
    const restedMs = this.cluster.engine.turn.nowMs - connection.idleSinceMs;
    if (restedMs >= MIN_LEARNT_IDLE_MS) this.#learn(restedMs * 0.9);
  }

  #learn(idleMs: number): void {
    if (idleMs <= this.#learntIdleMs) {
      this.#learntIdleMs = idleMs;
      this.#learntAtMs = this.cluster.engine.turn.nowMs;
    }
  }

  /** The endpoint left the set, or the cluster closes: nothing new. */
  retire(): void {
    this.#retired = true;
    this.#idleTimer.cancel();
    this.#closeIdle();
  }

  /** Closes what has rested too long. */
  sweep(): void {
    const nowMs = this.cluster.engine.turn.nowMs;
    const limitMs = this.idleLimitMs(nowMs);
    let oldest = this.#idle.oldest;
    while (oldest !== undefined && nowMs - oldest.idleSinceMs >= limitMs) {
      this.#idle.remove(oldest);
      this.cluster.metrics.idleRetired.add();
      oldest.close();
      oldest = this.#idle.oldest;
    }
    if (oldest !== undefined) this.#sweepAfter(Math.max(oldest.idleSinceMs + limitMs - nowMs, 0), nowMs);
  }

  #sweepAfter(delayMs: number, nowMs: number): void {
    this.#sweepAtMs = nowMs + delayMs;
    this.#idleTimer.arm(delayMs, nowMs);
  }

  #closeIdle(): void {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop())
      connection.close();
  }

  #nextWaiter(): Stream | undefined {
    const waiters = this.#waiters;
    while (this.#firstWaiter < waiters.length) {
      const stream = waiters[this.#firstWaiter];
      waiters[this.#firstWaiter++] = undefined;
      if (this.#firstWaiter === waiters.length || this.#firstWaiter > 256) {
        waiters.splice(0, this.#firstWaiter);
        this.#firstWaiter = 0;
      }
      if (stream !== undefined) {
        this.#waiting--;
        this.cluster.pending--;
        return stream;
      }
    }
    return undefined;
  }

  /** Opens connections for those who wait, as far as the limits let. */
  #grow(): void {
    const { cluster } = this;
    while (this.connecting < this.#waiting) {
      // A cluster at its limit still opens the first connection to an endpoint, or its streams would wait for nothing.
      if (cluster.connections >= cluster.maxConnections && this.connections > 0) {
        cluster.metrics.connectionOverflow.add();
        return;
      }
      this.connecting++;
      this.connections++;
      cluster.connections++;
      cluster.metrics.connections.add();
      const { engine } = cluster;
      const socket = engine.transport.connect(
        this.endpoint.address,
        usesTls(cluster, this.endpoint) ? { tls: cluster.tls, expectedIdentity: this.endpoint.identity } : {},
      );
      new UpstreamConnection(this, socket);
    }
  }
}

function retireIdle(pool: EndpointPool): void {
  pool.sweep();
}
