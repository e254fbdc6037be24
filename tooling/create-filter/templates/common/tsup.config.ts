import { defineConfig } from 'tsup';

export default defineConfig({
  entry: { index: 'src/filter.ts' },
  format: 'esm',
  target: 'node22',
  clean: true,
  dts: true,
});
