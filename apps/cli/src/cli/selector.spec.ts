import { expect, it } from 'vitest';
import { parseSelector } from './selector.ts';

const labels = { app: 'web', version: 'v2', 'example.com/tier': 'back' };

it.each([
  ['app=web', true],
  ['app==api', false],
  ['app!=api,version=v2', true],
  ['app=web,version=v1', false],
  ['example.com/tier=back', true],
  ['app in (api, web)', true],
  ['app in (api),version=v2', false],
  ['app notin (api,db)', true],
  ['canary notin (yes)', true],
  ['canary!=yes', true],
  ['version', true],
  ['canary', false],
  ['!canary', true],
  ['!version', false],
  ['toString', false],
])('%s: %s', (text, expected) => {
  expect(parseSelector(text)(labels)).toBe(expected);
});

it('selects what has no labels only where none is asked for', () => {
  expect(parseSelector('!app')(undefined)).toBe(true);
  expect(parseSelector('app')(undefined)).toBe(false);
});

it.each(['app=', 'a b', 'app in web', '=web', 'app>1', ''])(
  '%j: an error, or a value that is empty',
  (text) => {
    if (text === 'app=') expect(parseSelector(text)({ app: '' })).toBe(true);
    else expect(() => parseSelector(text)).toThrow('is no requirement');
  },
);
