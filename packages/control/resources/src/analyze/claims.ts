import { JWT_FILTER } from '@tulle/model';
import type { AuthorizationPolicy } from '../kinds/authorization-policy.ts';
import type { FilterPolicy } from '../kinds/filter-policy.ts';
import type { Workload } from '../kinds/workload.ts';
import { selects, serviceSelects } from '../select.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { located, ROOT_NAMESPACE } from './resource-set.ts';

/** Rules about claims where nothing reads a token. */
export function analyzeClaims(host: AnalysisHost): void {
  for (const subject of located(host.subjects, 'AuthorizationPolicy')) {
    const policy = subject.resource;
    const rule = (policy.spec.rules ?? []).findIndex(({ when }) => when !== undefined);
    if (rule === -1) continue;
    const bare = withoutToken(policy, host);
    if (bare === undefined) continue;
    host.report(
      'TULLE0508',
      subject,
      `/spec/rules/${rule}/when`,
      bare.length === 0
        ? `no FilterPolicy with ${JWT_FILTER} is for Workloads of namespace ${policy.metadata.namespace}`
        : `no FilterPolicy with ${JWT_FILTER} is for ${bare.slice(0, 3).join(', ')}${bare.length > 3 ? ` and ${bare.length - 3} others` : ''}`,
      `apply a FilterPolicy with filter: ${JWT_FILTER} for them`,
    );
  }
}

/** Workloads that a policy is for and that read no token; empty: none would; `undefined`: all do, as far as is known. */
function withoutToken(policy: AuthorizationPolicy, host: AnalysisHost): string[] | undefined {
  const { namespace } = policy.metadata;
  const mesh = namespace === ROOT_NAMESPACE;
  const readers = host.set
    .all('FilterPolicy')
    .filter(
      ({ spec, metadata }) =>
        spec.filter === JWT_FILTER &&
        spec.direction !== 'outbound' &&
        (mesh || metadata.namespace === namespace || metadata.namespace === ROOT_NAMESPACE),
    );
  if (readers.length === 0) return [];
  const bare = host.set
    .all('Workload')
    .filter(
      (workload) => (mesh || workload.metadata.namespace === namespace) && isFor(policy, workload, host),
    )
    .filter((workload) => !readers.some((reader) => isFor(reader, workload, host)));
  return bare.length === 0 ? undefined : bare.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
}

/** Whether a policy is for the inbound side of a Workload. */
export function isFor(
  { metadata, spec }: AuthorizationPolicy | FilterPolicy,
  workload: Workload,
  host: AnalysisHost,
): boolean {
  const { namespace, labels } = workload.metadata;
  if (metadata.namespace !== namespace && metadata.namespace !== ROOT_NAMESPACE) return false;
  if (spec.targetRefs === undefined) return spec.selector === undefined || selects(spec.selector, labels);
  return spec.targetRefs.some(({ kind, name }) => {
    const service =
      kind === 'Service' && metadata.namespace === namespace
        ? host.set.get('Service', namespace, name)
        : undefined;
    return service !== undefined && serviceSelects(service, labels);
  });
}
