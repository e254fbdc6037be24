import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, flag, listOf, name, names, oneOf, text, whole } from './parts.ts';
import { stringMatchSchema } from './string-match.ts';

const conditions: JsonSchema = listOf(
  fields(['name', 'match'], { name, match: stringMatchSchema, invert: flag }),
);

/** JSON Schema of a list of `RateLimitActions`. */
export const rateLimitActionsSchema: JsonSchema = listOf(
  fields(['actions'], {
    stage: whole(0, 10),
    limit: fields(['namespace', 'path'], { namespace: name, path: names }),
    actions: listOf({
      anyOf: [
        fields(['kind'], { kind: oneOf('source-cluster', 'destination-cluster', 'remote-address') }),
        fields(['kind'], {
          kind: { const: 'masked-remote-address' },
          v4Bits: whole(0, 32),
          v6Bits: whole(0, 128),
        }),
        fields(['kind', 'name', 'key'], { kind: oneOf('header', 'query'), name, key: name, optional: flag }),
        fields(['kind', 'value', 'cidrs'], {
          kind: { const: 'address-match' },
          value: text,
          key: name,
          expect: flag,
          cidrs: names,
        }),
        fields(['kind', 'value'], { kind: { const: 'generic' }, value: text, key: name }),
        fields(['kind', 'value', 'headers'], {
          kind: { const: 'header-match' },
          value: text,
          key: name,
          expect: flag,
          headers: conditions,
        }),
        fields(['kind', 'value', 'query'], {
          kind: { const: 'query-match' },
          value: text,
          key: name,
          expect: flag,
          query: conditions,
        }),
        fields(['kind', 'key', 'namespace', 'path'], {
          kind: { const: 'metadata' },
          key: name,
          namespace: name,
          path: names,
          fallback: text,
          optional: flag,
        }),
      ],
    }),
  }),
);
