import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, whole } from './parts.ts';

/** The kernel counts in seconds, up to some nine hours. */
const seconds: JsonSchema = {
  type: 'integer',
  minimum: 1_000,
  maximum: 32_767_000,
  multipleOf: 1_000,
  description: 'Whole seconds in milliseconds.',
};

/** JSON Schema of `TcpKeepalive`. */
export const tcpKeepaliveSchema: JsonSchema = fields([], {
  idleMs: seconds,
  intervalMs: seconds,
  probes: whole(1, 32_767),
});
