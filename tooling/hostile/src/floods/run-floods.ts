import type { Target } from '../client.ts';
import { RawClient } from '../http2/client.ts';
import { headers, rst } from '../http2/frames.ts';
import { request } from '../http2/http2-case.ts';
import { numbering } from '../jobs.ts';
import type { Fault, Result } from '../verdict.ts';
import { ATTACK_MS, MEMORY_BYTES, sleep, type AttackTerms, type Outcome } from './attack.ts';
import { CLIENT_ATTACKS } from './client-attacks.ts';
import { FloodLab, type Watched } from './flood-lab.ts';
import { ORIGIN_ATTACKS, type OriginAttack, type OriginOutcome } from './origin-attacks.ts';

/**
 * The background's 99th percentile may double: over what it was without attack, and over what the same callers have
 * meanwhile at a proxy that is left alone. Below this it is not judged: two busy cores alone make it jump so far.
 */
const P99_FLOOR_MS = 100;
/** Slow so many times in a row: that is the attack. */
const SLOW_RUNS = 3;
/** Requests to an origin that refuses connections, and what one may cost the proxy. */
const REFUSED_REQUESTS = 500;

interface Attack extends AttackTerms {
  readonly group: string;
  readonly run: (
    lab: FloodLab,
  ) => Promise<{ readonly outcome: Outcome | undefined; readonly faults: readonly Fault[] }>;
}

const ATTACKS: readonly Attack[] = [
  ...CLIENT_ATTACKS.map((it): Attack => ({
    ...it,
    group: 'floods from clients',
    run: async (lab) => ({
      outcome: await lab.order({ kind: 'client', what: it.what, target: lab.target }),
      faults: [],
    }),
  })),
  ...ORIGIN_ATTACKS.map((it): Attack => ({
    ...it,
    group: 'floods from origins',
    run: (lab) => fromOrigin(lab, it),
  })),
  {
    what: `an origin that refuses connections, ${REFUSED_REQUESTS} requests`,
    group: 'floods from origins',
    run: async (lab) => {
      const statuses = await lab.ask('/refused', REFUSED_REQUESTS);
      return { outcome: undefined, faults: badAnswers(statuses) };
    },
  },
];

/** Runs the exhaustion list against one proxy, one attack after the other. @param onResult told of each as it ends */
export async function runFloods(
  filter: string,
  onResult: (result: Result, line: string) => void = () => {},
): Promise<Result[]> {
  const idOf = numbering();
  const attacks = ATTACKS.map((attack) => ({ attack, id: idOf('flood', 'hostile') })).filter(
    ({ id, attack }) => `${id} ${attack.group}`.includes(filter) || attack.what.includes(filter),
  );
  if (attacks.length === 0) return [];
  const lab = new FloodLab();
  await lab.start();
  const results: Result[] = [];
  try {
    for (const { attack, id } of attacks) {
      let calmP99Ms = lab.quietP99Ms;
      let result = await runOnce(lab, attack, id, calmP99Ms);
      // callers are slow for many reasons on a busy machine; an attack is one that comes again
      for (let again = 1; again < SLOW_RUNS && isOnlySlow(result.result); again++) {
        calmP99Ms = Math.max(calmP99Ms, result.controlP99Ms);
        result = await runOnce(lab, attack, id, calmP99Ms);
      }
      results.push(result.result);
      onResult(result.result, result.line);
      await sleep(200);
    }
  } finally {
    await lab.stop();
  }
  return results;
}

/** @param calmP99Ms 99th percentile of the background where nobody attacks, the most that was seen */
async function runOnce(
  lab: FloodLab,
  attack: Attack,
  id: string,
  calmP99Ms: number,
): Promise<{ readonly result: Result; readonly line: string; readonly controlP99Ms: number }> {
  const result: Result = {
    id,
    side: 'flood',
    kind: 'hostile',
    group: attack.group,
    shown: attack.what,
    runs: 1,
    faults: [],
  };
  let outcome: Outcome | undefined;
  const watched = await lab.watch(async () => {
    const run = await attack.run(lab);
    outcome = run.outcome;
    result.faults.push(...run.faults);
  });
  result.faults.push(...judge(attack, outcome, watched, calmP99Ms));
  return { result, line: describe(attack, outcome, watched), controlP99Ms: watched.control.p99Ms };
}

const isOnlySlow = ({ faults }: Result): boolean =>
  faults.length > 0 && faults.every(({ finding }) => finding === 'others slow');

