import { knownNameId } from '@tulle/fields';
import type { Stream } from '../stream/stream.ts';

const CONTENT_TYPE_ID = knownNameId('content-type');
const TYPE = 'application/grpc';

/** Whether a content type is gRPC's: `application/grpc`, alone, with a format (`+proto`) or with parameters (`;`). */
export function isGrpcType(type: string): boolean {
  if (!type.startsWith(TYPE)) return false;
  const next = type.charCodeAt(TYPE.length);
  return type.length === TYPE.length || next === 0x2b || next === 0x3b || next === 0x20;
}

/** Whether a request is a gRPC call (grpc/doc/PROTOCOL-HTTP2.md): POST with gRPC's content type. */
export function isGrpcCall({ method, headers }: Stream): boolean {
  if (method !== 'POST') return false;
  const at = headers.indexOfId(CONTENT_TYPE_ID);
  return at >= 0 && isGrpcType(headers.value(at));
}
