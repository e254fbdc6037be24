import { defaultPhase } from '../filter-catalogue.ts';
import type { FilterPolicy } from '../kinds/filter-policy.ts';
import type { GatewayListener } from '../kinds/gateway.ts';
import type { PeerAuthentication } from '../kinds/peer-authentication.ts';
import type { Workload } from '../kinds/workload.ts';
import { mtlsOf, type MtlsDecision } from '../mtls-mode.ts';
import type { MergedGateway } from './merged.ts';

/**
 * Why a Workload of the mesh gets no datagrams at a port (decision 033): they come in clear from nobody in particular, and it
 * takes callers that prove who they are, and no others. What has no proxy is called in clear anyway.
 * @param policies as of {@link mtlsOf}
 * @returns `undefined`: it gets them
 */
export function refusesDatagrams(
  policies: Iterable<PeerAuthentication>,
  { metadata, spec }: Pick<Workload, 'metadata' | 'spec'>,
  port: number,
  rootNamespace: string,
): MtlsDecision | undefined {
  if (spec.inbound.mode === 'none') return undefined;
  const { namespace, labels } = metadata;
  const decision = mtlsOf(policies, { namespace, labels }, port, rootNamespace);
  return decision.mode === 'STRICT' ? decision : undefined;
}

/** Whether a FilterPolicy is for a listener. What is for a whole Gateway is for the listeners of its ListenerSets too; what is for a ListenerSet is for no others. */
export function isPolicyAt(
  { metadata, spec }: FilterPolicy,
  merged: MergedGateway,
  listener: GatewayListener,
): boolean {
  const owner = merged.ownerOf(listener);
  return (spec.targetRefs ?? []).some(({ kind, name, sectionName }) =>
    [owner, ...(sectionName === undefined ? [merged.gateway] : [])].some(
      (one) =>
        one.kind === kind &&
        one.metadata.name === name &&
        one.metadata.namespace === metadata.namespace &&
        (sectionName === undefined || sectionName === listener.name),
    ),
  );
}

/**
 * Policies for a listener of UDP that decide who may connect. Datagrams pass no filter, so that they would let everybody in
 * where these let some: it is not served.
 */
export function filtersBeforeDatagrams(
  merged: MergedGateway,
  listener: GatewayListener,
  policies: Iterable<FilterPolicy>,
): FilterPolicy[] {
  if (listener.protocol !== 'UDP') return [];
  return [...policies].filter(
    (policy) =>
      (policy.spec.phase ?? defaultPhase(policy.spec.filter)) === 'connection' &&
      isPolicyAt(policy, merged, listener),
  );
}
