import type { BackendTrafficPolicy } from '../kinds/backend-traffic-policy.ts';
import { isServiceTarget, type Metadata } from '../kinds/metadata.ts';
import { compareAge } from '../routes.ts';

/** What an XBackendTrafficPolicy says something about; each part comes from the first policy that has it. */
export type BackendTrafficPart = 'retryConstraint' | 'sessionPersistence';

/** The policy from which a Service has a part: the oldest that has it, then the first by name (Gateway API, direct policies). */
export function backendTrafficPolicyFor(
  policies: Iterable<BackendTrafficPolicy>,
  part: BackendTrafficPart,
  service: Pick<Metadata, 'namespace' | 'name'>,
): BackendTrafficPolicy | undefined {
  return [...policies]
    .filter(
      ({ metadata, spec }) =>
        metadata.namespace === service.namespace &&
        spec[part] !== undefined &&
        spec.targetRefs.some((target) => isServiceTarget(target) && target.name === service.name),
    )
    .toSorted(compareAge)[0];
}
