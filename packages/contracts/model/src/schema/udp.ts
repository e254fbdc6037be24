import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, listOf, milliseconds, name, oneOf, whole } from './parts.ts';

/** JSON Schema of `UdpProxy`. */
export const udpProxySchema: JsonSchema = fields(['clusters'], {
  statPrefix: name,
  clusters: listOf(fields(['name'], { name, weight: whole(0, 1_000_000) })),
  idleTimeoutMs: milliseconds(1),
  hash: oneOf('source-ip'),
  maxSessions: whole(1, 1_000_000),
});
