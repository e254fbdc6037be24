import { knownNameId } from '@tulle/fields';
import { isGrpcContentType } from '@tulle/match';
import type { Stream } from '../stream/stream.ts';

const CONTENT_TYPE_ID = knownNameId('content-type');

/** Whether a request is a gRPC call (grpc/doc/PROTOCOL-HTTP2.md): POST with gRPC's content type. */
export function isGrpcCall({ method, headers }: Stream): boolean {
  if (method !== 'POST') return false;
  const at = headers.indexOfId(CONTENT_TYPE_ID);
  return at >= 0 && isGrpcContentType(headers.value(at));
}
