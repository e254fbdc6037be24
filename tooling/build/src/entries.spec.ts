import { expect, it } from 'vitest';
import { entries } from './entries.ts';

it('takes an entry from each exported source and command, and leaves generated JavaScript and tests alone', () => {
  const manifest = {
    name: '@t/x',
    bin: { x: './src/cli/main.ts' },
    exports: {
      '.': './src/index.ts',
      './grpc': './src/grpc.ts',
      './corpus': './tests/index.ts',
      './*': { types: './src/gen/*.d.ts', default: './src/gen/*.js' },
    },
    publishConfig: {
      bin: { x: './dist/cli/main.js' },
      exports: {
        '.': { types: './dist/index.d.ts', default: './dist/index.js' },
        './grpc': './dist/grpc.js',
      },
    },
  };
  expect(entries(manifest)).toEqual({
    index: './src/index.ts',
    grpc: './src/grpc.ts',
    'cli/main': './src/cli/main.ts',
  });
});

it('refuses an entry that is published from another place than it is built to, or not at all', () => {
  const exports = { './grpc': './src/grpc.ts' };
  const elsewhere = { exports: { './grpc': { default: './dist/index.js' } } };
  expect(() => entries({ name: '@t/x', exports, publishConfig: elsewhere })).toThrow(
    '@t/x: package.json exports["./grpc"] is ./src/grpc.ts, so publishConfig.exports["./grpc"] must be ./dist/grpc.js, not ./dist/index.js',
  );
  expect(() => entries({ name: '@t/x', exports })).toThrow('not absent');
});
