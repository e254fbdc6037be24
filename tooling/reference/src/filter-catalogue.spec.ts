import { STANDARD_FILTERS } from '@tulle/resources';
import { standardFilters } from '@tulle/standard';
import { expect, it } from 'vitest';

it('the control plane knows every filter that ships, with the schema and the phase of its own definition', () => {
  const known = STANDARD_FILTERS.map(({ id, configSchema, phase }) => ({ id, configSchema, phase }));
  const shipped = standardFilters.map(({ definition }) => ({
    id: definition.id,
    configSchema: definition.config.jsonSchema,
    phase: definition.kind === 'connection' ? 'connection' : phaseOf(definition),
  }));
  expect(known.toSorted(byId)).toEqual(shipped.toSorted(byId));
});

const byId = (a: { readonly id: string }, b: { readonly id: string }): number => (a.id < b.id ? -1 : 1);

const phaseOf = (definition: object): unknown => ('phase' in definition ? definition.phase : 'custom');
