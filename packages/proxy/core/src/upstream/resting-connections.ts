import type { WheelTimer } from '@tulle/time';
import { Stack } from '../stack.ts';
import type { ClusterRuntime } from './cluster.ts';
import type { UpstreamConnection } from './h1-client.ts';
import type { Stream } from '../stream/stream.ts';

/** What an observed close teaches is forgotten after this: the endpoint may have been restarted with other settings. */
const LEARNT_FOR_MS = 600_000;
/** A close of a connection idle for less than this teaches nothing: endpoints close early for many reasons. */
const MIN_LEARNT_IDLE_MS = 500;

/**
 * HTTP/1 connections to one endpoint that serve nobody now, last used first, so that the rest can grow old and be
 * retired before the endpoint closes them.
 */
export class RestingConnections {
  readonly #cluster: ClusterRuntime;
  readonly #resting: Stack<UpstreamConnection> = new Stack<UpstreamConnection>();
  readonly #timer: WheelTimer;
  #sweepAtMs = 0;
  #learntIdleMs = Infinity;
  #learntAtMs = 0;

  constructor(cluster: ClusterRuntime) {
    this.#cluster = cluster;
    this.#timer = cluster.engine.wheel.timer(retireOld, this);
  }

  get size(): number {
    return this.#resting.size;
  }

  /** One that has not rested too long, now the stream's. */
  take(stream: Stream): UpstreamConnection | undefined {
    const resting = this.#resting;
    if (resting.size === 0) return undefined;
    const nowMs = stream.attemptStartMs;
    const limitMs = this.#limitMs(nowMs);
    for (let connection = resting.pop(); connection !== undefined; connection = resting.pop()) {
      if (connection.startsAgain(stream, nowMs, limitMs)) return connection;
      this.#cluster.metrics.idleRetired.add();
      connection.close();
    }
    return undefined;
  }

  /** Lets a connection rest, if there is room. */
  add(connection: UpstreamConnection, nowMs: number): void {
    if (this.#resting.size >= this.#cluster.maxIdlePerEndpoint) return connection.close();
    connection.idleSinceMs = nowMs;
    this.#resting.push(connection);
    const limitMs = this.#limitMs(nowMs);
    if (!this.#timer.armed || nowMs + limitMs < this.#sweepAtMs) this.#sweepAfter(limitMs, nowMs);
  }

  /** It is gone. @param learn whether its endpoint closed it while it rested */
  remove(connection: UpstreamConnection, learn: boolean): void {
    this.#resting.remove(connection);
    if (!learn) return;
    const restedMs = this.#cluster.engine.turn.nowMs - connection.idleSinceMs;
    if (restedMs >= MIN_LEARNT_IDLE_MS) this.#learn(restedMs * 0.9);
  }

  /** How long a connection may rest now: configured, said by the endpoint, or seen. */
  #limitMs(nowMs: number): number {
    const configured = this.#cluster.idleTimeoutMs;
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

  #learn(idleMs: number): void {
    if (idleMs > this.#learntIdleMs) return;
    this.#learntIdleMs = idleMs;
    this.#learntAtMs = this.#cluster.engine.turn.nowMs;
  }

  /** Closes what has rested too long. */
  sweep(): void {
    const nowMs = this.#cluster.engine.turn.nowMs;
    const limitMs = this.#limitMs(nowMs);
    let oldest = this.#resting.oldest;
    while (oldest !== undefined && nowMs - oldest.idleSinceMs >= limitMs) {
      this.#resting.remove(oldest);
      this.#cluster.metrics.idleRetired.add();
      oldest.close();
      oldest = this.#resting.oldest;
    }
    if (oldest !== undefined) this.#sweepAfter(Math.max(oldest.idleSinceMs + limitMs - nowMs, 0), nowMs);
  }

  #sweepAfter(delayMs: number, nowMs: number): void {
    this.#sweepAtMs = nowMs + delayMs;
    this.#timer.arm(delayMs, nowMs);
  }

  closeAll(): void {
    const resting = this.#resting;
    for (let connection = resting.pop(); connection !== undefined; connection = resting.pop())
      connection.close();
  }

  /** Nothing rests here again. */
  stop(): void {
    this.#timer.cancel();
    this.closeAll();
  }
}

function retireOld(connections: RestingConnections): void {
  connections.sweep();
}
