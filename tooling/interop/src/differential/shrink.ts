import type { Named } from './configuration.ts';
import { ask, type Finding, judged } from './run.ts';
import type { Sides, Taken } from './sides.ts';

/** Attempts at one finding. */
const MOST = 300;

/** Where something stands in a JSON value. */
type Path = readonly (string | number)[];

/**
 * Leaves out of a configuration, piece by piece, whatever the finding does not need.
 * @returns the smallest that still shows it, with what it shows; the finding itself where it does not show again
 */
export async function shrink(sides: Sides, finding: Finding): Promise<Finding> {
  const { configuration, exchange } = finding;
  const wanted = essenceOf(finding);
  let attempts = 0;
  const shows = async (smaller: Named): Promise<Finding | undefined> => {
    // Under a name of its own, as what is there already under that of another goes on.
    const one = { ...smaller, id: `${configuration.id}~${++attempts}` };
    try {
      const [taken] = await sides.put([one]);
      const pairs = await ask(sides, one, taken as Taken);
      if (pairs === 'refused by both') return undefined;
      const last = pairs.at(-1);
      const left = last === undefined ? [] : judged(last).left;
      return left.length > 0 && essenceOf({ differences: left }) === wanted
        ? { ...last, configuration: one, differences: left }
        : undefined;
    } catch {
      return undefined; // what is left out made no configuration at all
    }
  };
  // What earlier exchanges left behind may matter, so they go only where it does not.
  const upTo = configuration.exchanges.slice(
    0,
    exchange === undefined ? 0 : configuration.exchanges.indexOf(exchange) + 1,
  );
  let best = await shows({ ...configuration, exchanges: upTo.slice(-1) });
  best ??= await shows({ ...configuration, exchanges: upTo });
  if (best === undefined) return finding;
  for (let again = true; again && attempts < MOST;) {
    again = false;
    for (const path of pathsOf(best.configuration)) {
      if (attempts >= MOST) break;
      const smaller = without(best.configuration, path);
      if (smaller === undefined) continue;
      const found = await shows(smaller);
      if (found === undefined) continue;
      best = found;
      again = true;
    }
  }
  return best;
}

/** What must stay the same for it to be the same finding: the statuses where they differ, else what differs first. */
function essenceOf({ differences }: Pick<Finding, 'differences'>): string | undefined {
  const status = differences.find(({ aspect }) => aspect === 'reply.status');
  return status === undefined ? differences[0]?.aspect : `${status.envoy} ${status.tulle}`;
}

/** Everything that can be left out, the largest first. */
function pathsOf(configuration: Named): Path[] {
  const paths: Path[] = [];
  const walk = (value: unknown, path: Path): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, part] of Object.entries(value).toReversed()) {
      const here = [...path, Array.isArray(value) ? Number(key) : key];
      if (key !== '@type' && key !== 'name' && !(key === 'routes' && path.length === 0)) paths.push(here);
      walk(part, here);
    }
  };
  const { id: _id, exchanges, ...parts } = configuration;
  walk(parts, []);
  if (exchanges.length > 1) for (const i of exchanges.slice(0, -1).keys()) paths.push(['exchanges', i]);
  walk(exchanges.at(-1), ['exchanges', exchanges.length - 1]);
  return paths.toSorted((one, other) => one.length - other.length);
}

/** @returns `undefined` where it is not there any more */
function without(configuration: Named, path: Path): Named | undefined {
  const copy = structuredClone(configuration);
  let at: unknown = copy;
  for (const key of path.slice(0, -1)) at = (at as Record<string | number, unknown> | undefined)?.[key];
  const last = path.at(-1) as string | number;
  if (typeof at !== 'object' || at === null || !(last in at)) return undefined;
  if (Array.isArray(at)) at.splice(Number(last), 1);
  else delete (at as Record<string, unknown>)[last];
  return copy;
}
