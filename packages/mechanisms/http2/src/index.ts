/**
 * HTTP/2 without sockets: bytes in, events out; strict by RFC 9113 and RFC 7541 both ways.
 * @packageDocumentation
 */
export { HPACK_FAULTS } from './hpack/faults.ts';
export type { HpackFault, HpackRule } from './hpack/faults.ts';
export { DEFAULT_TABLE_BYTES, HpackDecoder } from './hpack/decoder.ts';
export { HpackEncoder } from './hpack/encoder.ts';
export type { HpackEncoderOptions } from './hpack/encoder.ts';
export { INDEX, NEVER_INDEX, NO_INDEX } from './hpack/indexing.ts';
export type { Indexing } from './hpack/indexing.ts';
export type { HpackFieldSink, InvalidFieldRule } from './hpack/sink.ts';
export {
  PSEUDO_AUTHORITY,
  PSEUDO_METHOD,
  PSEUDO_PATH,
  PSEUDO_PROTOCOL,
  PSEUDO_SCHEME,
  PSEUDO_STATUS,
  PSEUDO_UNKNOWN,
} from './hpack/pseudo.ts';
export { ClientSession } from './client-session.ts';
export type { FrameOutput, Http2Events, ResetCause, StreamHead } from './events.ts';
export { CLIENT_FAULTS, SERVER_FAULTS } from './faults.ts';
export type { FaultScope, Http2Fault, Http2Rule } from './faults.ts';
export { DEFAULT_OPTIONS } from './options.ts';
export type { FloodBudget, Http2Options } from './options.ts';
export { ServerSession } from './server-session.ts';
export { Http2Session } from './session.ts';
export { Http2Stream } from './stream.ts';
export {
  CLIENT_PREFACE,
  errorCodeName,
  H2_CANCEL,
  H2_COMPRESSION_ERROR,
  H2_CONNECT_ERROR,
  H2_ENHANCE_YOUR_CALM,
  H2_FLOW_CONTROL_ERROR,
  H2_FRAME_SIZE_ERROR,
  H2_HTTP_1_1_REQUIRED,
  H2_INADEQUATE_SECURITY,
  H2_INTERNAL_ERROR,
  H2_NO_ERROR,
  H2_PROTOCOL_ERROR,
  H2_REFUSED_STREAM,
  H2_SETTINGS_TIMEOUT,
  H2_STREAM_CLOSED,
} from './wire.ts';
