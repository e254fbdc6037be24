import { CONTINUE, isTulleError, STOP, TulleError, type HookResult, type Verdict } from '@tulle/filter';
import { SITE_FILTER_FAILED } from '../stream/sites.ts';
import type { Stream } from '../stream/stream.ts';
import { StreamView } from '../stream/views.ts';
import { recordFailure } from './reply.ts';
import { isThenable } from '../thenable.ts';
import {
  ATTEMPT_HEADERS,
  BEFORE_ROUTE,
  REQUEST_HEADERS,
  REQUEST_TRAILERS,
  RESPONSE_HEADERS,
  RESPONSE_TRAILERS,
  type HeadPhase,
} from './phases.ts';
import type { FilterInstance, HeadStep } from './tables.ts';

/** Every hook said CONTINUE. */
export const DONE = 0;
/** A hook said STOP; the reply is recorded in the stream. */
export const STOPPED = 1;
/** A hook's promise is pending; the walk goes on when it settles. */
export const PENDING = 2;
export type RunResult = typeof DONE | typeof STOPPED | typeof PENDING;

/** Goes on with a phase at step `from`; given by the walk, which knows what follows each phase. */
export type Resume = (stream: Stream, phase: HeadPhase, from: number) => void;

/** The steps of a phase as they are in force now (a rematch may change them under way). */
export function stepsOf(stream: Stream, phase: HeadPhase): readonly HeadStep[] | null {
  switch (phase) {
    case BEFORE_ROUTE:
      return stream.chain.beforeRoute;
    case REQUEST_HEADERS:
      return stream.table.requestHeaders;
    case REQUEST_TRAILERS:
      return stream.table.requestTrailers;
    case RESPONSE_HEADERS:
      return stream.table.responseHeaders;
    case RESPONSE_TRAILERS:
      return stream.table.responseTrailers;
    case ATTEMPT_HEADERS:
      return stream.table.attemptHeaders;
  }
}

/**
 * Runs the hooks of one phase from step `from` on, as far as they answer synchronously.
 * @param resume called in a turn of its own when a promise has settled with CONTINUE, or with STOP at the next step
 */
export function runSteps(
  stream: Stream,
  phase: HeadPhase,
  steps: readonly HeadStep[],
  from: number,
  resume: Resume,
): RunResult {
  for (let i = from; i < steps.length; i++) {
    const step = steps[i] as HeadStep;
    const filter = step.filter;
    stream.slot = filter.slot;
    let verdict: HookResult;
    try {
      verdict = step.run(
        stream.view ?? viewOf(stream),
        step.config,
        filter.states === undefined ? undefined : stateOf(stream, filter),
      );
    } catch (error) {
      verdict = filterFailed(stream, filter, error);
    }
    if (verdict !== CONTINUE) {
      if (isThenable(verdict)) {
        wait(stream, phase, i, filter, verdict, resume);
        return PENDING;
      }
      if (judge(stream, filter, verdict) === STOP) return STOPPED;
    }
    if (stream.rematched && phase === REQUEST_HEADERS) {
      stream.rematched = false;
      steps = stream.table.requestHeaders ?? [];
      i = indexAfter(steps, filter.slot) - 1;
    }
  }
  return DONE;
}

/** First step whose slot comes after `slot`. */
function indexAfter(steps: readonly HeadStep[], slot: number): number {
  let i = 0;
  while (i < steps.length && (steps[i] as HeadStep).filter.slot <= slot) i++;
  return i;
}

/** A verdict that is no CONTINUE: STOP needs a reply, anything else is a defect of the filter. */
export function judge(stream: Stream, filter: FilterInstance, verdict: unknown): Verdict {
  if (verdict === STOP) {
    if (stream.replyPending) return STOP;
    return filterFailed(
      stream,
      filter,
      new TulleError(
        'TULLE_FILTER_FAILED',
        `filter ${filter.name} returned STOP without stream.reply(); return stream.reply(…), or CONTINUE.`,
      ),
    );
  }
  if (verdict === CONTINUE) return CONTINUE;
  return filterFailed(
    stream,
    filter,
    new TulleError(
      'TULLE_FILTER_FAILED',
      `filter ${filter.name} returned ${String(verdict)}; a hook returns CONTINUE, STOP or a promise of one.`,
    ),
  );
}

/** A hook threw: counts it and answers 500, or goes on where the chain says fail-open. */
export function filterFailed(stream: Stream, filter: FilterInstance, error: unknown): Verdict {
  filter.errors.add();
  const message = error instanceof Error ? error.message : String(error);
  stream.engine.log.error(`filter ${filter.name} failed: ${message}`, {
    filter: filter.name,
    requestId: stream.requestId,
    stack: error instanceof Error ? error.stack : undefined,
  });
  const passes = filter.failOpen && !stream.replyPending;
  stream.note(SITE_FILTER_FAILED, filter.slot, passes ? 1 : 0);
  if (passes) return CONTINUE;
  const code =
    isTulleError(error) && error.code === 'TULLE_HEADER_INVALID'
      ? 'TULLE_HEADER_INVALID'
      : 'TULLE_FILTER_FAILED';
  recordFailure(stream, code, `filter_failed{${filter.name}}`);
  return STOP;
}

/** The view that filters get, made for the first that needs it. */
export function viewOf(stream: Stream): StreamView {
  return (stream.view = new StreamView(stream, undefined));
}

/** The filter's state for this stream. */
export function stateOf(stream: Stream, filter: FilterInstance): unknown {
  const state = stream.states?.[filter.slot];
  if (state !== undefined) return state;
  let { states } = stream;
  // Another chain's may be shorter.
  if (states === undefined || states.length <= filter.slot)
    states = stream.states = statesWithRoom(states, stream.chain.filters.filters.length);
  return (states[filter.slot] = filter.states?.pop() ?? filter.definition.state?.create());
}

/** Room for the states of so many filters. */
function statesWithRoom(before: readonly unknown[] | undefined, length: number): unknown[] {
  return Array.from({ length }, (_, slot) => before?.[slot]);
}

function wait(
  stream: Stream,
  phase: HeadPhase,
  index: number,
  filter: FilterInstance,
  promise: Promise<Verdict>,
  resume: Resume,
): void {
  stream.pendingHooks++;
  promise.then(
    (verdict) =>
      settled(stream, () => {
        stream.slot = filter.slot;
        if (verdict !== CONTINUE) judge(stream, filter, verdict);
        resume(stream, phase, index + 1);
      }),
    (error: unknown) =>
      settled(
        stream,
        () => {
          stream.slot = filter.slot;
          filterFailed(stream, filter, error);
          resume(stream, phase, index + 1);
        },
        error,
        filter,
      ),
  );
}

/** A hook's promise settled: goes on in a turn of its own, unless the stream ended meanwhile. */
export function settled(stream: Stream, goOn: () => void, error?: unknown, filter?: FilterInstance): void {
  stream.pendingHooks--;
  const { engine } = stream;
  if (!stream.live) {
    // The late continuation's own failure, e.g. from touching the revoked view, harms nobody.
    if (error !== undefined) filter?.errors.add();
    if (stream.pendingHooks === 0) engine.streams.put(stream);
    return;
  }
  engine.turn.begin();
  try {
    goOn();
  } catch (defect) {
    engine.defect(stream, defect);
  } finally {
    engine.turn.end();
  }
}
