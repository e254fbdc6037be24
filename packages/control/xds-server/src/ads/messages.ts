import { create, fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import { type Any, anyIs, StructSchema } from '@bufbuild/protobuf/wkt';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryResponseSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import type { Status } from '@tulle/xds-proto/google/rpc/status';
import { kindOfTypeUrl, TYPE_URLS } from '../wire.ts';
import type { DeltaRequest, DeltaResponse } from './delta-stream.ts';

/** @returns `undefined` for a type that is not served */
export function readRequest(message: DeltaDiscoveryRequest): DeltaRequest | undefined {
  const kind = kindOfTypeUrl(message.typeUrl);
  return (
    kind && {
      kind,
      subscribe: message.resourceNamesSubscribe,
      unsubscribe: message.resourceNamesUnsubscribe,
      initialVersions: message.initialResourceVersions,
      nonce: message.responseNonce,
      ...(message.errorDetail && { error: readError(message.errorDetail) }),
    }
  );
}

/** Key of a NACK's details under which a Tulle client lists what it refused: `[{ name, reasons }]`. */
const REFUSED_DETAILS = 'tulle.dev/refused';

/** Longest reason that is kept of a client's NACK. */
const MAX_REASON = 16_384;

function readError({ message, details }: Status): NonNullable<DeltaRequest['error']> {
  const refused = details.map(readRefused).find((names) => names !== undefined);
  const text = message === '' ? 'refused without a reason' : message.slice(0, MAX_REASON);
  return refused ? { message: text, refused } : { message: text };
}

function readRefused(any: Any): readonly string[] | undefined {
  const list = readStruct(any)[REFUSED_DETAILS];
  if (!Array.isArray(list)) return undefined;
  return list.flatMap((one: unknown) =>
    typeof one === 'object' && one !== null && 'name' in one && typeof one.name === 'string'
      ? [one.name]
      : [],
  );
}

function readStruct(any: Any): Readonly<Record<string, unknown>> {
  try {
    return anyIs(any, StructSchema)
      ? (toJson(StructSchema, fromBinary(StructSchema, any.value)) as Record<string, unknown>)
      : {};
  } catch {
    return {}; // details that nobody can read say nothing; the message stands
  }
}

/**
 * A response's bytes. Resources were serialised once, when they were first sent to anybody, and are only copied here.
 * @param identifier of the control plane. For clients that hold changes back it is JSON that says where in the change
 *   this response stands; to others it is a name, which Envoy shows and nobody reads.
 */
export function writeResponse(response: DeltaResponse, identifier: string): Buffer {
  const { kind, nonce, changeId, resources, removed, last } = response;
  const head = toBinary(
    DeltaDiscoveryResponseSchema,
    create(DeltaDiscoveryResponseSchema, {
      systemVersionInfo: changeId,
      typeUrl: TYPE_URLS[kind],
      nonce,
      removedResources: [...removed],
      controlPlane: {
        identifier: last === undefined ? identifier : JSON.stringify({ identifier, change: changeId, last }),
      },
    }),
  );
  // Fields of a message may come in any order (protobuf encoding, "Message structure").
  return Buffer.concat([head, ...resources.flatMap(({ bytes }) => [lengthPrefix(bytes.length), bytes])]);
}

/** Tag of `DeltaDiscoveryResponse.resources` (field 2, length-delimited) and a varint. */
function lengthPrefix(length: number): Uint8Array {
  const bytes = [0x12];
  let rest = length;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
