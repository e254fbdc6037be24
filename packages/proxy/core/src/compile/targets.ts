import type { UpstreamRef } from '../sides.ts';
import type { ForwardTarget, HeaderTargets } from './compiled.ts';

/** A target but for where it leads. */
export type TargetParts = Omit<ForwardTarget, 'cluster' | 'ref' | 'named'>;

/** Where requests go that name no cluster there is. */
export const NO_CLUSTER: UpstreamRef = Object.freeze({ name: '', current: undefined });

export function target(
  parts: TargetParts,
  cluster: string,
  ref: UpstreamRef,
  named?: HeaderTargets,
): ForwardTarget {
  return Object.freeze({ ...parts, cluster, ref, named });
}

/**
 * Targets for clusters that requests name; each is made when it is asked for first, and there are no more than clusters.
 * @param find the reference of a name that something else has named
 */
export function namedTargets(
  header: string,
  parts: TargetParts,
  find: (name: string) => UpstreamRef | undefined,
): HeaderTargets {
  // Not by name: a cluster that went and came back is another.
  const made = new WeakMap<UpstreamRef, ForwardTarget>();
  return {
    name: header.toLowerCase(),
    find(cluster) {
      const ref = find(cluster);
      if (ref === undefined) return undefined;
      let found = made.get(ref);
      if (found === undefined) made.set(ref, (found = target(parts, cluster, ref)));
      return found;
    },
  };
}
