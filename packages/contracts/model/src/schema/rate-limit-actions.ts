import type { JsonSchema } from '../filters/json-schema.ts';
import { RATE_LIMIT_UNITS } from '../rate-limit-actions.ts';
import { fields, flag, listOf, name, names, oneOf, text, whole } from './parts.ts';
import { stringMatchSchema } from './string-match.ts';

const conditions: JsonSchema = listOf(
  fields(['name', 'match'], { name, match: stringMatchSchema, invert: flag }),
);

const actions: JsonSchema = listOf({
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
      format: flag,
      fallback: text,
      expect: flag,
      cidrs: names,
    }),
    fields(['kind', 'key', 'cel'], { kind: { const: 'cel' }, key: name, cel: name, optional: flag }),
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
});

const common: Readonly<Record<string, JsonSchema>> = {
  stage: whole(0, 10),
  limit: {
    anyOf: [
      fields(['namespace', 'path'], { namespace: name, path: names }),
      fields(['requestsPerUnit', 'unit'], {
        requestsPerUnit: whole(0, 4_294_967_295),
        unit: oneOf(...RATE_LIMIT_UNITS),
      }),
    ],
  },
  atEnd: flag,
  rateHeaders: flag,
  actions,
};

/** JSON Schema of a list of `RateLimitActions`. */
export const rateLimitActionsSchema: JsonSchema = listOf(fields(['actions'], common));

/** JSON Schema of a list of `OwnRateLimitActions`. */
export const ownRateLimitActionsSchema: JsonSchema = listOf(
  fields(['actions'], {
    ...common,
    hits: { anyOf: [whole(0, 1_000_000_000), fields(['format'], { format: name })] },
    giveBack: flag,
  }),
);
