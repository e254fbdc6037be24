/** One priority as far as shares of the load depend on it. */
export interface PriorityCount {
  /** Endpoints that count: all but those that are draining or have no weight. */
  readonly members: number;
  /** Those of them that may be picked before any that is degraded. */
  readonly usable: number;
  /** Those of them that may be picked where what is usable does not suffice. */
  readonly degraded: number;
  /** How much of the load the usable ones can take, percent, see {@link countOf}. */
  readonly capacity: number;
  /** Likewise the degraded ones. */
  readonly degradedCapacity: number;
}

/** What one priority gets. */
export interface PriorityLoad {
  /** Percent of all picks; with those of degraded endpoints whole numbers that add up to 100, or all 0 when nothing can be picked. */
  readonly percent: number;
  /** Percent of all picks that its degraded endpoints get. */
  readonly degradedPercent: number;
  /** So few of its endpoints may be picked that health is not believed: all of its members are. */
  readonly panic: boolean;
}

/** How the health of a priority counts; `undefined` for what nothing is said of (Envoy `ClusterLoadAssignment.Policy`). */
export interface HealthRules {
  /** Up to 1 - 100 / this of a priority may be out before load moves on. Default 140, so 29 %. */
  readonly overprovisioningPercent?: number | undefined;
  /** Endpoints count by their weights. Default false. */
  readonly weightedHealth?: boolean | undefined;
}

/** Envoy's `overprovisioning_factor`. */
export const OVERPROVISIONING_PERCENT: number = 140;

/** An endpoint as far as counting goes. */
interface Counted {
  readonly weight: number;
}

/** Counts the endpoints of one priority. @param members all of them */
export function countOf(
  members: readonly Counted[],
  usable: readonly Counted[],
  degraded: readonly Counted[],
  { overprovisioningPercent = OVERPROVISIONING_PERCENT, weightedHealth = false }: HealthRules = {},
): PriorityCount {
  const sizeOf = (some: readonly Counted[]): number =>
    weightedHealth ? some.reduce((sum, { weight }) => sum + weight, 0) : some.length;
  const total = sizeOf(members);
  const capacityOf = (some: readonly Counted[]): number =>
    total === 0 ? 0 : Math.min(100, Math.floor((overprovisioningPercent * sizeOf(some)) / total));
  return {
    members: members.length,
    usable: usable.length,
    degraded: degraded.length,
    capacity: capacityOf(usable),
    degradedCapacity: capacityOf(degraded),
  };
}

/**
 * Shares of the load over priorities, first to last, as in Envoy (`LoadBalancerBase::recalculatePerPriorityState`): each
 * takes as much as the usable share of its members, times 1.4, lets it; what is left goes to the next, and what all of them
 * leave to those that are degraded, likewise. Where all together cannot take everything, they share in that proportion, and
 * each that has less than `panicPercent` of its members left panics. When all panic, their members decide.
 * @param panicPercent 0: never panic
 */
export function priorityLoads(priorities: readonly PriorityCount[], panicPercent: number): PriorityLoad[] {
  const capacities = priorities.map(({ capacity }) => capacity);
  const degradedCapacities = priorities.map(({ degradedCapacity }) => degradedCapacity);
  const total = Math.min(100, sumOf(capacities) + sumOf(degradedCapacities));
  const panics = priorities.map(
    ({ members, usable, degraded }) =>
      total < 100 && members > 0 && (usable + degraded) * 100 < panicPercent * members,
  );
  const allPanic = priorities.every(({ members }, index) => members === 0 || panics[index] === true);
  const amounts = allPanic
    ? priorities.map(({ members }) => members)
    : [...capacities, ...degradedCapacities];
  const percents = inOrder(amounts, allPanic ? sumOf(amounts) : total);
  return priorities.map((_, index) => ({
    percent: percents[index] as number,
    degradedPercent: percents[index + priorities.length] ?? 0,
    panic: panics[index] === true,
  }));
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0);
}

/** Gives each its share of `total`, first come first served; what rounding leaves goes to the first that can have it. */
function inOrder(amounts: readonly number[], total: number): number[] {
  if (total === 0) return amounts.map(() => 0);
  let left = 100;
  const percents = amounts.map((amount) => {
    const percent = Math.min(left, Math.floor((amount * 100) / total));
    left -= percent;
    return percent;
  });
  const first = amounts.findIndex((amount) => amount > 0);
  percents[first] = (percents[first] as number) + left;
  return percents;
}
