import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, flag, listOf, milliseconds, name, oneOf, text } from './parts.ts';
import { regexRewriteSchema } from './regex-rewrite.ts';

const terminal: JsonSchema = flag;
const pair: JsonSchema = fields(['name', 'value'], { name, value: text });

/** JSON Schema of a `HashPolicy`. */
export const hashPolicySchema: JsonSchema = {
  anyOf: [
    fields(['kind', 'name'], { kind: { const: 'header' }, name, rewrite: regexRewriteSchema, terminal }),
    fields(['kind', 'name'], { kind: oneOf('query', 'filter-state'), name, terminal }),
    fields(['kind', 'name'], {
      kind: { const: 'cookie' },
      name,
      ttlMs: milliseconds(),
      path: name,
      attributes: listOf(pair),
      terminal,
    }),
    fields(['kind'], { kind: { const: 'source-ip' }, terminal }),
  ],
};
