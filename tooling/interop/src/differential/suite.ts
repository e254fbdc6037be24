import { envoyProgram, VERSION, wheel } from '../envoy/program.ts';
import { program } from '../needs.ts';
import type { RawProtocol } from '../raw/bootstrap.ts';
import type { Case, Opened, Suite } from '../suite.ts';
import { AREAS } from './areas/index.ts';
import type { Area } from './configuration.ts';
import { EXPLANATIONS } from './explained.ts';
import { LONG_FORM, protocolOf } from './long-form.ts';
import { areaText, hitsOf, tooManyFleeting, unexplainedOf, wholeText } from './report.ts';
import { type AreaResult, runArea } from './run.ts';
import { shrink } from './shrink.ts';
import { openSides, type Sides } from './sides.ts';

/** The seed of the short form. */
const SEED = 1;
/** What a run compares at least. */
const LEAST_CASES = 5_000;
/** Differences that may be meant. */
const MOST_EXPLANATIONS = 25;

const isNightly = process.env['TULLE_NIGHTLY'] === '1';

interface Run {
  readonly sides: ReadonlyMap<RawProtocol, Sides>;
  readonly results: AreaResult[];
}

async function open(): Promise<Opened<Run>> {
  await envoyProgram();
  const sides = new Map<RawProtocol, Sides>();
  for (const protocol of ['delta', 'state-of-the-world'] as const)
    if (isNightly || protocol === 'delta') sides.set(protocol, await openSides(protocol));
  return {
    context: { sides, results: [] },
    async close() {
      for (const one of sides.values()) await one.close();
    },
  };
}

function caseOf(area: Area, seed: number): Case<Run> {
  const count = area.short * (isNightly ? LONG_FORM.times : 1);
  const protocol: RawProtocol = isNightly ? protocolOf(seed) : 'delta';
  return {
    name: `${area.name}, configurations by ${protocol}`,
    async run({ sides, results }) {
      const both = sides.get(protocol) as Sides;
      const result = await runArea(both, area, seed, [...Array(count).keys()]);
      results.push(result);
      const [first, ...others] = result.findings;
      return areaText(
        first === undefined ? result : { ...result, findings: [await shrink(both, first), first, ...others] },
      );
    },
  };
}

const summary: Case<Run> = {
  name: 'every difference is explained, by a reviewed list',
  run({ results }) {
    const hits = hitsOf(results);
    const cases = results.reduce((sum, one) => sum + one.cases, 0);
    const unexplained = unexplainedOf(results);
    const text = wholeText(results);
    const faults: string[] = [];
    if (cases < LEAST_CASES) faults.push(`fewer than ${LEAST_CASES} cases`);
    if (unexplained > 0) faults.push(`${unexplained} cases with unexplained differences`);
    const fleeting = tooManyFleeting(results);
    if (fleeting !== undefined) faults.push(fleeting);
    if (EXPLANATIONS.length > MOST_EXPLANATIONS) faults.push(`more than ${MOST_EXPLANATIONS} explanations`);
    // In the short form chance may leave one out.
    const stale = [...hits].filter(([, count]) => count === 0).map(([id]) => id);
    if (isNightly && stale.length > 0) faults.push(`nothing is explained any more by ${stale.join(', ')}`);
    if (faults.length > 0) return Promise.reject(new Error(`${faults.join('; ')}\n${text}`));
    return Promise.resolve(text.replaceAll('\n', '\n    '));
  },
};

export const differentialSuite: Suite<Run> = {
  name: 'differential',
  about: `Configurations and requests of chance through Envoy ${VERSION} and through Tulle, compared in everything that is seen of them`,
  needs: [program('python3', 'apt-get install python3-venv'), wheel],
  open,
  cases: [
    ...(isNightly ? LONG_FORM.seeds : [SEED]).flatMap((seed) => AREAS.map((area) => caseOf(area, seed))),
    summary,
  ],
};
