/**
 * HTTP/1.1 without sockets: bytes in, events out; strict by RFC 9112 both ways.
 * @packageDocumentation
 */
export { DEFAULT_LIMITS } from './limits.ts';
export type { Http1Limits } from './limits.ts';
export { REQUEST_FAULTS, RESPONSE_FAULTS } from './faults.ts';
export type { Http1Fault, Http1Rule } from './faults.ts';
export {
  BODY_CHUNKED,
  BODY_CLOSE,
  BODY_LENGTH,
  BODY_NONE,
  TARGET_ABSOLUTE,
  TARGET_ASTERISK,
  TARGET_AUTHORITY,
  TARGET_ORIGIN,
} from './head-flags.ts';
export { MessageHead, RequestHead, ResponseHead } from './heads.ts';
export type { BodyKind, TargetForm } from './head-flags.ts';
export { stripHopByHop } from './framing-fields.ts';
export { MessageDecoder } from './message-decoder.ts';
export type { DecoderPhase } from './message-decoder.ts';
export { RequestDecoder } from './request-decoder.ts';
export { ResponseDecoder } from './response-decoder.ts';
export type { MessageSink, RequestSink, ResponseSink } from './sinks.ts';
export {
  CONNECTION_CLOSE,
  CONNECTION_KEEP_ALIVE,
  CONNECTION_PERSIST,
  CONNECTION_UPGRADE,
  CONTINUE_RESPONSE,
  writeChunk,
  writeChunkHeader,
  writeLastChunk,
  writeRequestHead,
  writeResponseHead,
} from './encoder.ts';
export type { AnsweredRequest, ConnectionMode, EncodeFault, OutgoingFraming } from './encoder.ts';
export { sameAuthority } from './absolute-target.ts';
export { isValidAuthority, isValidMethod, isValidTarget, KNOWN_METHODS } from './request-parts.ts';
export { standardReason } from './status-reasons.ts';
