import type { Endpoint, EndpointSet, Locality } from '@tulle/model';
import type { Traffic } from './traffic.ts';

/**
 * The endpoints as a caller at `from` prefers them: by priority, nearest first. Priorities have no gaps, as xDS wants it.
 * The data plane does the rest: a priority spills over as its endpoints fail.
 */
export function preferNearest(
  set: EndpointSet,
  from: Locality,
  failover: NonNullable<Traffic['locality']>['failover'] = [],
): EndpointSet {
  const next = failover.find((pair) => pair.from === from.region)?.to;
  const ranks = set.endpoints.map(({ locality }) => distance(from, locality, next));
  const order = [...new Set(ranks)].toSorted((a, b) => a - b);
  const endpoints = set.endpoints.map((endpoint, index): Endpoint => {
    const priority = order.indexOf(ranks[index] as number);
    return priority === 0 ? endpoint : { ...endpoint, priority };
  });
  return { name: set.name, endpoints };
}

/** 0: the same place as far as the caller says where it is; 1: its zone; 2: its region; 3: where it fails over to; 4. */
function distance(from: Locality, to: Locality | undefined, next: string | undefined): number {
  if (to === undefined) return 4;
  // An EndpointSlice says the zone alone; names of zones begin with their region's.
  const sameZone = from.zone === undefined || to.zone === from.zone;
  const sameRegion = to.region === from.region || (to.region === '' && from.zone !== undefined && sameZone);
  if (!sameRegion) return to.region === next ? 3 : 4;
  if (!sameZone) return 2;
  return from.subZone === undefined || to.subZone === from.subZone ? 0 : 1;
}
