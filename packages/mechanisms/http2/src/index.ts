/**
 * HTTP/2 without sockets: bytes in, events out; strict by RFC 9113 and RFC 7541 both ways.
 * @packageDocumentation
 */
export { HPACK_FAULTS } from './hpack/faults.ts';
export type { HpackFault, HpackRule } from './hpack/faults.ts';
export { HpackDecoder } from './hpack/decoder.ts';
export { HpackEncoder, INDEX, NEVER_INDEX, NO_INDEX } from './hpack/encoder.ts';
export type { Indexing } from './hpack/encoder.ts';
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
