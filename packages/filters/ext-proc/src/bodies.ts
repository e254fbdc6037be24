import { CONTINUE, setPseudoHeader, type HookResult, type HttpStream, type Verdict } from '@tulle/filter';
import type { ExtProcFilterConfig } from '@tulle/model';
import {
  CommonResponse_ResponseStatus as ResponseStatus,
  type CommonResponse,
  type ProcessingResponse,
} from './gen/envoy/service/ext_proc/v3/external_processor_pb.js';
import { putOnResponse } from './heads.ts';
import type { Processor } from './processor.ts';
import type { ProcState, Side } from './state.ts';

/** A piece of a body came, or the whole where it is collected. */
export function bodyPiece(
  processor: Processor,
  side: Side,
  stream: HttpStream,
  config: ExtProcFilterConfig,
  state: ProcState,
  bytes: Uint8Array,
  end: boolean,
): HookResult {
  const own = state[side];
  const collected = own.fate === 'buffered' || own.fate === 'partial';
  if (own.fate === 'replaced') {
    if (end && own.replacement !== undefined) stream.emit(own.replacement);
    return CONTINUE;
  }
  if (state.done || own.done) return pass(stream, bytes, collected);
  if (own.fate === 'buffered' && !end) {
    processor.leave(state);
    return tooLarge(side, stream);
  }
  const trailers = end && hasTrailers(side, stream);
  // That nothing more comes is told with the trailers then.
  if (!collected && bytes.length === 0 && trailers) return CONTINUE;
  return tell(processor, side, stream, config, state, bytes, end && !trailers);
}

/** @param collected a hook that collects passes what it does not replace; one that streams emits it */
function pass(stream: HttpStream, bytes: Uint8Array, collected: boolean): Verdict {
  if (!collected) stream.emit(bytes);
  return CONTINUE;
}

function tooLarge(side: Side, stream: HttpStream): Verdict {
  return side === 'request'
    ? stream.abort('TULLE_BODY_TOO_LARGE', 'request_payload_too_large{ext_proc}')
    : stream.abort('TULLE_UPSTREAM_PROTOCOL', 'response_payload_too_large{ext_proc}');
}

function hasTrailers(side: Side, stream: HttpStream): boolean {
  return (side === 'request' ? stream.request : stream.response).trailers.length > 0;
}

async function tell(
  processor: Processor,
  side: Side,
  stream: HttpStream,
  config: ExtProcFilterConfig,
  state: ProcState,
  bytes: Uint8Array,
  endOfStream: boolean,
): Promise<Verdict> {
  const own = state[side];
  const collected = own.fate === 'buffered' || own.fate === 'partial';
  const value = { body: bytes, endOfStream };
  const told = await processor.tell(
    side,
    side === 'request' ? { case: 'requestBody', value } : { case: 'responseBody', value },
    stream,
    config,
    state,
    side === 'response' && !collected,
  );
  if (told.kind === 'gone') return CONTINUE;
  if (side === 'response') state.begun = true;
  if (told.kind === 'verdict')
    return told.verdict === CONTINUE ? pass(stream, bytes, collected) : told.verdict;
  const common = commonOf(told.response);
  if (side === 'request' && collected && asksForRoute(common, config)) {
    const message = 'it asks for another route with the answer to a body; it must ask with that to the head';
    const failed = processor.fail('invalid', message, stream, config, state);
    return failed === CONTINUE ? pass(stream, bytes, collected) : failed;
  }
  // The head has left where the body is told piece by piece.
  if (collected) {
    const changed =
      side === 'request'
        ? processor.change(
            common?.headerMutation,
            stream.request.headers,
            (name, value) => setPseudoHeader(stream.request, name, value),
            stream,
            config,
            state,
          )
        : processor.change(
            common?.headerMutation,
            stream.response.headers,
            (name, value) => putOnResponse(stream, name, value),
            stream,
            config,
            state,
          );
    if (changed !== undefined) return changed;
  }
  if (common?.status === ResponseStatus.CONTINUE_AND_REPLACE) own.done = true;
  const { case: kind, value: said } = common?.bodyMutation?.mutation ?? {};
  if (kind === 'body') stream.emit(said as Uint8Array);
  else if (kind === 'clearBody' && said === true) stream.emit(new Uint8Array());
  else return pass(stream, bytes, collected);
  return CONTINUE;
}

/**
 * Whether the route was to be matched again by changed fields (Envoy heeds it with changes alone). It is chosen, and its rewrites are
 * made, before a body is collected: to go on by the old one would send the request elsewhere than was asked.
 */
function asksForRoute(common: CommonResponse | undefined, { rematch }: ExtProcFilterConfig): boolean {
  return common?.clearRouteCache === true && common.headerMutation !== undefined && rematch !== 'never';
}

function commonOf({ response }: ProcessingResponse): CommonResponse | undefined {
  return response.case === 'requestBody' || response.case === 'responseBody'
    ? response.value.response
    : undefined;
}
