import { defineSlot, DYNAMIC_METADATA, type Slot } from '@tulle/filter';
import type { HostOverride, HostSource } from '@tulle/model';
import { metadataAt } from '@tulle/record-format';
import type { UpstreamCluster, UpstreamEndpoint } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';

/** Endpoints that the request asks for, one after the other, found when its first attempt began. */
const ASKED_FOR: Slot<readonly UpstreamEndpoint[]> = defineSlot('tulle.attempts.asked-for');

/** Addresses that one request says, at most: each retry takes one. */
const MAX_ASKED_FOR = 16;

/** The endpoint that the request asks this attempt to go to; `undefined`: none that is there. */
export function askedFor(
  stream: Stream,
  cluster: UpstreamCluster,
  override: HostOverride,
): UpstreamEndpoint | undefined {
  let asked = stream.getSlot(ASKED_FOR);
  if (asked === undefined) {
    asked = endpointsOf(stream, cluster, override);
    stream.setSlot(ASKED_FOR, asked);
  }
  // As many attempts took one of them; one over a connection that had gone takes the same again.
  for (let i = stream.tried.length; i < asked.length; i++) {
    const endpoint = asked[i] as UpstreamEndpoint;
    if (!endpoint.removed) return endpoint;
  }
  return undefined;
}

function endpointsOf(
  stream: Stream,
  { own }: UpstreamCluster,
  { sources }: HostOverride,
): readonly UpstreamEndpoint[] {
  const found: UpstreamEndpoint[] = [];
  let left = MAX_ASKED_FOR;
  for (const source of sources) {
    const parts = saidBy(stream, source)?.split(',', left) ?? [];
    left -= parts.length;
    for (const part of parts) {
      const endpoint = own.get(part.trim());
      if (endpoint !== undefined) found.push(endpoint);
    }
  }
  return found;
}

function saidBy(stream: Stream, source: HostSource): string | undefined {
  if (source.kind === 'header') return stream.headers.get(source.name.toLowerCase());
  const { namespace, path } = source;
  const value = metadataAt(stream.getSlot(DYNAMIC_METADATA), [namespace, ...path]);
  return typeof value === 'string' ? value : undefined;
}

/** Notes where an attempt goes, whoever chose that; what stands at the first key of the way is replaced, as in Envoy. */
export function noteChosen(stream: Stream, { chosenIn }: HostOverride, { address }: UpstreamEndpoint): void {
  if (chosenIn === undefined) return;
  const { namespace, path } = chosenIn;
  const values = path.reduceRight<unknown>((value, key) => ({ [key]: value }), address) as object;
  const before = stream.getSlot(DYNAMIC_METADATA);
  stream.setSlot(DYNAMIC_METADATA, { ...before, [namespace]: { ...before?.[namespace], ...values } });
}
