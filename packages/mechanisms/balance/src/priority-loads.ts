/** One priority as far as shares of the load depend on it. */
export interface PriorityCount {
  /** Endpoints that count: all but those that are draining or have no weight. */
  readonly members: number;
  /** Those of them that may be picked. */
  readonly usable: number;
}

/** What one priority gets. */
export interface PriorityLoad {
  /** Percent of all picks; whole numbers that add up to 100, or all 0 when nothing can be picked. */
  readonly percent: number;
  /** So few of its endpoints may be picked that health is not believed: all of its members are. */
  readonly panic: boolean;
}

/** Envoy's `overprovisioning_factor` (default there, 1.4): up to 29 % of a priority may be out before load moves on. */
const OVERPROVISIONING_PERCENT = 140;

/**
 * Shares of the load over priorities, first to last, as in Envoy (`LoadBalancerBase::recalculatePerPriorityState`): each
 * takes as much as the usable share of its members, times 1.4, lets it; what is left goes to the next. Where all
 * together cannot take everything, they share in that proportion, and each that has less usable members than
 * `panicPercent` panics. When all panic, their members decide.
 * @param panicPercent 0: never panic
 */
export function priorityLoads(priorities: readonly PriorityCount[], panicPercent: number): PriorityLoad[] {
  const capacities = priorities.map(({ members, usable }) =>
    members === 0 ? 0 : Math.min(100, Math.floor((OVERPROVISIONING_PERCENT * usable) / members)),
  );
  const total = Math.min(
    100,
    capacities.reduce((sum, capacity) => sum + capacity, 0),
  );
  const panics = priorities.map(
    ({ members, usable }) => total < 100 && members > 0 && usable * 100 < panicPercent * members,
  );
  const allPanic = priorities.every(({ members }, index) => members === 0 || panics[index] === true);
  const amounts = allPanic ? priorities.map(({ members }) => members) : capacities;
  const percents = inOrder(amounts, allPanic ? amounts.reduce((sum, amount) => sum + amount, 0) : total);
  return percents.map((percent, index) => ({ percent, panic: panics[index] === true }));
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
