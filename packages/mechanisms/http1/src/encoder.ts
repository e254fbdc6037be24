import type { ByteWriter, FieldTable } from '@tulle/fields';
import { findInvalidValue, LAST_FORBIDDEN_TRAILER } from '@tulle/fields';
import type { ErrorCode } from '@tulle/filter';
import { readProtocols } from './framing-fields.ts';
import { isValidAuthority, isValidMethod, isValidTarget } from './request-parts.ts';
import { BODY_CHUNKED, BODY_CLOSE, BODY_LENGTH, BODY_NONE, type BodyKind } from './head-flags.ts';
import { standardReason, standardStatusLine } from './status-reasons.ts';

/** Nothing is said: an HTTP/1.1 connection persists. */
export const CONNECTION_PERSIST = 0;
/** `Connection: close` */
export const CONNECTION_CLOSE = 1;
/** `Connection: keep-alive`, for HTTP/1.0 clients that asked for it. */
export const CONNECTION_KEEP_ALIVE = 2;
/** `Connection: upgrade` with `Upgrade`. */
export const CONNECTION_UPGRADE = 3;
export type ConnectionMode =
  | typeof CONNECTION_PERSIST
  | typeof CONNECTION_CLOSE
  | typeof CONNECTION_KEEP_ALIVE
  | typeof CONNECTION_UPGRADE;

/**
 * The framing decision for one outgoing message. The encoder writes Content-Length, Transfer-Encoding, Connection and
 * Upgrade from it alone; those lines of the table are the previous hop's and are never copied.
 */
export interface OutgoingFraming {
  bodyKind: BodyKind;
  /** With BODY_LENGTH. With BODY_NONE in answers to HEAD and in 304: the length to announce, -1 for none. */
  contentLength: number;
  connection: ConnectionMode;
  /** With CONNECTION_UPGRADE: the protocols, as `websocket`. */
  upgrade: string | undefined;
}

/** What a response must know of its request. */
export interface AnsweredRequest {
  readonly method: string;
  readonly minorVersion: 0 | 1;
}

/** Why nothing was written: what the engine or a filter asked for is not valid HTTP. Frozen and shared. */
export interface EncodeFault {
  readonly rule: 'method' | 'target' | 'authority' | 'status' | 'reason' | 'framing' | 'upgrade' | 'size';
  readonly code: ErrorCode;
  readonly reason: string;
}

const fault = (rule: EncodeFault['rule'], reason: string): EncodeFault =>
  Object.freeze({ rule, code: 'TULLE_HEADER_INVALID', reason });

const BAD_METHOD = fault('method', 'The outgoing method is not a token (RFC 9110 §9.1).');
const BAD_TARGET = fault(
  'target',
  'The outgoing target is no path with query, or has a character that must be percent-encoded (RFC 9112 §3.2).',
);
const BAD_AUTHORITY = fault(
  'authority',
  'The outgoing authority is not host[:port] (RFC 9110 §7.2); HTTP/1.1 needs one.',
);
const BAD_STATUS = fault('status', 'The outgoing status is not between 100 and 599.');
const BAD_REASON = fault('reason', 'The outgoing reason phrase has a control character.');
const BAD_FRAMING = fault(
  'framing',
  'The framing does not fit the message: no body for 1xx, 204, 304, HEAD and CONNECT; no 1xx for HTTP/1.0; lengths are whole numbers; an end for every other; chunked for HTTP/1.1 only; close-delimited with Connection: close only.',
);
const BAD_UPGRADE = fault('upgrade', 'Connection: upgrade needs the protocols (RFC 9110 §7.8).');

const VERSION_AND_HOST: Buffer = Buffer.from(' HTTP/1.1\r\nHost: ', 'latin1');
const CONTENT_LENGTH: Buffer = Buffer.from('Content-Length: ', 'latin1');
const CHUNKED: Buffer = Buffer.from('Transfer-Encoding: chunked\r\n', 'latin1');
const CLOSE: Buffer = Buffer.from('Connection: close\r\n', 'latin1');
const KEEP_ALIVE: Buffer = Buffer.from('Connection: keep-alive\r\n', 'latin1');
const UPGRADE: Buffer = Buffer.from('Connection: upgrade\r\nUpgrade: ', 'latin1');

/** `HTTP/1.1 100 Continue` with its empty line. Do not change it: it is shared. */
export const CONTINUE_RESPONSE: Buffer = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');

/**
 * Writes a request head as HTTP/1.1: request line, `Host`, framing, the table's other lines, empty line.
 * @param target path and query, `*` for OPTIONS, host:port for CONNECT
 * @param authority becomes Host, whatever the table says
 * @returns undefined, or why nothing was written
 */
