import { DELIVER, RETRY } from '@tulle/filter';
import { backoffDelayMs } from '@tulle/time';
import { stateOf, viewOf } from '../chain/run.ts';
import type { AttemptStep, FilterInstance } from '../chain/tables.ts';
import type { Services } from '../services.ts';
import { RETRY_REFUSALS, SITE_RETRY, SITE_RETRY_REFUSED, type RetryRefusal } from '../stream/sites.ts';
import type { Stream } from '../stream/stream.ts';
import { disown, isThenable, messageOf } from '../thenable.ts';
import { isSafeAgain } from './repeat.ts';

// Whether an attempt is made again: filters ask for it, the loop of attempts allows it.

/** Used when a filter that asks for a retry gives no delay: Envoy's 25 ms doubling to 250 ms, full jitter. */
const DEFAULT_BACKOFF = { baseMs: 25, maxMs: 250 };

/** Runs every attemptEnd hook: each may count; one that says RETRY is enough. */
export function asksForRetry(stream: Stream): boolean {
  const steps = stream.table.attemptEnd as readonly AttemptStep[];
  let asked = false;
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i] as AttemptStep;
    const { filter } = step;
    stream.slot = filter.slot;
    try {
      const verdict: unknown = step.run(
        stream.view ?? viewOf(stream),
        step.config,
        filter.states === undefined ? undefined : stateOf(stream, filter),
      );
      if (verdict === RETRY) asked = true;
      else if (verdict !== DELIVER && isThenable(verdict)) {
        const { engine, requestId } = stream;
        disown(verdict, (message) => policyFailed(engine, filter, requestId, message));
      }
    } catch (error) {
      policyFailed(stream.engine, filter, stream.requestId, messageOf(error));
    }
  }
  return asked;
}

/** The outcome is delivered: a failing policy must not repeat requests. */
function policyFailed(engine: Services, filter: FilterInstance, requestId: string, message: string): void {
  filter.errors.add();
  engine.log.error(`filter ${filter.name} failed in attemptEnd: ${message}`, {
    filter: filter.name,
    requestId,
  });
}

/** Whether the loop allows what a filter asked for; the first reason against it goes into the record. */
export function mayRetry(stream: Stream, nowMs: number): boolean {
  const refusal = refusalOf(stream, nowMs);
  if (refusal === '') return true;
  stream.retryRefused = refusal;
  stream.note(SITE_RETRY_REFUSED, RETRY_REFUSALS.indexOf(refusal), stream.attemptCount);
  stream.cluster?.metrics.retryRefused(refusal);
  return false;
}

function refusalOf(stream: Stream, nowMs: number): RetryRefusal {
  const { attempt, engine, cluster } = stream;
  if (!isSafeAgain(stream, attempt.unsent)) return 'unsafe';
  if (!attempt.repeatable) return 'replay';
  if (stream.attemptCount >= engine.limits.maxAttempts) return 'limit';
  if (stream.requestReceived && !stream.downstream.open) return 'closed';
  if (attempt.retryDelayMs < 0)
    attempt.retryDelayMs = backoffDelayMs(stream.attemptCount, DEFAULT_BACKOFF, engine.random);
  const againMs = nowMs + attempt.retryDelayMs;
  const { deadlineMs, limitEndMs } = stream;
  if ((deadlineMs !== 0 && againMs >= deadlineMs) || (limitEndMs !== 0 && againMs >= limitEndMs))
    return 'timeout';
  return cluster?.resourcesOf(stream.highPriority).tryRetry(nowMs) === true ? '' : 'budget';
}

/** The attempt that was made again has its outcome. */
export function retryOver(stream: Stream): void {
  if (!stream.retrying) return;
  stream.retrying = false;
  const resources = stream.cluster?.resourcesOf(stream.highPriority);
  if (resources !== undefined) resources.retries--;
}

/** Makes the attempt again when its delay is over. */
export function retry(stream: Stream): void {
  stream.retrying = true;
  stream.note(SITE_RETRY, stream.attemptCount, Math.round(stream.attempt.retryDelayMs));
  stream.cluster?.metrics.retries.add();
  stream.armRetryTimer(stream.attempt.retryDelayMs);
}
