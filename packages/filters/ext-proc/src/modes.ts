import type { ExtProcBodyMode, ExtProcMode } from '@tulle/model';
import {
  ProcessingMode_BodySendMode as BodySendMode,
  ProcessingMode_HeaderSendMode as HeaderSendMode,
  type ProcessingMode,
} from './gen/envoy/extensions/filters/http/ext_proc/v3/processing_mode_pb.js';

/** What the service is told of, all of it said. */
export type Modes = Required<ExtProcMode>;

export const DEFAULT_MODES: Modes = Object.freeze({
  requestHeaders: 'send',
  responseHeaders: 'send',
  requestBody: 'none',
  responseBody: 'none',
  requestTrailers: 'skip',
  responseTrailers: 'skip',
});

/** A mode that the service chose for what follows. The head of a request has passed by then. */
export function chosenModes(message: ProcessingMode, before: Modes): Modes {
  return {
    requestHeaders: before.requestHeaders,
    responseHeaders: message.responseHeaderMode === HeaderSendMode.SKIP ? 'skip' : 'send',
    requestBody: BODIES[message.requestBodyMode] ?? 'none',
    responseBody: BODIES[message.responseBodyMode] ?? 'none',
    requestTrailers: message.requestTrailerMode === HeaderSendMode.SEND ? 'send' : 'skip',
    responseTrailers: message.responseTrailerMode === HeaderSendMode.SEND ? 'send' : 'skip',
  };
}

/** Whether a mode is the one that was chosen, but for the head of the request, which has passed. */
export function isSameMode(allowed: ExtProcMode, chosen: Modes): boolean {
  const whole: Modes = { ...DEFAULT_MODES, ...allowed };
  return (Object.keys(DEFAULT_MODES) as (keyof Modes)[]).every(
    (part) => part === 'requestHeaders' || whole[part] === chosen[part],
  );
}

/** A mode that is not here is not spoken: such a body is not sent. */
const BODIES: Readonly<Partial<Record<BodySendMode, ExtProcBodyMode>>> = {
  [BodySendMode.NONE]: 'none',
  [BodySendMode.STREAMED]: 'streamed',
  [BodySendMode.BUFFERED]: 'buffered',
  [BodySendMode.BUFFERED_PARTIAL]: 'buffered-partial',
};