export function writeRequestHead(
  out: ByteWriter,
  method: string,
  target: string,
  authority: string,
  fields: FieldTable,
  framing: OutgoingFraming,
): EncodeFault | undefined {
  if (!isValidMethod(method)) return BAD_METHOD;
  if (!isValidTarget(method, target)) return BAD_TARGET;
  if (!isValidAuthority(authority)) return BAD_AUTHORITY;
  if (framing.bodyKind === BODY_CLOSE || (framing.bodyKind !== BODY_NONE && method === 'CONNECT'))
    return BAD_FRAMING;
  if (framing.bodyKind === BODY_LENGTH && !isLength(framing.contentLength)) return BAD_FRAMING;
  if (framing.connection === CONNECTION_UPGRADE && !isUpgrade(framing.upgrade)) return BAD_UPGRADE;
  out.latin1(method);
  out.latin1(' ');
  out.latin1(target);
  out.bytes(VERSION_AND_HOST);
  out.latin1(authority);
  out.crlf();
  fields.writeLines(out);
  if (framing.bodyKind === BODY_LENGTH) writeLength(out, framing.contentLength);
  writeFraming(out, framing);
  return undefined;
}

/**
 * Writes a response head as HTTP/1.1.
 * @param reason '' or the standard phrase for the standard one
 * @returns undefined, or why nothing was written
 */
export function writeResponseHead(
  out: ByteWriter,
  request: AnsweredRequest,
  status: number,
  reason: string,
  fields: FieldTable,
  framing: OutgoingFraming,
): EncodeFault | undefined {
  if (!(status >= 100 && status <= 599) || !Number.isInteger(status)) return BAD_STATUS;
  const kind = framing.bodyKind;
  const empty =
    status < 200 ||
    status === 204 ||
    status === 304 ||
    request.method === 'HEAD' ||
    (request.method === 'CONNECT' && status < 300);
  if (empty !== (kind === BODY_NONE)) return BAD_FRAMING;
  if (kind === BODY_CHUNKED && request.minorVersion === 0) return BAD_FRAMING;
  if (kind === BODY_CLOSE && framing.connection !== CONNECTION_CLOSE) return BAD_FRAMING;
  if ((kind === BODY_LENGTH || framing.contentLength >= 0) && !isLength(framing.contentLength))
    return BAD_FRAMING;
  if (status < 200 && request.minorVersion === 0) return BAD_FRAMING;
  if (status === 101 && framing.connection !== CONNECTION_UPGRADE) return BAD_UPGRADE;
  if (framing.connection === CONNECTION_UPGRADE && !isUpgrade(framing.upgrade)) return BAD_UPGRADE;
  const line = standardStatusLine(status);
  if (line !== undefined && (reason === '' || reason === standardReason(status))) {
    out.bytes(line);
  } else {
    if (findInvalidValue(reason) >= 0) return BAD_REASON;
    out.latin1('HTTP/1.1 ');
    out.decimal(status);
    out.latin1(' ');
    out.latin1(reason);
    out.crlf();
  }
  fields.writeLines(out);
  // Content-Length may describe a body that is not sent, in answers to HEAD and in 304 (RFC 9110 §8.6), never in 1xx, 204 or CONNECT
  if (
    kind === BODY_LENGTH ||
    (framing.contentLength >= 0 &&
      (status === 304 || (request.method === 'HEAD' && status >= 200 && status !== 204)))
  ) {
    writeLength(out, framing.contentLength);
  }
  writeFraming(out, framing);
  return undefined;
}

function writeLength(out: ByteWriter, length: number): void {
  out.bytes(CONTENT_LENGTH);
  out.decimal(length);
  out.crlf();
}

function writeFraming(out: ByteWriter, framing: OutgoingFraming): void {
  if (framing.bodyKind === BODY_CHUNKED) out.bytes(CHUNKED);
  switch (framing.connection) {
    case CONNECTION_CLOSE:
      out.bytes(CLOSE);
      break;
    case CONNECTION_KEEP_ALIVE:
      out.bytes(KEEP_ALIVE);
      break;
    case CONNECTION_UPGRADE:
      out.bytes(UPGRADE);
      out.latin1(framing.upgrade as string);
      out.crlf();
      break;
    default:
  }
  out.crlf();
}

const isLength = (length: number): boolean => length >= 0 && Number.isSafeInteger(length);

const isUpgrade = (value: string | undefined): boolean =>
  value !== undefined && readProtocols(value) !== undefined;

/** Writes the size line of a chunk; `size` bytes and CR LF must follow. @param size at least 1: 0 would end the body */
export function writeChunkHeader(out: ByteWriter, size: number): void {
  if (!(size > 0 && Number.isSafeInteger(size)))
    throw new RangeError(
      `A chunk has at least one byte, not ${size}: an empty one ends the body (writeLastChunk).`,
    );
  out.hex(size);
  out.crlf();
}

/** Writes `chunk[start, end)` as one chunk; nothing when it is empty. */
export function writeChunk(out: ByteWriter, chunk: Uint8Array, start = 0, end: number = chunk.length): void {
  if (end <= start) return;
  writeChunkHeader(out, end - start);
  out.bytes(chunk, start, end);
  out.crlf();
}

/** Ends a chunked body, with trailers when there are any. Fields that may not be trailers are left out (RFC 9110 §6.5.1). */
export function writeLastChunk(out: ByteWriter, trailers?: FieldTable): void {
  out.latin1('0\r\n');
  if (trailers !== undefined && trailers.length > 0) trailers.writeLines(out, LAST_FORBIDDEN_TRAILER);
  out.crlf();
}
