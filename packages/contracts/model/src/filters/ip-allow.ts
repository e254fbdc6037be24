import type { JsonSchema } from './json-schema.ts';

/**
 * Configuration of `tulle.conn.ip-allow`: which peers may connect at all. `deny` wins; with `allow`, who is in none of its
 * networks is refused.
 */
export interface IpAllowFilterConfig {
  /** Networks, CIDR, or single addresses. Absent: everybody who is not denied. */
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

/** Id of the address filter. */
export const IP_ALLOW_FILTER = 'tulle.conn.ip-allow';

const networks = (description: string): JsonSchema => ({
  type: 'array',
  minItems: 1,
  maxItems: 100_000,
  items: { type: 'string', minLength: 1, description: 'E.g. 10.0.0.0/8, 2001:db8::/32 or one address.' },
  description,
});

/** JSON Schema of {@link IpAllowFilterConfig}. */
export const ipAllowFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  properties: {
    allow: networks('Networks that may connect. Absent: everybody who is not denied.'),
    deny: networks('Networks that may not connect, whatever allow says.'),
  },
};
