/**
 * HTTP field tables: interned names, latin1 values, repeated fields kept apart; bytes out of bytes where nobody edited.
 * @packageDocumentation
 */
export { ByteWriter } from './byte-writer.ts';
export { FieldTable } from './field-table.ts';
export {
  FIELD_CONNECTION,
  FIELD_CONTENT_LENGTH,
  FIELD_EXPECT,
  FIELD_HOST,
  FIELD_HTTP2_SETTINGS,
  FIELD_KEEP_ALIVE,
  FIELD_PROXY_AUTHENTICATE,
  FIELD_PROXY_AUTHORIZATION,
  FIELD_PROXY_CONNECTION,
  FIELD_TE,
  FIELD_TRAILER,
  FIELD_TRANSFER_ENCODING,
  FIELD_UPGRADE,
  FIELD_X_REQUEST_ID,
  KNOWN_NAMES,
  knownNameId,
  LAST_FORBIDDEN_TRAILER,
  LAST_FRAMING,
} from './known-names.ts';
export { latin1Slice, latin1Write } from './latin1.ts';
export { findName, nameIdOf, nameOf } from './name-cache.ts';
export { FIELD_VALUE, findInvalidName, findInvalidValue, TOKEN_LOWER, trimBlanks } from './octets.ts';
