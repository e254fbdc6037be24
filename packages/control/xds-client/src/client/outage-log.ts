import type { Log } from '@tulle/filter';

/** Tells of control planes that are lost and found, without a line for every try. */
export interface OutageLog {
  /** A stream ended, or none could be opened. */
  lost(target: string, reason: string, retryInMs: number): void;
  /** A control plane answers. */
  found(target: string): void;
}

/** Between lines of one outage: a control plane that is away for a night must not fill a disk. */
const SUMMARY_MS = 60_000;
/** Reasons that are told apart in one outage; each gets a line of its own, the first time. */
const MAX_REASONS = 8;

interface Outage {
  readonly sinceMs: number;
  tries: number;
  lastLineMs: number;
  readonly reasons: Set<string>;
  /** When a control plane answered last; lost again soon after, it is the same outage. */
  foundMs: number | undefined;
  /** Whether it was told that one answered. */
  foundTold: boolean;
}

/**
 * One line when an outage begins and for each new reason, then one a minute with what came since, then one when it is over.
 * A control plane that answers and is lost again within a minute is one outage.
 * @param nowMs monotonic
 */
export function createOutageLog(log: Log | undefined, nowMs: () => number): OutageLog {
  let outage: Outage | undefined;

  return {
    lost(target, reason, retryInMs) {
      const now = nowMs();
      if (outage?.foundMs !== undefined && now - outage.foundMs >= SUMMARY_MS) outage = undefined;
      const begins = !outage;
      outage ??= {
        sinceMs: now,
        tries: 0,
        lastLineMs: now,
        reasons: new Set(),
        foundMs: undefined,
        foundTold: false,
      };
      outage.tries++;
      outage.foundMs = undefined;
      const isNew = !outage.reasons.has(reason) && outage.reasons.size < MAX_REASONS;
      if (isNew) outage.reasons.add(reason);
      if (!isNew && now - outage.lastLineMs < SUMMARY_MS) return;
      outage.lastLineMs = now;
      log?.warn(
        begins
          ? 'No control plane; the configuration in use stays'
          : 'Still no control plane; the configuration in use stays',
        {
          target,
          reason,
          retryInMs: Math.round(retryInMs),
          ...(!begins && { tries: outage.tries, sinceMs: Math.round(now - outage.sinceMs) }),
        },
      );
    },
    found(target) {
      const now = nowMs();
      if (!outage) {
        log?.info('Control plane answers', { target });
        return;
      }
      outage.foundMs = now;
      // The second time within one outage it is no news, until a minute has passed.
      if (outage.foundTold && now - outage.lastLineMs < SUMMARY_MS) return;
      outage.foundTold = true;
      outage.lastLineMs = now;
      log?.info('Control plane is back', {
        target,
        tries: outage.tries,
        afterMs: Math.round(now - outage.sinceMs),
      });
    },
  };
}
