/**
 * `npm run test:differential -- [--area NAME]… [--seed N] [--count N | --times N] [--case AREA/SEED/INDEX [--exchange N]] [--shrink]
 * [--protocol delta|state-of-the-world]`: the differential run by parts: areas with another seed, or one configuration again.
 */
import { parseArgs } from 'node:util';
import { wheel } from '../envoy/program.ts';
import { AREAS } from './areas/index.ts';
import type { Area } from './configuration.ts';
import { explanationsText, findingText, hitsOf } from './report.ts';
import { type AreaResult, runArea } from './run.ts';
import { shrink } from './shrink.ts';
import { openSides } from './sides.ts';

const { values } = parseArgs({
  options: {
    area: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string', default: '1' },
    count: { type: 'string' },
    times: { type: 'string', default: '1' },
    case: { type: 'string' },
    exchange: { type: 'string' },
    shrink: { type: 'boolean', default: false },
    protocol: { type: 'string', default: 'delta' },
    help: { type: 'boolean', short: 'h' },
  },
});

const HELP = `npm run test:differential -- [--area NAME]… [--seed N] [--count N | --times N] [--case AREA/SEED/INDEX] …

  --area NAME            an area, as often as wanted; all of them by default
  --seed N               what chance begins with, 1 by default
  --count N              configurations of each area; those of its short form by default
  --times N              the short form's so many times, 1 by default
  --case AREA/SEED/INDEX one configuration alone, as a finding names it
  --exchange N           the one exchange of each configuration that is compared, after those before it
  --shrink               makes each finding as small as it can be
  --protocol NAME        delta, or state-of-the-world
  -h, --help             this text

Areas: ${AREAS.map(({ name }) => name).join(', ')}

Ends with 0 where every difference is explained, 1 where one is not, 64 where it was called wrongly.`;

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

if (values.help === true) {
  console.log(HELP);
  process.exit(0);
}
const { protocol } = values;
if (protocol !== 'delta' && protocol !== 'state-of-the-world')
  usage(`--protocol ${protocol}: there are delta and state-of-the-world`);
const [caseArea = '', caseSeed, caseIndex] = values.case?.split('/') ?? [];
const seed = Number(caseSeed ?? values.seed);
const areas = values.case !== undefined ? [areaNamed(caseArea)] : values.area.map(areaNamed);
if (!Number.isInteger(seed)) usage(`the seed ${caseSeed ?? values.seed} is no whole number`);
const reason = await wheel.missing();
if (reason !== undefined) usage(`Envoy is missing: ${reason}`);
const sides = await openSides(protocol);
const results: AreaResult[] = [];
try {
  for (const area of areas.length > 0 ? areas : AREAS) {
    const indices =
      caseIndex !== undefined
        ? [Number(caseIndex)]
        : [...Array(Number(values.count ?? area.short * Number(values.times))).keys()];
    const result = await runArea(
      sides,
      area,
      seed,
      indices,
      values.exchange === undefined ? undefined : Number(values.exchange),
    );
    results.push(result);
    console.log(
      `${area.name}: ${result.cases} cases, seed ${seed}, ${result.findings.length} with unexplained differences`,
    );
    for (const finding of result.findings)
      console.log(findingText(values.shrink ? await shrink(sides, finding) : finding));
  }
} finally {
  await sides.close();
}
console.log(explanationsText(hitsOf(results)));
process.exitCode = results.some(({ findings }) => findings.length > 0) ? 1 : 0;
