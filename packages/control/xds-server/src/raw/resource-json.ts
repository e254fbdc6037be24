import { type Registry, toJson } from '@bufbuild/protobuf';
import type { RawResource } from './raw-set.ts';

/**
 * A resource in protobuf's JSON, with `@type` and fields as protobuf spells them. Of what a type within it is not known, only
 * base64 can be shown.
 */
export function resourceJson({ typeUrl, content, wire }: RawResource, registry: Registry): unknown {
  if (content) {
    try {
      const json = toJson(content.schema, content.message, { registry, useProtoFieldName: true });
      return { '@type': typeUrl, ...(json as object) };
    } catch {
      // An Any of an unknown type somewhere in it has no JSON.
    }
  }
  return { '@type': typeUrl, value: Buffer.from(wire.bytes.subarray(wire.anyAt)).toString('base64') };
}
