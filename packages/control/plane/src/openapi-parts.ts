/** A JSON Schema, or a part of an OpenAPI document. */
export type Json = Readonly<Record<string, unknown>>;

/** A schema of the document, or of a kind. */
export const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
export const text: Json = { type: 'string' };
export const integer: Json = { type: 'integer', minimum: 0 };
export const listOf = (items: Json): Json => ({ type: 'array', items });
/** An object with these fields, and maybe others. */
export const object = (properties: Json, required: readonly string[] = Object.keys(properties)): Json => ({
  type: 'object',
  properties,
  required,
});
/** An object that has no other fields. */
export const closed = (properties: Json, required: readonly string[]): Json => ({
  ...object(properties, required),
  additionalProperties: false,
});
