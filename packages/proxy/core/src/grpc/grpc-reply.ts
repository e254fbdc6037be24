import type { FieldTable } from '@tulle/fields';
import { errorRow } from '@tulle/filter';
import { isGrpcContentType } from '@tulle/match';
import { copyBytes, NO_BYTES } from '../bytes.ts';
import { SITE_GRPC_STATUS } from '../stream/sites.ts';
import type { Stream } from '../stream/stream.ts';
import { encodeGrpcMessage } from './grpc-message.ts';
import { GRPC_UNKNOWN, grpcStatusOfReply, readGrpcStatus } from './grpc-status.ts';

/**
 * A recorded local reply in the form that gRPC callers read: 200, no body, and status and message in the head
 * ("trailers-only"). The body becomes the message. A filter that answers as gRPC itself is left alone.
 */
export function shapeGrpcReply(stream: Stream): void {
  const fields = stream.localFields;
  if (isGrpcContentType(fields.get('content-type'))) return;
  fields.put('content-type', 'application/grpc');
  if (!fields.has('grpc-status'))
    fields.put('grpc-status', String(grpcStatusOfReply(stream.code, stream.status)));
  const message = encodeGrpcMessage(stream.replyBody ?? NO_BYTES);
  if (message !== '' && !fields.has('grpc-message')) fields.put('grpc-message', message);
  stream.note(SITE_GRPC_STATUS, readGrpcStatus(fields), stream.status);
  stream.status = 200;
  stream.ownReason = false;
  stream.replyBody = NO_BYTES;
}

/**
 * Whether the response under way can end with a status of Tulle's own: a gRPC caller that is still there and takes what
 * comes, and a body whose end is not told by its length.
 */
export function canEndAsGrpc(stream: Stream): boolean {
  const { downstream, responseFields } = stream;
  return (
    stream.grpc &&
    stream.code !== '' &&
    !stream.responseEnded &&
    !stream.responseLocal &&
    stream.responsePipe === undefined &&
    stream.responseLength < 0 &&
    stream.requestHead.minorVersion !== 0 &&
    downstream.open &&
    !downstream.full &&
    isGrpcContentType(responseFields.get('content-type'))
  );
}

/** Trailers that end a call whose response broke. */
export function writeGrpcTrailers(stream: Stream, trailers: FieldTable): void {
  trailers.reset();
  const status = errorRow(stream.code)?.grpc ?? GRPC_UNKNOWN;
  trailers.put('grpc-status', String(status));
  const message = stream.details === '' ? stream.code : `${stream.code}: ${stream.details}`;
  trailers.put('grpc-message', encodeGrpcMessage(copyBytes(`${message} (request ${stream.requestId})`)));
  stream.note(SITE_GRPC_STATUS, status, 0);
}
