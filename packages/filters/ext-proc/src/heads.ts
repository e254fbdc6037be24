import { CONTINUE, setPseudoHeader, type HookResult, type HttpStream, type Verdict } from '@tulle/filter';
import type { ExtProcFilterConfig } from '@tulle/model';
import {
  CommonResponse_ResponseStatus as ResponseStatus,
  type BodyMutation,
  type ProcessingResponse,
} from './gen/envoy/service/ext_proc/v3/external_processor_pb.js';
import { chosenModes, DEFAULT_MODES, isSameMode } from './modes.ts';
import { requestHead, responseHead } from './messages.ts';
import type { Processor } from './processor.ts';
import type { BodyFate, ProcState, Side } from './state.ts';

/** A request's head came. */
export function requestPassed(
  processor: Processor,
  stream: HttpStream,
  config: ExtProcFilterConfig,
  state: ProcState,
): HookResult {
  state.modes = processor.compiled(config).modes;
  if (state.modes.requestHeaders === 'skip') return decide('request', stream, state, CONTINUE);
  return tellRequest(processor, stream, config, state);
}

async function tellRequest(
  processor: Processor,
  stream: HttpStream,
  config: ExtProcFilterConfig,
  state: ProcState,
): Promise<Verdict> {
  const headers = requestHead(stream, processor.compiled(config).sent);
  const endOfStream = !stream.request.hasBody;
  const told = await processor.tell(
    'request',
    { case: 'requestHeaders', value: { headers, endOfStream } },
    stream,
    config,
    state,
  );
  if (told.kind === 'gone') return CONTINUE;
  if (told.kind === 'verdict') return decide('request', stream, state, told.verdict);
  const { response } = told;
  const common = response.response.case === 'requestHeaders' ? response.response.value.response : undefined;
  const { request } = stream;
  const changed = processor.change(
    common?.headerMutation,
    request.headers,
    (name, value) => setPseudoHeader(request, name, value),
    stream,
    config,
    state,
  );
  if (changed !== undefined) return decide('request', stream, state, changed);
  takeModes(config, state, response);
  const { rematch = 'asked' } = config;
  if (rematch === 'always' || (rematch === 'asked' && common?.clearRouteCache === true)) stream.rematch();
  if (common?.status === ResponseStatus.CONTINUE_AND_REPLACE) {
    if (!request.hasBody && common.bodyMutation?.mutation.case === 'body')
      return decide(
        'request',
        stream,
        state,
        processor.fail('invalid', 'it gives a body to a request that has none', stream, config, state),
      );
    replace('request', state, common.bodyMutation);
  }
  return decide('request', stream, state, CONTINUE);
}

/** A response's head came. */
export function responsePassed(
  processor: Processor,
  stream: HttpStream,
  config: ExtProcFilterConfig,
  state: ProcState,
): HookResult {
  // The answer to what was refused before any filter saw its head.
  if (state.modes === DEFAULT_MODES) state.modes = processor.compiled(config).modes;
  if (state.done || state.modes.responseHeaders === 'skip')
    return decide('response', stream, state, CONTINUE);
  return tellResponse(processor, stream, config, state);
}

async function tellResponse(
  processor: Processor,
  stream: HttpStream,
  config: ExtProcFilterConfig,
  state: ProcState,
): Promise<Verdict> {
  const headers = responseHead(stream, processor.compiled(config).sent);
  const told = await processor.tell(
    'response',
    { case: 'responseHeaders', value: { headers, endOfStream: isBodiless(stream) } },
    stream,
    config,
    state,
  );
  if (told.kind === 'gone') return CONTINUE;
  if (told.kind === 'verdict') return decide('response', stream, state, told.verdict);
  const { response } = told;
  const common = response.response.case === 'responseHeaders' ? response.response.value.response : undefined;
  const changed = processor.change(
    common?.headerMutation,
    stream.response.headers,
    (name, value) => putOnResponse(stream, name, value),
    stream,
    config,
    state,
  );
  if (changed !== undefined) return decide('response', stream, state, changed);
  takeModes(config, state, response);
  if (common?.status === ResponseStatus.CONTINUE_AND_REPLACE) replace('response', state, common.bodyMutation);
  return decide('response', stream, state, CONTINUE);
}

function isBodiless({ request, response: { status, bodyLength } }: HttpStream): boolean {
  return request.method === 'HEAD' || status === 204 || status === 304 || bodyLength === 0;
}

/** Envoy lets a service give another status. */
export function putOnResponse(stream: HttpStream, name: string, value: string): boolean {
  if (name !== ':status' || !/^[2-5]\d\d$/.test(value)) return false;
  stream.response.status = Number(value);
  return true;
}

function takeModes(
  config: ExtProcFilterConfig,
  state: ProcState,
  { modeOverride }: ProcessingResponse,
): void {
  if (config.allowModeOverride !== true || modeOverride === undefined) return;
  const chosen = chosenModes(modeOverride, state.modes);
  if (config.allowedModes?.some((one) => isSameMode(one, chosen)) !== false) state.modes = chosen;
}

/** The service is told no more of this direction, and what comes of its body is known. */
function replace(side: Side, state: ProcState, mutation: BodyMutation | undefined): void {
  state[side].done = true;
  const { case: kind, value } = mutation?.mutation ?? {};
  if (kind === 'body') state[side].replacement = Uint8Array.from(value as Uint8Array);
  else if (kind === 'clearBody' && value === true) state[side].replacement = new Uint8Array();
}

/** Chooses how the body comes, when its head has passed. */
function decide(side: Side, stream: HttpStream, state: ProcState, verdict: Verdict): Verdict {
  if (verdict !== CONTINUE) return verdict;
  const fate = (state[side].fate = fateOf(side, state));
  const collected = fate === 'buffered' || fate === 'partial';
  if (side === 'request') {
    if (!stream.request.hasBody || collected) return verdict;
    if (fate === 'passes') stream.passRequestBody();
    else stream.streamRequestBody();
    return verdict;
  }
  state.begun = !collected;
  if (fate === 'passes') stream.passResponseBody();
  else if (!collected) stream.streamResponseBody();
  return verdict;
}

function fateOf(side: Side, state: ProcState): BodyFate {
  if (state[side].replacement !== undefined) return 'replaced';
  if (state.done || state[side].done) return 'passes';
  const mode = side === 'request' ? state.modes.requestBody : state.modes.responseBody;
  switch (mode) {
    case 'none':
      return 'passes';
    case 'buffered-partial':
      return 'partial';
    default:
      return mode;
  }
}
