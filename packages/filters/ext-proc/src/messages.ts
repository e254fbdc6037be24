import { create, type JsonObject, type MessageInitShape } from '@bufbuild/protobuf';
import { DYNAMIC_METADATA, pseudoHeader, type Headers, type HttpStream } from '@tulle/filter';
import { readAttribute, type NameTest } from '@tulle/match';
import type { ExtProcAttribute } from '@tulle/model';
import type { HeaderMapSchema } from './gen/envoy/config/core/v3/base_pb.js';
import {
  ProcessingRequestSchema,
  type ProcessingRequest,
} from './gen/envoy/service/ext_proc/v3/external_processor_pb.js';

type HeaderMapInit = MessageInitShape<typeof HeaderMapSchema>;

/** Name of the filter, under which attributes are told. */
const ENVOY_NAME = 'envoy.filters.http.ext_proc';

/** What a message says beside its part. */
export interface Beside {
  /** Told with the first message of a direction. */
  readonly attributes: readonly ExtProcAttribute[];
  readonly metadata: readonly string[];
  readonly epochMs: number;
}

/** A message about one part of a request or response. */
export function messageOf(
  stream: HttpStream,
  request: MessageInitShape<typeof ProcessingRequestSchema>['request'],
  { attributes, metadata, epochMs }: Beside,
): ProcessingRequest {
  const known = metadata.length === 0 ? undefined : stream.get(DYNAMIC_METADATA);
  const told = Object.fromEntries(
    metadata.flatMap((name) =>
      known !== undefined && Object.hasOwn(known, name) ? [[name, known[name] as JsonObject]] : [],
    ),
  );
  return create(ProcessingRequestSchema, {
    ...(request && { request }),
    ...(attributes.length > 0 && {
      attributes: {
        [ENVOY_NAME]: Object.fromEntries(
          attributes.flatMap((name) => {
            const value =
              name === 'request.time' ? new Date(epochMs).toISOString() : readAttribute(stream, name);
            return value === undefined ? [] : [[name, value]];
          }),
        ),
      },
    }),
    ...(Object.keys(told).length > 0 && { metadataContext: { filterMetadata: told } }),
  });
}

const PSEUDO = [':authority', ':path', ':method', ':scheme'] as const;

/** A request's head. */
export function requestHead({ request }: HttpStream, sent: NameTest): HeaderMapInit {
  const pseudo = PSEUDO.map((name) => [name, pseudoHeader(request, name) ?? ''] as const);
  return mapOf(pseudo, request.headers, sent);
}

/** A response's head. */
export function responseHead({ response }: HttpStream, sent: NameTest): HeaderMapInit {
  return mapOf([[':status', String(response.status)]], response.headers, sent);
}

/** Trailers. */
export function trailersOf(fields: Headers, sent: NameTest): HeaderMapInit {
  return mapOf([], fields, sent);
}

function mapOf(
  pseudo: readonly (readonly [name: string, value: string])[],
  fields: Headers,
  sent: NameTest,
): HeaderMapInit {
  const headers: { key: string; rawValue: Uint8Array }[] = [];
  const tell = (key: string, value: string): void => {
    if (sent(key)) headers.push({ key, rawValue: Buffer.from(value, 'latin1') });
  };
  for (const [name, value] of pseudo) tell(name, value);
  fields.forEach((name, value) => {
    if (name !== 'host') tell(name, value);
  });
  return { headers };
}
