import { describe, expect, it } from 'vitest';
import {
  CONTINUE,
  defineConnFilter,
  defineHttpFilter,
  defineSlot,
  TulleError,
  type ConfigSchema,
} from './index.ts';

const anything: ConfigSchema<{ greeting: string }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => ({ value: value as { greeting: string } }),
  },
  jsonSchema: {},
};

describe('defineHttpFilter', () => {
  const greet = defineHttpFilter({
    apiVersion: 1,
    id: 'tulle-filter-greet',
    config: anything,
    create: () => ({ requestHeaders: () => CONTINUE }),
  });

  it('gives a function that pairs the filter with a configuration', () => {
    const use = greet({ greeting: 'hi' }, { name: 'second' });
    expect(use.filter).toBe(greet);
    expect(use).toMatchObject({ config: { greeting: 'hi' }, options: { name: 'second' } });
  });

  it("freezes the definition, so that nobody changes a filter behind another's back", () => {
    expect(Object.isFrozen(greet)).toBe(true);
    expect(Object.isFrozen(greet.definition)).toBe(true);
    expect(greet.definition.kind).toBe('http');
  });

  it('names every contradiction of a definition at once', () => {
    const broken = {
      apiVersion: 2 as 1,
      id: 'Bad Id',
      scope: 'attempt' as const,
      stage: 'before-route' as const,
      config: anything,
      create: () => ({}),
    };
    let error: unknown;
    try {
      defineHttpFilter(broken);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(TulleError);
    expect((error as TulleError).issues.map((issue) => issue.path)).toEqual(['/id', '/apiVersion', '/stage']);
  });
});

describe('defineConnFilter', () => {
  it('marks its kind', () => {
    const filter = defineConnFilter({
      apiVersion: 1,
      id: '@acme/gate',
      config: anything,
      create: () => ({}),
    });
    expect(filter.definition.kind).toBe('connection');
    expect(filter({ greeting: '' }).filter).toBe(filter);
  });
});

describe('defineSlot', () => {
  it('compares by name', () => {
    expect(defineSlot<string>('acme.user')).toEqual({ name: 'acme.user' });
  });
});
