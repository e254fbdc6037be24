import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { scenarios, type Scenario } from './scenarios.ts';
import { studies, type Study } from './studies/index.ts';
import { baseline, subjects, type Subject } from './subjects/index.ts';

/** What the command line asks for. */
export interface Options {
  readonly scenarios: readonly Scenario[];
  readonly studies: readonly Study[];
  readonly subjects: readonly Subject[];
  /** Whether they were named. */
  readonly subjectsChosen: boolean;
  readonly rounds: number;
  /** Length of a round; the scenario's own where it is not given. */
  readonly roundMs: number | undefined;
  readonly jsonFile: string | undefined;
  /** Directory for charts. */
  readonly chartsDirectory: string | undefined;
  /** Page whose figures are replaced. */
  readonly figuresFile: string | undefined;
  /** Results of an earlier run, of which charts and figures are made instead of measuring. */
  readonly fromFile: string | undefined;
  /** Length of the long stream of `slow-reader`, bytes. */
  readonly streamBytes: number;
  /** Directory for a CPU profile of each Tulle variant. */
  readonly profileDirectory: string | undefined;
  /** Measure the engine without a kernel, nothing else. */
  readonly engine: boolean;
  /** Hold what the engine takes against its bounds. */
  readonly guard: boolean;
  /** Measure what telemetry costs: bare against observed, without a kernel and over sockets. */
  readonly overhead: boolean;
  /** Measure the memory of idle sidecars, nothing else. */
  readonly idleSidecar: boolean;
  /** Another checkout to compare with. */
  readonly baselineCheckout: string | undefined;
}

export const help: string = `Usage: pnpm bench [--scenario A,B] [--subject A,B] [--rounds N] [--round-ms N] [--quick]
                  [--json FILE] [--charts DIR] [--figures FILE] [--from FILE] [--bytes N]
                  [--profile DIR] [--baseline DIR [--baseline-node-option=OPT]] [--engine] [--guard] [--overhead]
                  [--idle-sidecar]

Measures CPU microseconds of the proxy process per request, side by side and interleaved, each subject pinned to one
core, client and origin on the other. Prints medians over the rounds with their spread, and what each subject has on.
Ratios are taken round by round, so that what the machine does to a round meets both numbers.

  --scenario A,B   default: all of
${[...scenarios, ...studies].map(({ name, about }) => `                     ${name.padEnd(20)}${about}`).join('\n')}
  --subject A,B    ${[...new Set(subjects.map((s) => s.name))].join(', ')}, or a variant such as tulle/mesh (default: all)
  --rounds N       default 7, with --quick 3
  --round-ms N     length of a round, default 2000; on a machine that does other things too, many short rounds
                   (--rounds 41 --round-ms 500) settle better than few long ones
  --quick          three rounds of 1000 ms
  --json FILE      { startedAt, node, machine, rows, failures, skipped, studies }, written anew after each scenario; a row
                   is {scenario, subject, variant, cpuUsPerRequest, cpuUserUs, cpuSystemUs, cpuUsOfRounds,
                   requestsPerSecond, p50Ms, p99Ms, rssMb, rounds}
  --charts DIR     a chart (SVG) of each scenario into DIR
  --figures FILE   writes the tables into a page, between its marks (docs/performance.md; its charts stand in charts/)
  --from FILE      measures nothing, makes charts and figures of what --json wrote
  --bytes N        length of the long stream of slow-reader, default 1e9 (--bytes 1e10 for 10 GB)
  --profile DIR    writes a CPU profile (.cpuprofile) of each Tulle variant into DIR and prints where its time went;
                   its figures then include profiling
  --baseline DIR   another checkout of this repository, installed: its Tulle is measured too, beside this one
  --baseline-node-option=OPT
                   an option of Node for that one; with --baseline . what an option costs: --max-semi-space-size=16
  --engine         instead of all that, the engine without a kernel: user time and bytes allocated a request
  --guard          the same with three processes, and fails where a request allocates more than its bound, or the mesh set
                   costs too many times what forwarding does: both hardly move with the machine
  --overhead       what telemetry costs: the engine without a kernel with each part of it, then tulle/bare and
                   tulle/observed over sockets (http1-small unless --scenario says other)
  --idle-sidecar   instead of all that, resident memory of an idle sidecar with 100 services and 1,000 endpoints, some
                   half a minute
  --help           this text

haproxy and nginx are measured where they are installed (Debian: apt-get install haproxy nginx) and named where not; envoy
comes as a wheel from PyPI, where python3 can make virtual environments. HTTP/2 load is h2load's (Debian: nghttp2-client) where that is
installed. A subject that fails is named and left out; the others' figures are kept, and the exit code is 1.
A scenario takes (rounds + 1) × subjects × round length and some ten seconds. Studies have lengths of their own: overload, whose
rounds are not shortened by --round-ms, takes 50 s a round, six minutes in all; docs/performance.md tells those of the others.
`;

