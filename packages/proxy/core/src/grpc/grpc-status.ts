import { knownNameId, type FieldTable } from '@tulle/fields';
import { errorRow } from '@tulle/filter';
import { grpcStatusOfHttp } from '@tulle/telemetry';
import type { Stream } from '../stream/stream.ts';

/** What stands for a status that nobody gave, or that is none (grpc/doc/statuscodes.md). */
export const GRPC_UNKNOWN = 2;
const MAX_STATUS = 16;

const STATUS_ID = knownNameId('grpc-status');

/**
 * Statuses that Envoy counts as a 5xx of the endpoint: UNKNOWN 500, DEADLINE_EXCEEDED 504, UNIMPLEMENTED 501, INTERNAL
 * 500, UNAVAILABLE 503, DATA_LOSS 500 (`Grpc::Utility::grpcToHttpStatus`).
 */
const FAILURES = (1 << 2) | (1 << 4) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 15);

/** Whether a status speaks against the endpoint that gave it; -1, none, does not. */
export function isEndpointFailure(status: number): boolean {
  return status >= 0 && ((FAILURES >> status) & 1) === 1;
}

/** `grpc-status` of a head or of trailers: 0 to 16, UNKNOWN for what is none of those; -1 where there is none. */
export function readGrpcStatus(fields: FieldTable): number {
  const at = fields.indexOfId(STATUS_ID);
  if (at < 0) return -1;
  const text = fields.value(at);
  const first = text.charCodeAt(0) - 0x30;
  const second = text.charCodeAt(1) - 0x30;
  if (text.length === 1 && first >= 0 && first <= 9) return first;
  if (text.length === 2 && first === 1 && second >= 0 && second <= MAX_STATUS - 10) return 10 + second;
  return GRPC_UNKNOWN;
}

/** Status of an answer of Tulle's own: the error row's, unless it was given another HTTP status than the row has. */
export function grpcStatusOfReply(code: string, status: number): number {
  const row = errorRow(code);
  return row !== undefined && row.grpc > 0 && (row.http === status || row.http === 0)
    ? row.grpc
    : grpcStatusOfHttp(status);
}

/** How a gRPC call ended, as its caller sees it; -1 for other requests, and where the caller saw nothing. */
export function grpcStatusOf(stream: Stream): number {
  if (!stream.grpc) return -1;
  const { code, responseLocal, responseFields, responseTrailers, status } = stream;
  // Broken behind its head: what the endpoint said before does not count.
  if (code !== '' && !responseLocal) return errorRow(code)?.grpc ?? GRPC_UNKNOWN;
  let said = responseTrailers === undefined ? -1 : readGrpcStatus(responseTrailers);
  // A filter may have taken the trailers elsewhere (gRPC-Web).
  if (said < 0 && !responseLocal) said = stream.attempt.grpcStatus;
  if (said < 0 && status !== 0) said = readGrpcStatus(responseFields);
  return said >= 0 || status === 0 ? said : grpcStatusOfHttp(status);
}
