import { FieldTable } from '@tulle/fields';
import type { HttpStream } from '@tulle/filter';
import { isGrpcContentType, type NameTest } from '@tulle/match';
import type { ImmediateResponse } from './gen/envoy/service/ext_proc/v3/external_processor_pb.js';
import { applyMutation } from './mutations.ts';

/** An answer of the service's own. */
export interface ImmediateReply {
  readonly status: number;
  /** Flat `[name, value, …]` */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
  readonly details: string;
  readonly rejected: number;
}

/**
 * What the caller gets when the service answers it. Its changes are of the fields that a local answer has: a content type.
 * @param may names that such an answer may have
 */
export function immediateReply(reply: ImmediateResponse, stream: HttpStream, may: NameTest): ImmediateReply {
  const { status: given, headers, body, grpcStatus, details } = reply;
  const code: number = given?.code ?? 0;
  const fields = new FieldTable();
  if (body.length > 0) fields.set('content-type', 'text/plain');
  const rejected = headers === undefined ? 0 : applyMutation(headers, fields, may, () => false).rejected;
  if (grpcStatus !== undefined && isGrpcContentType(stream.request.headers.get('content-type')))
    fields.set('grpc-status', String(grpcStatus.status));
  const flat: string[] = [];
  fields.forEach((name, value) => void flat.push(name, value));
  return {
    // What is no status is Envoy's answer to what a service gets wrong.
    status: code >= 200 && code <= 599 ? code : 500,
    headers: flat,
    body: Uint8Array.from(body),
    // One word, as in Envoy's access log.
    details: details === '' ? 'ext_proc_immediate_response' : details.replace(/[^!-~]+/g, '_').slice(0, 256),
    rejected,
  };
}
