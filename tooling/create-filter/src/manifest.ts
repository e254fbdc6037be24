import type { CreateOptions } from './options.ts';
import { rangeOf } from './versions.ts';

/** The `package.json` of a new filter. */
export function manifestOf({ names, kind }: CreateOptions): object {
  const ranges = (...packages: readonly string[]): Record<string, string> =>
    Object.fromEntries(packages.map((name) => [name, rangeOf(name)]));
  return {
    name: names.packageName,
    version: '0.1.0',
    description: `${kind === 'http' ? 'HTTP' : 'Connection'} filter for the Tulle service mesh`,
    keywords: ['tulle-filter', 'tulle', 'service-mesh'],
    license: 'UNLICENSED',
    type: 'module',
    sideEffects: false,
    engines: { node: '>=22.18' },
    exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
    files: ['dist', 'README.md'],
    scripts: {
      types: 'tsc',
      test: 'vitest run',
      docs: 'node scripts/readme.ts',
      build: 'tsup',
      check:
        'npm run types && npm test && npm run docs -- --check && npm run build && publint --strict && attw --pack . --profile esm-only',
      prepack: 'npm run build',
    },
    // There must be one contract in a proxy: its own. What a filter needs of it is said by its apiVersion.
    peerDependencies: { '@tulle/filter': peerRange(rangeOf('@tulle/filter')) },
    dependencies: ranges('@tulle/schema'),
    devDependencies: ranges(
      '@arethetypeswrong/cli',
      '@tulle/filter',
      '@tulle/filter-compliance',
      '@tulle/testkit',
      '@types/node',
      'publint',
      'tsup',
      'typescript',
      'vitest',
    ),
  };
}

/** `^0.1.0` shuts 0.2.0 out, which has the same contract. */
function peerRange(range: string): string {
  const lowest = range.replace(/^[^0-9]*/, '');
  return lowest.startsWith('0.') ? `>=${lowest} <1` : range;
}
