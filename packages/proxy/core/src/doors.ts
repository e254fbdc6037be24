import type { HeadPhase } from './chain/run.ts';
import type { Stream } from './stream/stream.ts';

/**
 * The ways back from one room into another. A request is walked forwards by plain imports; where the walk comes back
 * (an attempt that fails is answered by the chain, a timer wakes a stream), it goes through here, so that the files
 * form no cycle. Wired once, in `rooms.ts`.
 */
export interface Doors {
  /** Runs a phase of the chain from a step on. */
  advance(stream: Stream, phase: HeadPhase, from: number): void;
  beginAttempts(stream: Stream): void;
  connectAttempt(stream: Stream): void;
  cancelAttempt(stream: Stream): void;
  armAttemptTimers(stream: Stream): void;
  onRequestTimeout(stream: Stream): void;
  onPerTryTimeout(stream: Stream): void;
  onIdleTimeout(stream: Stream): void;
  onRetryDelay(stream: Stream): void;
}
