import { CONTINUE, type HookResult, type HttpStream, type Verdict } from '@tulle/filter';
import type { ExtProcFilterConfig } from '@tulle/model';
import { trailersOf } from './messages.ts';
import type { Processor } from './processor.ts';
import type { ProcState, Side } from './state.ts';

/** A message ended with trailers. */
export function trailersPassed(
  processor: Processor,
  side: Side,
  stream: HttpStream,
  config: ExtProcFilterConfig,
  state: ProcState,
): HookResult {
  const mode = side === 'request' ? state.modes.requestTrailers : state.modes.responseTrailers;
  if (mode === 'skip' || state.done || state[side].done) return CONTINUE;
  return tell(processor, side, stream, config, state);
}

async function tell(
  processor: Processor,
  side: Side,
  stream: HttpStream,
  config: ExtProcFilterConfig,
  state: ProcState,
): Promise<Verdict> {
  const { trailers } = side === 'request' ? stream.request : stream.response;
  const value = { trailers: trailersOf(trailers, processor.compiled(config).sent) };
  const told = await processor.tell(
    side,
    side === 'request' ? { case: 'requestTrailers', value } : { case: 'responseTrailers', value },
    stream,
    config,
    state,
    side === 'response',
  );
  if (told.kind === 'gone') return CONTINUE;
  if (told.kind === 'verdict') return told.verdict;
  const { response } = told.response;
  if (response.case !== 'requestTrailers' && response.case !== 'responseTrailers') return CONTINUE;
  const changed = processor.change(
    response.value.headerMutation,
    trailers,
    () => false,
    stream,
    config,
    state,
  );
  return changed ?? CONTINUE;
}
