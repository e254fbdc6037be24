import type { JsonSchema } from '../filters/json-schema.ts';
import { headerMatchSchema } from './header-match.ts';
import { fields, listOf, name, oneOf, whole } from './parts.ts';

const choice: JsonSchema = { $ref: '#/$defs/routeChoice' };
const condition: JsonSchema = { $ref: '#/$defs/choiceCondition' };

/** JSON Schema of `ChoiceCondition`, for schemas with {@link routeChoiceDefinitions}. */
export const choiceConditionSchema: JsonSchema = condition;

/** JSON Schema of `RouteChoice`, for schemas with {@link routeChoiceDefinitions}. */
export const routeChoiceSchema: JsonSchema = choice;

/** Definitions that a schema with a {@link routeChoiceSchema} has at its root. */
export const routeChoiceDefinitions: Readonly<Record<string, JsonSchema>> = {
  routeChoice: {
    anyOf: [
      fields(['kind', 'routes'], { kind: { const: 'routes' }, routes: listOf(whole(0, 4_294_967_295)) }),
      fields(['kind', 'of'], {
        kind: { const: 'list' },
        of: listOf(fields(['when', 'choose'], { when: condition, choose: choice })),
        otherwise: choice,
      }),
      fields(['kind', 'header', 'values'], {
        kind: oneOf('exact', 'prefix'),
        header: name,
        values: { type: 'object', additionalProperties: choice },
        otherwise: choice,
      }),
    ],
  },
  choiceCondition: {
    anyOf: [
      fields(['kind', 'header'], { kind: { const: 'header' }, header: headerMatchSchema }),
      fields(['kind', 'of'], { kind: oneOf('all', 'any'), of: listOf(condition) }),
      fields(['kind', 'of'], { kind: { const: 'not' }, of: condition }),
    ],
  },
};
