import { create, fromJson, type JsonObject } from '@bufbuild/protobuf';
import { type Any, anyPack, StringValueSchema } from '@bufbuild/protobuf/wkt';
import type { StreamRecord } from '@tulle/telemetry';
import { HeaderMapSchema } from './gen/envoy/config/core/v3/base_pb.js';

/** Addresses, which Envoy keeps as objects that have no message. */
const WITHOUT_MESSAGE: ReadonlySet<string> = new Set([
  'envoy.filters.listener.original_dst.local_ip',
  'envoy.filters.listener.original_dst.remote_ip',
]);

/**
 * What a record has of filter state under these keys, as Envoy's objects serialize themselves: texts are `StringValue`s, the answers
 * that tunnels keep `envoy.config.core.v3.HeaderMap`s. Keys that nobody put anything down under are left out.
 */
export function filterStateObjects(record: StreamRecord, keys: readonly string[]): Record<string, Any> {
  return Object.fromEntries(
    keys.flatMap((key): [string, Any][] => {
      const value = valueOf(record, key);
      if (value === undefined) return [];
      return [
        [
          key,
          typeof value === 'string'
            ? anyPack(StringValueSchema, create(StringValueSchema, { value }))
            : anyPack(HeaderMapSchema, fromJson(HeaderMapSchema, value as JsonObject)),
        ],
      ];
    }),
  );
}

/** The same as JSON of those messages. */
export function filterStateJson(record: StreamRecord, key: string): string | undefined {
  const value = valueOf(record, key);
  return value === undefined ? undefined : JSON.stringify(value);
}

function valueOf(record: StreamRecord, key: string): ReturnType<StreamRecord['filterState']> {
  return WITHOUT_MESSAGE.has(key) ? undefined : record.filterState(key);
}
