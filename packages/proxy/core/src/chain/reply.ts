import { errorRow, STOP, TulleError, type ErrorCode } from '@tulle/filter';
import { BODY_LENGTH, BODY_NONE } from '@tulle/http1';
import { markUnsent } from '../attempts/unsent-marker.ts';
import { isGrpcCall } from '../grpc/grpc-call.ts';
import { shapeGrpcReply } from '../grpc/grpc-reply.ts';
import { shapeReply } from './local-replies.ts';
import { SITE_REPLY } from '../stream/sites.ts';
import type { Stream } from '../stream/stream.ts';
import { copyBytes, NO_BYTES } from '../bytes.ts';

/**
 * Local replies: what Tulle answers itself. `recordReply` only writes down what will be answered; the walk carries it
 * out when the hook has returned.
 */

/** `stream.reply()` of a filter. */
export function recordReply(
  stream: Stream,
  status: number,
  code: string,
  body: string | Uint8Array | undefined,
  headers: readonly string[] | undefined,
  details: string | undefined,
): typeof STOP {
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
  const fields = stream.localFields;
  fields.reset();
  let hasType = false;
  if (headers !== undefined) {
    if (headers.length % 2 !== 0)
      throw new TulleError(
        'TULLE_HEADER_INVALID',
        'stream.reply(): headers are [name, value, …]; there is a name without a value.',
      );
    for (let i = 0; i < headers.length; i += 2) {
      const name = (headers[i] as string).toLowerCase();
      if (name === 'content-type') hasType = true;
      fields.append(name, headers[i + 1] as string);
    }
  }
  recordLocal(stream, status, code, details);
  const text = body ?? (status < 300 || status === 304 ? '' : `${code} (request ${stream.requestId})\n`);
  stream.replyBody = text === '' ? NO_BYTES : copyBytes(text);
  if (!hasType && typeof text === 'string' && text !== '')
    fields.add('content-type', 'text/plain; charset=utf-8');
  return STOP;
}

/** A failure that the error table describes. @param ownStatus where a rule has another status than the row */
export function recordFailure(
  stream: Stream,
  code: ErrorCode,
  details: string | undefined,
  ownStatus?: number,
): void {
  const row = errorRow(code);
  const status = ownStatus ?? (row === undefined || row.http === 0 ? 500 : row.http);
  stream.localFields.reset();
  recordLocal(stream, status, code, details);
  stream.replyBody = copyBytes(`${code} (request ${stream.requestId})\n`);
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
    stream.responseLength = body.length;
    stream.replyBody = NO_BYTES;
  } else {
    stream.responseBodyKind = BODY_LENGTH;
    stream.responseLength = body.length;
  }
}
