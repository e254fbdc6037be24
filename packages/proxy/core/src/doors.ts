import type { HeadPhase } from './chain/phases.ts';
import type { StreamRef } from './stream/stream-ref.ts';

/**
 * The ways back from one room into another. A request is walked forwards by plain imports; where the walk comes back
 * (an attempt that fails is answered by the chain, a timer wakes a stream), it goes through here, so that the files
 * form no cycle. Wired once, in `rooms.ts`.
 */
export interface Doors {
  /** Runs a phase of the chain from a step on. */
  advance(stream: StreamRef, phase: HeadPhase, from: number): void;
  /** A request that was put off goes on, from where it was. */
  beginRequest(stream: StreamRef): void;
  /** A route is looked for once more, where the first time there was none to go on with. */
  routeAgain(stream: StreamRef): void;
  beginAttempts(stream: StreamRef): void;
  connectAttempt(stream: StreamRef): void;
  cancelAttempt(stream: StreamRef): void;
  armAttemptTimers(stream: StreamRef): void;
  onRequestTimeout(stream: StreamRef): void;
  onPerTryTimeout(stream: StreamRef): void;
  onTryIdle(stream: StreamRef): void;
  onIdleTimeout(stream: StreamRef): void;
  onReceiveTimeout(stream: StreamRef): void;
  onDurationTimeout(stream: StreamRef): void;
  onLogInterval(stream: StreamRef): void;
  onRetryDelay(stream: StreamRef): void;
}
