import { armAttemptTimers, beginAttempts, cancelAttempt, connectAttempt } from './attempts/attempts.ts';
import { advance } from './chain/walk.ts';
import type { Doors } from './doors.ts';
import { onIdleTimeout, onPerTryTimeout, onRequestTimeout, onRetryDelay } from './stream/timeouts.ts';

/** The rooms, connected. */
export const DOORS: Doors = Object.freeze({
  advance,
  beginAttempts,
  connectAttempt,
  cancelAttempt,
  armAttemptTimers,
  onRequestTimeout,
  onPerTryTimeout,
  onIdleTimeout,
  onRetryDelay,
});
