import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, name, text } from './parts.ts';

/** JSON Schema of a `RegexRewrite`. */
export const regexRewriteSchema: JsonSchema = fields(['kind', 'pattern', 'substitution'], {
  kind: { const: 'regex' },
  pattern: name,
  substitution: text,
});
