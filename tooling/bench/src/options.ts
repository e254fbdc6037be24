import { parseArgs } from 'node:util';
import { scenarios, type Scenario } from './scenarios.ts';
import { subjects, type Subject } from './subjects/index.ts';

/** What the command line asks for. */
export interface Options {
  readonly scenarios: readonly Scenario[];
  readonly subjects: readonly Subject[];
  readonly rounds: number;
  /** Shortens each round; figures are then rough. */
  readonly quick: boolean;
  readonly jsonFile: string | undefined;
  /** Directory for a CPU profile of each Tulle variant. */
  readonly profileDirectory: string | undefined;
}

export const help: string = `Usage: pnpm bench [--scenario A,B] [--subject A,B] [--rounds N] [--quick] [--json FILE] [--profile DIR]

Measures CPU microseconds of the proxy process per request, side by side and interleaved, each subject pinned to one
core, client and origin on the other. Prints medians over the rounds with their spread, and what each subject has on.

  --scenario A,B   ${scenarios.map((s) => s.name).join(', ')} (default: all)
  --subject A,B    ${subjects.map((s) => s.name).join(', ')}, or a variant such as tulle/mesh (default: all)
  --rounds N       default 7, with --quick 3
  --quick          three short rounds
  --json FILE      rows {scenario, subject, variant, cpuUsPerRequest, requestsPerSecond, p50Ms, p99Ms, rssMb, rounds}
  --profile DIR    writes a CPU profile (.cpuprofile) of each Tulle variant into DIR; its figures then include profiling
  --help           this text

haproxy and nginx are measured where they are installed (Debian: apt-get install haproxy nginx) and named where not.
`;

/** @throws Error naming the word that is wrong and those that would be right */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: 'string' },
      subject: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      profile: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const rounds = values.rounds === undefined ? (values.quick ? 3 : 7) : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds ${values.rounds}: give a whole number of at least 1`);
  return {
    scenarios: pick(values.scenario, scenarios, '--scenario', (s) => [s.name]),
    subjects: pick(values.subject, subjects, '--subject', (s) => [s.name, `${s.name}/${s.variant}`]),
    rounds,
    quick: values.quick,
    jsonFile: values.json,
    profileDirectory: values.profile,
  };
}

function pick<T>(
  text: string | undefined,
  all: readonly T[],
  option: string,
  names: (item: T) => readonly string[],
): readonly T[] {
  if (text === undefined) return all;
  const wanted = text.split(',').map((word) => word.trim());
  for (const word of wanted) {
    if (!all.some((item) => names(item).includes(word))) {
      throw new Error(
        `${option} ${word}: there is none; choose from ${[...new Set(all.flatMap(names))].join(', ')}`,
      );
    }
  }
  return all.filter((item) => names(item).some((name) => wanted.includes(name)));
}
