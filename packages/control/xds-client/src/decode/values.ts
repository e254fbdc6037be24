import { isMessage, type Message } from '@bufbuild/protobuf';
import type { Duration } from '@bufbuild/protobuf/wkt';
import type { Metadata } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { TypedStructSchema as UdpaTypedStructSchema } from '@tulle/xds-proto/udpa/type/v1/typed_struct';
import { TypedStructSchema } from '@tulle/xds-proto/xds/type/v3/typed_struct';
import { BARE_VALUE, TULLE_METADATA } from '../wire.ts';

/** Where in a resource the metadata of Tulle's namespace stand. */
export const METADATA_PATH: string = `metadata["${TULLE_METADATA}"]`;

/** Milliseconds of a duration. */
export function milliseconds(duration: Duration): number;
export function milliseconds(duration: Duration | undefined): number | undefined;
export function milliseconds(duration: Duration | undefined): number | undefined {
  return duration && Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

/** An object without the keys whose value is `undefined`. */
export function present<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never;
}

/** `undefined` for an empty list. */
export function filled<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** What an object holds under a name from the wire: `constructor` and the like are not found in its prototype. */
export function ownValue<T>(values: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

/** Values of one namespace of metadata. */
export function namespaceOf(
  metadata: Metadata | undefined,
  namespace: string,
): Readonly<Record<string, unknown>> {
  return metadata?.filterMetadata[namespace] ?? {};
}

/** Name (filter id) and config of either TypedStruct; `undefined` for another message. */
export function structOf(message: Message): { readonly name: string; readonly config: unknown } | undefined {
  if (!isMessage(message, TypedStructSchema) && !isMessage(message, UdpaTypedStructSchema)) return undefined;
  const value = message.value ?? {};
  const keys = Object.keys(value);
  return {
    name: message.typeUrl.slice(message.typeUrl.lastIndexOf('/') + 1),
    config: keys.length === 1 && keys[0] === BARE_VALUE ? value[BARE_VALUE] : value,
  };
}

/** Whether a JSON value is an object. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
