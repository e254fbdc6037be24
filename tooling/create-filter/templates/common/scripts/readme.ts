// `npm run docs` writes the table of options in README.md from the schema; with --check it only compares.
import { readFileSync, writeFileSync } from 'node:fs';
import { withOptionTable } from '@tulle/filter-compliance';
import { sample } from '../src/filter.ts';

const file = new URL('../README.md', import.meta.url);
const readme = readFileSync(file, 'utf8');
const made = withOptionTable(readme, sample.definition.config.jsonSchema);
if (!process.argv.includes('--check')) {
  writeFileSync(file, made);
} else if (made !== readme) {
  process.stderr.write('README.md does not show the options of the schema; run npm run docs\n');
  process.exitCode = 1;
}
