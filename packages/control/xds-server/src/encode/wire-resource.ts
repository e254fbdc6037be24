import { createHash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { type Any, AnySchema, durationFromMs } from '@bufbuild/protobuf/wkt';
import { ResourceSchema } from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';

/** A resource as bytes, ready to be copied into responses of both protocols. */
export interface WireResource {
  readonly name: string;
  /** Hash of the message, and of the TTL where it has one: equal content has equal versions, in every process. */
  readonly version: string;
  /** `envoy.service.discovery.v3.Resource` with name, version and message: what a delta response holds. */
  readonly bytes: Uint8Array;
  /** Where in {@link bytes} its `google.protobuf.Any` begins, which goes to the end: what any other response holds. */
  readonly anyAt: number;
  /** Ends this long after it was last sent or confirmed; absent: never. */
  readonly ttlMs?: number;
}

/** Tag of `Resource.resource` (field 2, length-delimited). */
const RESOURCE_TAG = 0x12;

/** @param ttlMs see {@link WireResource.ttlMs} */
export function wireResource(name: string, message: Any, ttlMs?: number): WireResource {
  // A client that has it is to hear of another TTL too.
  const version = versionOf(
    ttlMs === undefined ? message.value : Buffer.concat([message.value, Buffer.from(`ttl ${ttlMs}`)]),
  );
  // Fields of a message may come in any order (protobuf encoding, "Message structure"), so the message can stand last.
  const head = resourceHead({ name, version, ...(ttlMs === undefined ? {} : { ttlMs }) });
  const any = toBinary(AnySchema, message);
  const prefix = lengthPrefix(RESOURCE_TAG, any.length);
  const bytes = joined(head, prefix, any);
  return {
    name,
    version,
    bytes,
    anyAt: head.length + prefix.length,
    ...(ttlMs === undefined ? {} : { ttlMs }),
  };
}

/** In memory of their own: what is kept as long as a snapshot would keep all of the pool that `Buffer` takes small ones from. */
function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The same for a client that knows of no TTL: nobody would tell it again that the resource is still there. */
export function withoutTtl(resource: WireResource): WireResource {
  if (resource.ttlMs === undefined) return resource;
  const { ttlMs: _, ...rest } = resource;
  const before = resourceHead(resource).length;
  const head = resourceHead(rest);
  return {
    ...rest,
    bytes: joined(head, resource.bytes.subarray(before)),
    anyAt: resource.anyAt - before + head.length,
  };
}

/** `Resource` without its message: that what the client has under this name and version is still there. */
export function resourceHead({
  name,
  version,
  ttlMs,
}: Pick<WireResource, 'name' | 'version' | 'ttlMs'>): Uint8Array {
  return toBinary(
    ResourceSchema,
    create(ResourceSchema, { name, version, ...(ttlMs === undefined ? {} : { ttl: durationFromMs(ttlMs) }) }),
  );
}

/** 128 bits of SHA-256, URL-safe. */
export function versionOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest().subarray(0, 16).toString('base64url');
}

/** A tag and a length as varint. */
export function lengthPrefix(tag: number, length: number): Uint8Array {
  const bytes = [tag];
  let rest = length;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
