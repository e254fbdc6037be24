/**
 * `pnpm test:interop [--help] [--repeat N] [SUITE…]`: Tulle against other people's implementations. A suite whose tools this machine
 * lacks is skipped, case by case, with the reason. Ends with the sum of all cases.
 */
import { parseArgs } from 'node:util';
import type { Tally } from './suite.ts';
import { suites } from './suites.ts';

const { values, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean', short: 'h' }, repeat: { type: 'string', default: '1' } },
});
if (values.help === true) {
  console.log(usage());
  process.exit(0);
}
const repeat = Number(values.repeat);
const unknown = wanted.filter((name) => !suites.some((suite) => suite.name === name));
if (unknown.length > 0 || !Number.isInteger(repeat) || repeat < 1) {
  console.error(
    unknown.length > 0
      ? `no suite is called ${unknown.join(', ')}; there are ${suites.map(({ name }) => name).join(', ')}`
      : `--repeat ${values.repeat}: how often a suite runs is a number from 1`,
  );
  process.exit(64);
}

function usage(): string {
  const width = Math.max(...suites.map(({ name }) => name.length));
  return [
    'npm run test:interop -- [--repeat N] [SUITE…]',
    '',
    '  SUITE       those that run, in the order below; all of them by default',
    '  --repeat N  each N times, 1 by default',
    '  -h, --help  this text',
    '',
    'TULLE_NIGHTLY=1 has the suite differential ask more seeds, in both protocols. By parts it runs with',
    'npm run test:differential -- --help. What a suite lacks on this machine is said, and its cases are skipped.',
    '',
    'Suites:',
    ...suites.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`),
    '',
    'Ends with 0 where no case failed, 1 where one did, 64 where it was called wrongly.',
  ].join('\n');
}

const sum: Tally = { passed: 0, failed: 0, skipped: 0 };
for (const suite of suites) {
  if (wanted.length > 0 && !wanted.includes(suite.name)) continue;
  for (let round = 1; round <= repeat; round++) {
    if (repeat > 1) console.log(`round ${round} of ${repeat}`);
    const tally = await suite.run((line) => console.log(line));
    sum.passed += tally.passed;
    sum.failed += tally.failed;
    sum.skipped += tally.skipped;
  }
}
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.failed > 0 ? 1 : 0;