/** What of an attack was more than it may be. */
export function judge(
  attack: AttackTerms,
  outcome: Outcome | undefined,
  watched: Watched,
  calmP99Ms: number,
): Fault[] {
  const faults: Fault[] = [];
  const { overWithinMs } = attack;
  if (
    overWithinMs !== undefined &&
    !(outcome?.overAfterMs !== undefined && outcome.overAfterMs <= overWithinMs)
  )
    faults.push({
      finding: 'hung',
      what:
        outcome?.overAfterMs === undefined
          ? 'went on until its time was over'
          : `ended after ${Math.round(outcome.overAfterMs)} ms, not ${overWithinMs}`,
    });
  if (outcome?.fault !== undefined) faults.push({ finding: 'bad response', what: outcome.fault });
  const memoryBytes = attack.memoryBytes ?? MEMORY_BYTES;
  if (watched.grownBytes > memoryBytes)
    faults.push({ finding: 'memory', what: `grew by ${mebi(watched.grownBytes)}, not ${mebi(memoryBytes)}` });
  const { errors, p99Ms, requests } = watched.seen;
  if (errors.length > 0)
    faults.push({
      finding: 'others failed',
      what: `${errors.length} of ${requests + errors.length}: ${[...new Set(errors)].join(', ').slice(0, 200)}`,
    });
  const control = watched.control.p99Ms;
  if (requests === 0 || p99Ms > Math.max(2 * calmP99Ms, 2 * control, P99_FLOOR_MS))
    faults.push({
      finding: 'others slow',
      what: `99th percentile ${p99Ms.toFixed(1)} ms of ${requests}, calm ${calmP99Ms.toFixed(1)} ms, elsewhere ${control.toFixed(1)} ms`,
    });
  return faults;
}

const mebi = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

function describe(
  attack: AttackTerms,
  outcome: Outcome | undefined,
  { grownBytes, cpuMs, seen, control }: Watched,
): string {
  const over =
    outcome?.overAfterMs === undefined
      ? '      –'
      : `${String(Math.round(outcome.overAfterMs)).padStart(4)} ms`;
  return `${over}  ${mebi(grownBytes).padStart(9)}  ${String(Math.round(cpuMs)).padStart(5)} ms CPU  ${mebi(outcome?.bytesSent ?? 0).padStart(9)} sent  p99 ${seen.p99Ms.toFixed(1).padStart(6)} ms (elsewhere ${control.p99Ms.toFixed(1)})  ${seen.errors.length} errors  ${attack.what}`;
}

function badAnswers(statuses: readonly number[]): Fault[] {
  const good = statuses.filter((status) => status > 0 && status < 500).length;
  return good === 0
    ? []
    : [{ finding: 'bad response', what: `${good} answers below 500 of an origin that gave none` }];
}

async function fromOrigin(
  lab: FloodLab,
  it: OriginAttack,
): Promise<{ readonly outcome: Outcome | undefined; readonly faults: readonly Fault[] }> {
  await lab.order({ kind: 'begin', what: it.what });
  const faults: Fault[] = [];
  const from = performance.now();
  let answeredAfterMs: number | undefined;
  if (it.mostStreams !== undefined) await resetCalls(lab.target);
  else {
    const asked = lab.ask('/evil', it.requests ?? 1).then((statuses) => {
      answeredAfterMs = performance.now() - from;
      if (it.mayAnswer !== true) faults.push(...badAnswers(statuses));
    });
    await Promise.race([asked, sleep(Math.max(ATTACK_MS, it.overWithinMs ?? 0))]);
  }
  // a flood that outlives the answer shows: the connection stays
  if (it.flood !== undefined) await sleep(300);
  const outcome = (await lab.order({ kind: 'end' })) as OriginOutcome;
  const { requests, mostStreams } = outcome;
  if (requests === 0) faults.push({ finding: 'not passed', what: 'no request reached the origin' });
  if (it.mostRequests !== undefined && requests > it.mostRequests)
    faults.push({
      finding: 'extra',
      what: `${requests} requests at the origin for ${it.requests ?? 1}, not ${it.mostRequests} at most`,
    });
  if (it.mostStreams !== undefined && mostStreams > it.mostStreams)
    faults.push({
      finding: 'extra',
      what: `${mostStreams} streams at once at an origin that allows ${it.mostStreams}`,
    });
  return { outcome: it.flood === undefined ? { ...outcome, overAfterMs: answeredAfterMs } : outcome, faults };
}

/** Callers who ask and reset at once, on connection after connection: what the origin has open must stay within its bound. */
async function resetCalls(target: Target): Promise<void> {
  const from = performance.now();
  while (performance.now() - from < ATTACK_MS) {
    const client = new RawClient(target);
    client.hello();
    for (let at = 0; at < 60 && !client.closed; at++) {
      const id = at * 2 + 1;
      client.send(headers(id, request('GET', '/evil')));
      if (at % 3 === 2) await sleep(1);
      if (at % 2 === 0) client.send(rst(id));
    }
    await sleep(20);
    client.destroy();
  }
}
