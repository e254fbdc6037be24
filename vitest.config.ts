import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { closingLine } from './tooling/vitest/src/closing-line.ts';

const config: ViteUserConfig = defineConfig({
  test: {
    // One project for the whole repository. Type tests (`*.test-d.ts`) are checked by `pnpm types`, not here.
    include: [
      'packages/*/*/{src,tests}/**/*.spec.ts',
      '{apps,examples,tooling}/*/{src,tests,templates}/**/*.spec.ts',
    ],
    // Files share a worker's module graph, ten times faster than one worker a file: a test must not leak globals,
    // timers or servers.
    isolate: false,
    // A hang is rarer than a slow machine: tests of real processes share two cores with all the others.
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: ['default', closingLine()],
  },
});

export default config;
