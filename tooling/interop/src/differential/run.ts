import { chanceOf } from './chance.ts';
import { type Difference, differencesOf } from './compare.ts';
import type { Area, Exchange, Named } from './configuration.ts';
import type { Pair } from './explained/pair.ts';
import { EXPLANATIONS } from './explained.ts';
import { observe } from './observe.ts';
import type { Side, Sides, Taken } from './sides.ts';

/** Configurations that are put at once. */
const BATCH = 20;

/** An exchange, or a configuration, of which something is not explained. */
export interface Finding {
  readonly configuration: Named;
  /** Absent: the configuration is taken by one side alone. */
  readonly exchange?: Exchange;
  readonly differences: readonly Difference[];
}

/** What came of one area with one seed. */
export interface AreaResult {
  readonly area: string;
  readonly seed: number;
  /** Exchanges that were compared. */
  readonly cases: number;
  readonly configurations: number;
  readonly refusedByBoth: number;
  readonly findings: readonly Finding[];
  /** What differed once and, asked again alone, no more: told by name, as load does so, and whatever else is a matter of luck. */
  readonly fleeting: readonly Finding[];
  /** How many exchanges each explanation explained something of. */
  readonly hits: ReadonlyMap<string, number>;
}

/** The configuration of a number. */
export function configurationOf(area: Area, seed: number, index: number): Named {
  return { id: `${area.name}/${seed}/${index}`, ...area.make(chanceOf(area.name, seed, index), index) };
}

/**
 * Puts configurations of an area to both sides, and asks both all of them.
 * @param only number of the one exchange of each that is compared, after those before it
 */
export async function runArea(
  sides: Sides,
  area: Area,
  seed: number,
  indices: readonly number[],
  only?: number,
): Promise<AreaResult> {
  const hits = new Map<string, number>();
  const findings: Finding[] = [];
  const fleeting: Finding[] = [];
  let cases = 0;
  let refusedByBoth = 0;
  for (let from = 0; from < indices.length; from += BATCH) {
    const batch = indices.slice(from, from + BATCH).map((index) => configurationOf(area, seed, index));
    const taken = await sides.put(batch);
    const found: Finding[] = [];
    for (const [at, configuration] of batch.entries()) {
      const outcome = await ask(sides, configuration, taken[at] as Taken);
      if (outcome === 'refused by both') refusedByBoth++;
      else
        for (const [number, pair] of outcome.entries()) {
          if (only !== undefined && number !== only) continue;
          if (pair.exchange !== undefined) cases++;
          const { left, used } = judged(pair);
          for (const id of used) hits.set(id, (hits.get(id) ?? 0) + 1);
          if (left.length > 0) found.push({ ...pair, differences: left });
        }
    }
    // Behind the batch, whose listeners are gone then.
    for (const finding of found) ((await showsAgain(sides, finding)) ? findings : fleeting).push(finding);
  }
  return {
    area: area.name,
    seed,
    cases,
    configurations: indices.length,
    refusedByBoth,
    findings,
    fleeting,
    hits,
  };
}

/** How often a finding has to show again, alone, to be one. */
const AGAIN = 2;

/** Whether a finding shows each time that its configuration is put alone and asked everything up to it. */
async function showsAgain(sides: Sides, { configuration, exchange }: Finding): Promise<boolean> {
  const { exchanges } = configuration;
  const upTo = exchange === undefined ? exchanges : exchanges.slice(0, exchanges.indexOf(exchange) + 1);
  for (let i = 0; i < AGAIN; i++) {
    // Under a name of its own, as what is there already under that of another goes on.
    const one = { ...configuration, id: `${configuration.id}~again${i}`, exchanges: upTo };
    const [taken] = await sides.put([one]);
    const outcome = await ask(sides, one, taken as Taken);
    const last = outcome === 'refused by both' ? undefined : outcome.at(-1);
    if (last === undefined || judged(last).left.length === 0) return false;
  }
  return true;
}

/** Asks both sides everything of one configuration, which they have. */
export async function ask(
  sides: Sides,
  configuration: Named,
  { ports, refused }: Taken,
): Promise<readonly Pair[] | 'refused by both'> {
  const { envoy, tulle } = refused;
  if (envoy !== undefined && tulle !== undefined) return 'refused by both';
  if (envoy !== undefined || tulle !== undefined)
    return [
      {
        configuration,
        differences: [{ aspect: 'taken', envoy: envoy ?? 'taken', tulle: tulle ?? 'taken' }],
      },
    ];
  const pairs: Pair[] = [];
  const [first, second] = sides.sides as readonly [Side, Side];
  for (const exchange of configuration.exchanges) {
    const observations = await observe(sides, ports, exchange);
    const differences = differencesOf(observations, exchange, {
      envoy: { listener: ports.envoy, origins: first.origins.ports },
      tulle: { listener: ports.tulle, origins: second.origins.ports },
    });
    pairs.push({ configuration, exchange, observations, differences });
  }
  return pairs;
}

/** What of a pair is not explained, and by what the rest is. */
export function judged(pair: Pair): {
  readonly left: readonly Difference[];
  readonly used: ReadonlySet<string>;
} {
  const left: Difference[] = [];
  const used = new Set<string>();
  for (const difference of pair.differences) {
    const by = EXPLANATIONS.find((one) => one.explains(difference, pair));
    if (by === undefined) left.push(difference);
    else used.add(by.id);
  }
  return { left, used };
}