/** @throws Error naming the word that is wrong and those that would be right */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: 'string' },
      subject: { type: 'string' },
      rounds: { type: 'string' },
      'round-ms': { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      charts: { type: 'string' },
      figures: { type: 'string' },
      from: { type: 'string' },
      bytes: { type: 'string' },
      profile: { type: 'string' },
      baseline: { type: 'string' },
      'baseline-node-option': { type: 'string', multiple: true },
      engine: { type: 'boolean', default: false },
      guard: { type: 'boolean', default: false },
      overhead: { type: 'boolean', default: false },
      'idle-sidecar': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const rounds = count(values.rounds, '--rounds', 1) ?? (values.quick || values.guard ? 3 : 7);
  const roundMs = count(values['round-ms'], '--round-ms', 100) ?? (values.quick ? 1000 : undefined);
  if (values.from !== undefined && values.charts === undefined && values.figures === undefined)
    throw new Error('--from FILE: say with --charts DIR or --figures FILE what is made of it');
  const picked = pick<Scenario | Study>(
    values.scenario ?? (values.overhead ? 'http1-small' : undefined),
    [...scenarios, ...studies],
    '--scenario',
    (s) => [s.name],
  );
  return {
    scenarios: scenarios.filter((scenario) => picked.includes(scenario)),
    studies: studies.filter((study) => picked.includes(study)),
    subjects: withBaseline(
      pick(
        values.subject ?? (values.overhead ? 'tulle/bare,tulle/observed' : undefined),
        subjects,
        '--subject',
        (s) => [s.name, `${s.name}/${s.variant}`],
      ),
      values.baseline,
      values['baseline-node-option'] ?? [],
    ),
    subjectsChosen: values.subject !== undefined,
    rounds,
    roundMs,
    jsonFile: values.json,
    chartsDirectory: values.charts,
    figuresFile: values.figures,
    fromFile: values.from,
    streamBytes: count(values.bytes, '--bytes', 1_000_000) ?? 1_000_000_000,
    profileDirectory: values.profile,
    engine: values.engine || values.guard,
    guard: values.guard,
    overhead: values.overhead,
    idleSidecar: values['idle-sidecar'],
    baselineCheckout: values.baseline,
  };
}

function count(text: string | undefined, option: string, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new Error(`${option} ${text}: give a whole number of at least ${least}`);
  return value;
}

/** Each Tulle variant gets the other checkout's beside it. */
function withBaseline(
  picked: readonly Subject[],
  checkout: string | undefined,
  nodeOptions: readonly string[],
): readonly Subject[] {
  if (checkout === undefined) return picked;
  return picked.flatMap((subject) =>
    subject.name === 'tulle' && subject.variant !== 'plain'
      ? [subject, baseline(subject.variant, resolve(checkout), nodeOptions)]
      : [subject],
  );
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
