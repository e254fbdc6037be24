/**
 * `npm run test:differential -- [--long] [--area NAME]… [--seed N|FROM-TO]… [--count N | --times N] [--case AREA/SEED/INDEX
 * [--exchange N]] [--shrink] [--protocol delta|state-of-the-world] | --fields`: the differential run by itself: whole, by parts, or one configuration again.
 */
import { parseArgs } from 'node:util';
import { wheel } from '../envoy/program.ts';
import type { RawProtocol } from '../raw/bootstrap.ts';
import { AREAS } from './areas/index.ts';
import type { Area } from './configuration.ts';
import { coverageOf, coverageText } from './coverage.ts';
import { LONG_FORM, protocolOf, seedsOf } from './long-form.ts';
import { findingText, MOST_FLEETING, tooManyFleeting, unexplainedOf, wholeText } from './report.ts';
import { type AreaResult, runArea } from './run.ts';
import { shrink } from './shrink.ts';
import { openSides } from './sides.ts';

const { values } = parseArgs({
  options: {
    long: { type: 'boolean', default: false },
    area: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string', multiple: true, default: [] },
    count: { type: 'string' },
    times: { type: 'string' },
    case: { type: 'string' },
    exchange: { type: 'string' },
    shrink: { type: 'boolean', default: false },
    protocol: { type: 'string' },
    fields: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h' },
  },
});

const HELP = `npm run test:differential -- [--long] [--area NAME]… [--seed N|FROM-TO]… [--case AREA/SEED/INDEX] …

  --long                 what runs every night: seeds ${LONG_FORM.seeds[0]} to ${LONG_FORM.seeds.at(-1)}, ${LONG_FORM.times} times the short form's configurations of
                         each, by delta and state of the world in turn, but for what is said otherwise beside it
  --area NAME            an area, as often as wanted; all of them by default
  --seed N|FROM-TO       what chance begins with, as often as wanted; 1 by default
  --count N              configurations of each area; those of its short form by default
  --times N              the short form's so many times, 1 by default
  --case AREA/SEED/INDEX one configuration alone, as a finding names it
  --exchange N           the one exchange of each configuration that is compared, after those before it
  --shrink               makes each finding as small as it can be
  --protocol NAME        delta, or state-of-the-world
  --fields               asks nobody: says which of the fields that Tulle honours no configuration of all this has
  -h, --help             this text

Areas: ${AREAS.map(({ name }) => name).join(', ')}

Prints what each area comes to, findings in full, and in the end seeds, cases, and how often each explanation was needed.
Ends with 0 where every difference is explained, 1 where one is not or more than ${MOST_FLEETING} show under load only, 64 where it was called wrongly.`;

function usage(text: string): never {
  console.error(text);
  process.exit(64);
}

function areaNamed(name: string): Area {
  return (
    AREAS.find((one) => one.name === name) ??
    usage(`no area is called ${name}; there are ${AREAS.map((one) => one.name).join(', ')}`)
  );
}

/** A whole number from 0 that an option gives. */
function numberOf(option: string, text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : usage(`--${option} ${text}: a whole number is wanted`);
}

function protocolNamed(name: string): RawProtocol {
  return name === 'delta' || name === 'state-of-the-world'
    ? name
    : usage(`--protocol ${name}: there are delta and state-of-the-world`);
}

if (values.help === true) {
  console.log(HELP);
  process.exit(0);
}
const [caseArea = '', caseSeed = '', caseIndex = ''] = values.case?.split('/') ?? [];
const isOne = values.case !== undefined;
const seeds = isOne
  ? [numberOf('case', caseSeed)]
  : values.seed.length > 0
    ? values.seed.flatMap(
        (text) => seedsOf(text) ?? usage(`--seed ${text}: a whole number, or two as in 1-10`),
      )
    : values.long
      ? LONG_FORM.seeds
      : [1];
const asked = isOne ? [caseArea] : values.area;
const areas = asked.length > 0 ? asked.map(areaNamed) : AREAS;
const index = isOne ? numberOf('case', caseIndex) : undefined;
const count = values.count === undefined ? undefined : numberOf('count', values.count);
const times = numberOf('times', values.times ?? String(values.long ? LONG_FORM.times : 1));
const exchange = values.exchange === undefined ? undefined : numberOf('exchange', values.exchange);
const protocol = values.protocol === undefined ? undefined : protocolNamed(values.protocol);
if (values.fields) {
  console.log(coverageText(coverageOf(areas, seeds, times)));
  process.exit(0);
}
const reason = await wheel.missing();
if (reason !== undefined) usage(`Envoy is missing: ${reason}`);

const results: AreaResult[] = [];
for (const seed of seeds) {
  const by = protocol ?? (values.long ? protocolOf(seed) : 'delta');
  // New ones for each seed: what a long life would do to a proxy is not asked here.
  const sides = await openSides(by);
  try {
    for (const area of areas) {
      const indices = index === undefined ? [...Array(count ?? area.short * times).keys()] : [index];
      const result = await runArea(sides, area, seed, indices, exchange);
      results.push(result);
      console.log(
        `${area.name}: ${result.cases} cases, seed ${seed} by ${by}, ${result.findings.length} with unexplained differences${result.fleeting.length === 0 ? '' : `, ${result.fleeting.length} under load only`}`,
      );
      for (const finding of result.findings)
        console.log(findingText(values.shrink ? await shrink(sides, finding) : finding));
    }
  } finally {
    await sides.close();
  }
}
console.log(wholeText(results));
const fleeting = tooManyFleeting(results);
if (fleeting !== undefined) console.log(fleeting);
process.exitCode = unexplainedOf(results) > 0 || fleeting !== undefined ? 1 : 0;
