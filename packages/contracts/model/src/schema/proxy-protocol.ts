import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, flag, listOf, name, oneOf, text, whole } from './parts.ts';

const tlvType: JsonSchema = whole(0, 255);
const tlvTypes: JsonSchema = { anyOf: [{ const: 'all' }, listOf(tlvType)] };
const proxyTlv: JsonSchema = fields(['type', 'valueBase64'], {
  type: tlvType,
  // Of as many bytes as a length of 16 bits can say.
  valueBase64: { type: 'string', pattern: '^[A-Za-z0-9+/]*={0,2}$', maxLength: 87_380 },
});

/** JSON Schema of `ProxyProtocolVersion`. */
export const proxyVersionSchema: JsonSchema = { enum: [1, 2] };

/** JSON Schema of `ProxyProtocol`. */
export const proxyProtocolSchema: JsonSchema = fields([], {
  optional: flag,
  versions: listOf(proxyVersionSchema),
  tlvs: listOf(fields(['type', 'key'], { type: tlvType, namespace: name, key: name, base64: flag })),
  tlvsKeptIn: oneOf('metadata', 'filter-state'),
  passesTlvs: tlvTypes,
});

/** JSON Schema of `ProxyHeaderOptions`. */
export const proxyHeaderSchema: JsonSchema = fields([], {
  passes: tlvTypes,
  adds: listOf(proxyTlv),
  unaddressed: flag,
});

/** JSON Schema of `TcpProxyTlvs`. */
export const proxyTlvsSchema: JsonSchema = fields(['adds'], {
  adds: listOf({
    anyOf: [proxyTlv, fields(['type', 'format'], { type: tlvType, format: text })],
  }),
  where: oneOf('absent', 'replace', 'append'),
});
