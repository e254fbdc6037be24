import { stringMatchSchema } from '../filters/authz.ts';
import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, flag, listOf, name, oneOf, whole } from './parts.ts';

/** Numbers that a header may be asked for: those that are told apart. */
const bound: JsonSchema = whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

/** JSON Schema of `HeaderMatch`. */
export const headerMatchSchema: JsonSchema = fields(['name', 'match'], {
  name,
  match: {
    anyOf: [
      ...(stringMatchSchema['anyOf'] as readonly JsonSchema[]),
      fields(['kind', 'from', 'to'], { kind: { const: 'range' }, from: bound, to: bound }),
    ],
  },
  invert: flag,
  absent: oneOf('fails', 'empty'),
});

/** JSON Schema of a list of them. */
export const headerMatchesSchema: JsonSchema = listOf(headerMatchSchema);
