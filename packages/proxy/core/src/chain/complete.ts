import type { Services } from '../services.ts';
import type { Stream } from '../stream/stream.ts';
import { AT_END } from '../stream/stream.ts';
import type { CompleteStep, FilterInstance } from './tables.ts';
import { stateOf, viewOf } from './run.ts';
import type { CountedRequest } from '../upstream/route-metrics.ts';
import { disown, isThenable, messageOf } from '../thenable.ts';

/** Ends the stream when both directions are over. */
export function completeIfOver(stream: Stream): void {
  if (stream.responseEnded && stream.requestReceived && stream.phase !== AT_END) completeStream(stream);
}

/**
 * The end of a stream, however it came about, once: complete hooks, the record, and the object goes back to its pool.
 */
export function completeStream(stream: Stream): void {
  if (!stream.live || stream.phase === AT_END) return;
  const { engine, downstream, chain } = stream;
  conclude(stream);
  stream.reset();
  chain.release();
  engine.streams.ended(stream);
  downstream.streamDone(stream);
}

/**
 * The end of a stream whose caller goes on waiting: the same object begins anew for the same request, in the newest chain of its
 * place. What is to be kept of it is read before.
 */
export function beginOver(stream: Stream): void {
  const { engine, downstream, chain } = stream;
  const next = chain.place?.current ?? chain;
  conclude(stream);
  stream.reset();
  engine.streams.active--;
  stream.begin(downstream, next, engine.turn.nowMs);
  chain.release();
}

/** Whatever is done once a stream: complete hooks and its record. */
function conclude(stream: Stream): void {
  const { engine, chain, cluster } = stream;
  stream.phase = AT_END;
  stream.engine.doors.cancelAttempt(stream);
  if (stream.mirrors !== undefined) stream.mirrors.leave();
  if (stream.admitted) cluster?.leave(stream.highPriority);
  const { complete } = stream.table;
  if (complete !== null)
    for (let i = 0; i < complete.length; i++) runComplete(stream, complete[i] as CompleteStep);
  if (stream.retired.length > 0)
    for (const { filter, config } of stream.retired) retireFilter(stream, filter, config);
  if (stream.counters.length > 0) count(stream);
  if (!chain.internal) {
    engine.recorder.record(stream);
    engine.decisions.keep(stream);
  }
  giveStatesBack(stream);
  stream.view?.revoke();
  stream.requestPipe?.revoke();
  stream.responsePipe?.revoke();
}

/** What endpoints were never asked about is nothing of theirs. */
function count(stream: Stream): void {
  const { attemptCount, code } = stream;
  if (attemptCount === 0) return;
  const request: CountedRequest = {
    status: stream.responseStarted || stream.responseEnded ? stream.status : 0,
    attempts: attemptCount,
    retryRefused: stream.retryRefused,
    answered: !stream.responseLocal,
    timedOut: code === 'TULLE_REQUEST_TIMEOUT',
    serviceMs: stream.upstreamServiceMs,
  };
  for (const counters of stream.counters) counters.completed(request);
}

function runComplete(stream: Stream, step: CompleteStep): void {
  const { filter } = step;
  stream.slot = filter.slot;
  try {
    const result: unknown = step.run(
      stream.view ?? viewOf(stream),
      step.config,
      filter.states === undefined ? undefined : stateOf(stream, filter),
    );
    if (result === undefined || !isThenable(result)) return;
    const { engine, requestId } = stream;
    disown(result, (message, error) => completeFailed(engine, filter, requestId, message, error));
    // The late continuation may still touch its state, which must be nobody else's then.
    if (stream.states !== undefined) stream.states[filter.slot] = undefined;
  } catch (error) {
    completeFailed(stream.engine, filter, stream.requestId, messageOf(error), error);
  }
}

function completeFailed(
  engine: Services,
  filter: FilterInstance,
  requestId: string,
  message: string,
  error: unknown,
): void {
  filter.errors.add();
  engine.log.error(`filter ${filter.name} failed in complete: ${message}`, {
    filter: filter.name,
    requestId,
    stack: error instanceof Error ? error.stack : undefined,
  });
}

/** A filter that ran before a rematch took it off the table. */
function retireFilter(stream: Stream, filter: FilterInstance, config: unknown): void {
  const hook = filter.hooks.complete;
  if (hook !== undefined) runComplete(stream, { filter, config, run: hook.bind(filter.hooks) });
}

/** Resets the filters' states for the next stream. With a promise pending, its filter may still use them: they are dropped. */
function giveStatesBack(stream: Stream): void {
  const { states } = stream;
  if (states === undefined) return;
  if (stream.pendingHooks > 0) {
    stream.states = undefined;
    return;
  }
  const { filters } = stream.chain.filters;
  for (let slot = 0; slot < states.length; slot++) {
    const state = states[slot];
    if (state === undefined) continue;
    states[slot] = undefined;
    const filter = filters[slot];
    if (filter?.states === undefined) continue;
    try {
      filter.definition.state?.reset(state);
      if (filter.states.length < MAX_SPARE_STATES) filter.states.push(state);
    } catch {
      filter.errors.add();
    }
  }
}

/** States kept for each filter; as many streams may be under way at a time without making new ones. */
const MAX_SPARE_STATES = 1024;
