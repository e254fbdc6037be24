import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, flag, listOf, name, names, oneOf } from './parts.ts';
import { stringMatchSchema } from './string-match.ts';

const choice: JsonSchema = { $ref: '#/$defs/chainChoice' };
const condition: JsonSchema = { $ref: '#/$defs/chainCondition' };

const input: JsonSchema = {
  anyOf: [
    ...[
      'destination-ip',
      'destination-port',
      'source-ip',
      'source-port',
      'direct-source-ip',
      'source-type',
      'server-name',
      'transport-protocol',
      'application-protocols',
    ].map((word): JsonSchema => ({ const: word })),
    fields(['filterState'], { filterState: name }),
  ],
};

/** JSON Schema of `ChainChoice`, for schemas with {@link chainChoiceDefinitions}. */
export const chainChoiceSchema: JsonSchema = choice;

/** Definitions that a schema with a {@link chainChoiceSchema} has at its root. */
export const chainChoiceDefinitions: Readonly<Record<string, JsonSchema>> = {
  chainChoice: {
    anyOf: [
      fields(['kind', 'name'], { kind: { const: 'chain' }, name }),
      fields(['kind', 'of'], {
        kind: { const: 'list' },
        of: listOf(fields(['when', 'choose'], { when: condition, choose: choice })),
        otherwise: choice,
      }),
      fields(['kind', 'input', 'values'], {
        kind: oneOf('exact', 'prefix'),
        input,
        values: { type: 'object', additionalProperties: choice },
        otherwise: choice,
      }),
      fields(['kind', 'input', 'of'], {
        kind: { const: 'networks' },
        input,
        of: listOf(fields(['cidrs', 'choose'], { cidrs: names, choose: choice, narrowestAlone: flag })),
        otherwise: choice,
      }),
    ],
  },
  chainCondition: {
    anyOf: [
      fields(['kind', 'input', 'match'], { kind: { const: 'input' }, input, match: stringMatchSchema }),
      fields(['kind', 'of'], { kind: oneOf('all', 'any'), of: listOf(condition) }),
      fields(['kind', 'of'], { kind: { const: 'not' }, of: condition }),
    ],
  },
};
