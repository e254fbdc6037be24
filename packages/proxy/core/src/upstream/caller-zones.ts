import { localityKey, type CallerZones } from '@tulle/balance';
import type { Engine } from '../engine.ts';
import type { ClusterRef } from './cluster.ts';

/**
 * Where callers like this proxy are: the endpoints of the cluster that it is one of. Made anew when those change.
 * @returns `undefined` where nobody said where the proxy is
 */
export function callerZonesOf(
  { zone }: Engine,
  ref: (name: string) => ClusterRef,
): (() => CallerZones | undefined) | undefined {
  if (zone === undefined) return undefined;
  const callers = ref(zone.cluster);
  const own = localityKey(zone.locality);
  let seen: object | undefined;
  let known: CallerZones | undefined;
  return () => {
    const balancer = callers.current?.own;
    if (balancer?.counts === seen) return known;
    seen = balancer?.counts;
    const healthy = new Map<string, number>();
    for (const state of balancer?.endpoints ?? []) {
      if (state.priority !== 0) continue;
      const place = localityKey(state.endpoint.locality);
      healthy.set(place, (healthy.get(place) ?? 0) + (state.usable && !state.degraded ? 1 : 0));
    }
    return (known = balancer?.panics === true ? undefined : { own, healthy });
  };
}
