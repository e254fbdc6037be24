import { expect, it } from 'vitest';
import { engineNodeOptions } from './node-options.ts';

it.each([
  [[], undefined, ['--max-semi-space-size=8']],
  [['--inspect=0'], '--enable-source-maps', ['--inspect=0', '--max-semi-space-size=8']],
  [['--max-semi-space-size=32'], undefined, ['--max-semi-space-size=32']],
  [[], '--max_semi_space_size=32', []],
])('an engine process of one with %j and NODE_OPTIONS %j has %j', (own, environment, options) => {
  expect(engineNodeOptions(own, environment)).toEqual(options);
});
