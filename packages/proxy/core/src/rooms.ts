import { armAttemptTimers, beginAttempts, cancelAttempt, connectAttempt } from './attempts/attempts.ts';
import { advance, beginRequest, routeAgain } from './chain/walk.ts';
import type { Doors } from './doors.ts';
import {
  onDurationTimeout,
  onIdleTimeout,
  onLogInterval,
  onPerTryTimeout,
  onReceiveTimeout,
  onRequestTimeout,
  onRetryDelay,
  onTryIdle,
} from './stream/timeouts.ts';

/** The rooms, connected. */
export const DOORS: Doors = Object.freeze({
  advance,
  beginRequest,
  routeAgain,
  beginAttempts,
  connectAttempt,
  cancelAttempt,
  armAttemptTimers,
  onReceiveTimeout,
  onDurationTimeout,
  onLogInterval,
  onRequestTimeout,
  onPerTryTimeout,
  onIdleTimeout,
  onRetryDelay,
  onTryIdle,
});
