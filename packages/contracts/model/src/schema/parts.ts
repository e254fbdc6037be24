import type { JsonSchema } from '../filters/json-schema.ts';

/** Longest delay that a timer takes, in milliseconds: some 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** An object with these fields and no others; `required` names those that must be there. */
export function fields(
  required: readonly string[],
  properties: Readonly<Record<string, JsonSchema>>,
): JsonSchema {
  return { type: 'object', additionalProperties: false, required: [...required], properties };
}

export const text: JsonSchema = { type: 'string' };
export const name: JsonSchema = { type: 'string', minLength: 1 };
export const flag: JsonSchema = { type: 'boolean' };
export const listOf = (items: JsonSchema): JsonSchema => ({ type: 'array', items });
export const names: JsonSchema = listOf(name);
export const oneOf = (...values: readonly string[]): JsonSchema => ({ enum: values });
export const labels: JsonSchema = { type: 'object', additionalProperties: text };

/** A whole number. */
export function whole(minimum: number, maximum: number): JsonSchema {
  return { type: 'integer', minimum, maximum };
}

/** Milliseconds. @param minimum default 0, which mostly switches off */
export function milliseconds(minimum = 0): JsonSchema {
  return {
    type: 'number',
    minimum,
    maximum: MAX_TIMER_MS,
    description: `Milliseconds from ${minimum} to ${MAX_TIMER_MS}.`,
  };
}

export const percent: JsonSchema = {
  type: 'number',
  minimum: 0,
  maximum: 100,
  description: 'Percent, from 0 to 100.',
};

/** JSON values by namespace. */
export const metadata: JsonSchema = { type: 'object', additionalProperties: { type: 'object' } };

/** @param minPort 0 where the system may choose */
export function address(minPort: 0 | 1): JsonSchema {
  return { anyOf: addresses(minPort) };
}

/** Likewise, or a listener of the same process. */
export function addressOrInternal(minPort: 0 | 1): JsonSchema {
  return { anyOf: [...addresses(minPort), fields(['internal'], { internal: name, id: name })] };
}

function addresses(minPort: 0 | 1): JsonSchema[] {
  return [
    fields(['host', 'port'], {
      host: name,
      port: whole(minPort, 65_535),
      ...(minPort === 0 && { namespace: name }),
    }),
    fields(['path'], { path: name }),
  ];
}
