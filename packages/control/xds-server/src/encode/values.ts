import {
  create,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageInitShape,
} from '@bufbuild/protobuf';
import { type Any, anyPack, type Duration, DurationSchema } from '@bufbuild/protobuf/wkt';
import { type Metadata, MetadataSchema } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { TypedStructSchema } from '@tulle/xds-proto/xds/type/v3/typed_struct';
import { BARE_VALUE, TULLE_METADATA, TYPE_PREFIX } from '../wire.ts';

/** Fields of a message to be made: what `create` takes, without the message itself. */
export type Fields<Desc extends DescMessage> = Exclude<
  MessageInitShape<Desc>,
  { readonly $typeName: string }
>;

/** `undefined` stays `undefined`, so that a default is never written. */
export function duration(ms: number): Duration;
export function duration(ms: number | undefined): Duration | undefined;
export function duration(ms: number | undefined): Duration | undefined {
  if (ms === undefined) return undefined;
  const whole = Math.floor(ms / 1000);
  return create(DurationSchema, { seconds: BigInt(whole), nanos: Math.round((ms - whole * 1000) * 1e6) });
}

/** Plain JSON with sorted keys and without `undefined`: equal values give equal bytes, so equal versions. */
export function canonicalJson(value: unknown): JsonValue {
  if (Array.isArray(value)) return value.map((item) => canonicalJson(item ?? null));
  if (typeof value === 'object' && value !== null) return canonicalObject(value as Record<string, unknown>);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new TypeError(
    `${typeof value === 'number' ? String(value) : typeof value} cannot be written as JSON`,
  );
}

/** {@link canonicalJson} of an object. */
export function canonicalObject(value: Readonly<Record<string, unknown>>): JsonObject {
  const out: JsonObject = {};
  for (const key of Object.keys(value).sort()) {
    if (value[key] !== undefined) out[key] = canonicalJson(value[key]);
  }
  return out;
}

/** Sorted by key, because a protobuf map keeps insertion order and the version is a hash of the bytes. */
export function sortedMap<T>(entries: Iterable<readonly [string, T]>): { [key: string]: T } {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * A config that has no Envoy type, as `xds.type.v3.TypedStruct`.
 * @param name filter id or another name of wire.ts
 */
export function typedStruct(name: string, config: unknown): Any {
  const plain = typeof config === 'object' && config !== null && !Array.isArray(config);
  const keys = plain ? Object.keys(config) : [];
  const bare = !plain || (keys.length === 1 && keys[0] === BARE_VALUE);
  const value = canonicalObject(bare ? { [BARE_VALUE]: config } : (config as Record<string, unknown>));
  return anyPack(TypedStructSchema, create(TypedStructSchema, { typeUrl: TYPE_PREFIX + name, value }));
}

/** Metadata of the given namespaces; empty ones and `undefined` values are left out. @returns `undefined` when nothing is left */
export function metadata(
  namespaces: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>,
): Metadata | undefined {
  const filled = Object.entries(namespaces)
    .map(([name, values]) => [name, canonicalObject(values ?? {})] as const)
    .filter(([, values]) => Object.keys(values).length > 0);
  return filled.length === 0 ? undefined : create(MetadataSchema, { filterMetadata: sortedMap(filled) });
}

/** Metadata of Tulle's own namespace only. */
export function tulleMetadata(values: Readonly<Record<string, unknown>>): Metadata | undefined {
  return metadata({ [TULLE_METADATA]: values });
}
