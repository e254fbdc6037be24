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
  let cases = 0;
  let refusedByBoth = 0;
  for (let from = 0; from < indices.length; from += BATCH) {
    const batch = indices.slice(from, from + BATCH).map((index) => configurationOf(area, seed, index));
    const taken = await sides.put(batch);
    for (const [at, configuration] of batch.entries()) {
      const outcome = await ask(sides, configuration, taken[at] as Taken);
      if (outcome === 'refused by both') refusedByBoth++;
      else
        for (const [number, pair] of outcome.entries()) {
          if (only !== undefined && number !== only) continue;
          if (pair.exchange !== undefined) cases++;
          const { left, used } = judged(pair);
          for (const id of used) hits.set(id, (hits.get(id) ?? 0) + 1);
          if (left.length > 0) findings.push({ ...pair, differences: left });
        }
    }
  }
  return { area: area.name, seed, cases, configurations: indices.length, refusedByBoth, findings, hits };
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
