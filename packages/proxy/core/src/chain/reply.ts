import { errorRow, STOP, TulleError, type ErrorCode } from '@tulle/filter';
import { BODY_LENGTH, BODY_NONE } from '@tulle/http1';
import { markUnsent } from '../attempts/unsent-marker.ts';
import { isGrpcCall } from '../grpc/grpc-call.ts';
import { shapeGrpcReply } from '../grpc/grpc-reply.ts';
import { editFields } from './edits.ts';
import { shapeReply } from './local-replies.ts';
import { SITE_REPLY } from '../stream/sites.ts';
import type { Stream } from '../stream/stream.ts';
import { copyBytes, NO_BYTES } from '../bytes.ts';

/**
 * Local replies: what Tulle answers itself. They are only written down here; the walk carries them
 * out when the hook has returned.
 */

/** `stream.reply()` of a filter, in the place of what the route would answer: with the fields that the route adds. */
export function recordRefusal(
  stream: Stream,
  status: number,
  code: string,
  body: string | Uint8Array | undefined,
  headers: readonly string[] | undefined,
  details: string | undefined,
): typeof STOP {
  checkReply(stream, status, code, headers);
  recordLocal(stream, status, code, details);
  beginFields(stream);
  writeReply(stream, status, code, body, headers);
  return STOP;
}

/** An answer of the route itself, or of the protocol. */
export function recordReply(
  stream: Stream,
  status: number,
  code: string,
  body: string,
  headers: readonly string[] | undefined,
  details: string | undefined,
): void {
  checkReply(stream, status, code, headers);
  recordLocal(stream, status, code, details);
  stream.localFields.reset();
  writeReply(stream, status, code, body, headers);
}

function checkReply(
  stream: Stream,
  status: number,
  code: string,
  headers: readonly string[] | undefined,
): void {
  if (stream.responseStarted) {
    throw new TulleError(
      'TULLE_INTERNAL',
      `stream.reply(${status}, ${code}) came after the response had begun; reply from a request hook or from responseHeaders.`,
    );
  }
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new TulleError(
      'TULLE_INTERNAL',
      `stream.reply(${String(status)}, …): give a status from 200 to 599.`,
    );
  }
  if (headers !== undefined && headers.length % 2 !== 0)
    throw new TulleError(
      'TULLE_HEADER_INVALID',
      'stream.reply(): headers are [name, value, …]; there is a name without a value.',
    );
}

/** The answer's own fields and text. What a route says of its backend's content is not said of another text. */
function writeReply(
  stream: Stream,
  status: number,
  code: string,
  body: string | Uint8Array | undefined,
  headers: readonly string[] = [],
): void {
  const fields = stream.localFields;
  fields.drop('content-type');
  // Where both say a field, the answer's word holds; cookies are apart from each other.
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (name !== 'set-cookie') fields.drop(name);
  }
  for (let i = 0; i < headers.length; i += 2)
    fields.append((headers[i] as string).toLowerCase(), headers[i + 1] as string);
  const text = body ?? (status < 300 || status === 304 ? '' : `${code} (request ${stream.requestId})\n`);
  stream.replyBody = text === '' ? NO_BYTES : copyBytes(text);
  if (typeof text === 'string' && text !== '' && !fields.has('content-type'))
    fields.add('content-type', 'text/plain; charset=utf-8');
}

/**
 * A failure that the error table describes, with the fields that the route adds.
 * @param ownStatus where a rule has another status than the row
 */
export function recordFailure(
  stream: Stream,
  code: ErrorCode,
  details: string | undefined,
  ownStatus?: number,
): void {
  recordBareFailure(stream, code, details, ownStatus);
  beginFields(stream);
  stream.localFields.put('content-type', 'text/plain; charset=utf-8');
}

/** The same with nothing of the route, whose fields may be what failed. */
export function recordBareFailure(
  stream: Stream,
  code: ErrorCode,
  details: string | undefined,
  ownStatus?: number,
): void {
  const row = errorRow(code);
  const status = ownStatus ?? (row === undefined || row.http === 0 ? 500 : row.http);
  recordLocal(stream, status, code, details);
  stream.replyBody = copyBytes(`${code} (request ${stream.requestId})\n`);
  stream.localFields.reset();
  stream.localFields.add('content-type', 'text/plain; charset=utf-8');
}

function recordLocal(stream: Stream, status: number, code: string, details: string | undefined): void {
  const row = errorRow(code);
  stream.code = code;
  stream.details = details ?? row?.details ?? '';
  if (row !== undefined) {
    stream.flag(row.flag);
    stream.note(SITE_REPLY, row.reason, status);
  } else stream.note(SITE_REPLY, 0, status);
  stream.status = status;
  stream.ownReason = false;
  stream.replyPending = true;
}

/**
 * An answer in the place of a route's backend begins with what the route, or the backend that was chosen, adds to answers, and has
 * its own fields on top, as in Envoy.
 */
function beginFields(stream: Stream): void {
  const { localFields, route, target } = stream;
  localFields.reset();
  if (route?.action.kind === 'forward') editFields(stream, localFields, (target ?? route).responseEdits);
}

/** Makes the recorded reply the stream's response. */
export function adoptReply(stream: Stream): void {
  stream.replyPending = false;
  stream.responseLocal = true;
  stream.responseFields = stream.localFields;
  stream.responseTrailers = undefined;
  const { localReplies } = stream.chain.settings;
  if (localReplies !== undefined) shapeReply(stream, localReplies);
  if (stream.status >= 500) markUnsent(stream);
  // Asked anew: filters before this one may have made it one, or none.
  stream.grpc = isGrpcCall(stream);
  if (stream.grpc) shapeGrpcReply(stream);
  const { status } = stream;
  const body = stream.replyBody ?? NO_BYTES;
  if (status === 204 || status === 304) {
    stream.responseBodyKind = BODY_NONE;
    stream.responseLength = -1;
    stream.replyBody = NO_BYTES;
  } else if (stream.method === 'HEAD') {
    stream.responseBodyKind = BODY_NONE;
    // Without a text nothing says how long GET's would be, and another length than that must not be said (RFC 9110 §8.6).
    stream.responseLength = body.length === 0 ? -1 : body.length;
    stream.replyBody = NO_BYTES;
  } else {
    stream.responseBodyKind = BODY_LENGTH;
    stream.responseLength = body.length;
  }
}
