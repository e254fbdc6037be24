import type { Locality, ZoneRouting } from '@tulle/model';

/** Where callers like this proxy are. Another object whenever something of it changed. */
export interface CallerZones {
  /** {@link localityKey} of this proxy's own place. */
  readonly own: string;
  /** Healthy ones by the key of their place; places where none is healthy count with 0. */
  readonly healthy: ReadonlyMap<string, number>;
}

/** The same text for the same place. */
export function localityKey(locality: Locality | undefined): string {
  return locality === undefined
    ? ''
    : `${locality.region}\n${locality.zone ?? ''}\n${locality.subZone ?? ''}`;
}

/**
 * How much of the load each place gets (Envoy `ZoneAwareLoadBalancerBase`): callers stay in their own as far as its share of the
 * endpoints reaches for its share of the callers; the rest goes where endpoints are more than callers.
 * @param usable endpoints that may be picked, by place; those of places that have none count with 0
 * @param shares likewise their part of the load where nobody asks for places; adds up to 1
 * @returns parts by place, which add up to 1; `undefined`: places make no difference
 */
export function zoneParts(
  usable: ReadonlyMap<string, number>,
  shares: ReadonlyMap<string, number>,
  callers: CallerZones,
  { percent = 100, minEndpoints = 6 }: ZoneRouting,
): ReadonlyMap<string, number> | undefined {
  const { own, healthy } = callers;
  const [endpoints, others] = [sumOf(usable), sumOf(healthy)];
  if (usable.size < 2 || healthy.size < 2 || !healthy.has(own)) return undefined;
  if (endpoints < minEndpoints || endpoints === 0 || others === 0) return undefined;
  const endpointsAt = (place: string): number => (usable.get(place) ?? 0) / endpoints;
  const callersAt = (place: string): number => (healthy.get(place) ?? 0) / others;
  const [near, wanted] = [endpointsAt(own), callersAt(own)];
  const staying = near > 0 && near >= wanted ? 1 : wanted > 0 ? near / wanted : 0;
  const spare = new Map<string, number>();
  for (const place of usable.keys()) spare.set(place, Math.max(0, endpointsAt(place) - callersAt(place)));
  const allSpare = sumOf(spare);
  const parts = new Map<string, number>();
  for (const place of usable.keys()) {
    const leaving = allSpare === 0 ? 1 / usable.size : (spare.get(place) ?? 0) / allSpare;
    const zoned = (place === own ? staying : 0) + (1 - staying) * leaving;
    parts.set(place, (percent * zoned + (100 - percent) * (shares.get(place) ?? 0)) / 100);
  }
  return parts;
}

function sumOf(counts: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}
