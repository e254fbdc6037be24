import type { JsonSchema } from '../filters/json-schema.ts';

/** JSON Schema of a `StringMatch`. */
export const stringMatchSchema: JsonSchema = {
  anyOf: [
    {
      type: 'object',
      additionalProperties: false,
      required: ['kind', 'value'],
      properties: {
        kind: { enum: ['exact', 'prefix', 'suffix', 'contains', 'regex'] },
        value: { type: 'string' },
        ignoreCase: { type: 'boolean', default: false },
      },
    },
    {
      type: 'object',
      additionalProperties: false,
      required: ['kind'],
      properties: { kind: { const: 'present' } },
    },
  ],
};
