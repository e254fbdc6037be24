import type { MtlsMode, PeerAuthentication } from './kinds/peer-authentication.ts';
import { createdMs } from './route-match.ts';
import { selects } from './select.ts';

/** What is asked of the callers of one port, and the policy that says so. */
export interface MtlsDecision {
  readonly mode: MtlsMode;
  /** `undefined`: no policy says anything, and the default holds (decision D20). */
  readonly policy: PeerAuthentication | undefined;
}

/**
 * What PeerAuthentications ask of the callers of a workload's port.
 * @param policies those of the workload's namespace and of the root namespace, in any order
 */
export function mtlsOf(
  policies: Iterable<PeerAuthentication>,
  workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> | undefined },
  port: number,
  rootNamespace: string,
): MtlsDecision {
  const ranked = [...policies]
    .flatMap((policy) => {
      const rank = rankOf(policy, workload, rootNamespace);
      return rank === undefined ? [] : [{ policy, rank }];
    })
    .toSorted((a, b) => a.rank - b.rank || order(a.policy, b.policy));
  for (const { policy } of ranked) {
    const { mtls, portLevelMtls } = policy.spec;
    const mode = portLevelMtls?.[String(port)]?.mode ?? mtls?.mode;
    if (mode !== undefined) return { mode, policy };
  }
  return { mode: 'STRICT', policy: undefined };
}

/** 0: by label, 1: the namespace, 2: the mesh; `undefined`: not for this workload. */
function rankOf(
  { metadata, spec }: PeerAuthentication,
  { namespace, labels }: Parameters<typeof mtlsOf>[1],
  rootNamespace: string,
): number | undefined {
  const own = metadata.namespace === namespace;
  if (!own && metadata.namespace !== rootNamespace) return undefined;
  if (spec.selector !== undefined) return own && selects(spec.selector, labels) ? 0 : undefined;
  return own ? 1 : 2;
}

function order(a: PeerAuthentication, b: PeerAuthentication): number {
  return ageOf(a) - ageOf(b) || (a.metadata.name < b.metadata.name ? -1 : 1);
}

/** Without a time the youngest: finite, so that two of them can be told apart by name. */
const ageOf = ({ metadata }: PeerAuthentication): number => createdMs(metadata) ?? Number.MAX_SAFE_INTEGER;
