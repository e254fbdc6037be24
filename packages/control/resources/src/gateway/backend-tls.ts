import type { BackendTLSPolicy } from '../kinds/backend-tls-policy.ts';
import { CA_CERTIFICATES_KEY, type ConfigMap } from '../kinds/config-map.ts';
import type { Service, ServicePort } from '../kinds/service.ts';
import { createdMs } from '../route-match.ts';

/** Whether a Service is a name outside the mesh. */
export function isExternal(service: Service): service is Service & { spec: { externalName: string } } {
  return service.spec.type === 'ExternalName' && service.spec.externalName !== undefined;
}

/**
 * The policy that holds for a port of a Service: one for the port before one for the Service, older before newer, then by
 * name (GEP-1897).
 */
export function backendTlsPolicyFor(
  policies: Iterable<BackendTLSPolicy>,
  service: Service,
  port: ServicePort,
): BackendTLSPolicy | undefined {
  const ranked = [...policies].flatMap((policy) => {
    if (policy.metadata.namespace !== service.metadata.namespace) return [];
    const ranks = policy.spec.targetRefs
      .filter(
        (t) =>
          t.name === service.metadata.name && (t.sectionName === undefined || t.sectionName === port.name),
      )
      .map((t) => (t.sectionName === undefined ? 1 : 0));
    return ranks.length === 0 ? [] : [{ policy, rank: Math.min(...ranks) }];
  });
  return ranked.toSorted(
    (a, b) =>
      a.rank - b.rank ||
      (createdMs(a.policy.metadata) ?? Infinity) - (createdMs(b.policy.metadata) ?? Infinity) ||
      (a.policy.metadata.name < b.policy.metadata.name ? -1 : 1),
  )[0]?.policy;
}

/** The certificates of a policy's caCertificateRefs, in one text; `undefined` when one of them is not there. */
export function caCertificatesOf(
  policy: BackendTLSPolicy,
  configMap: (name: string) => ConfigMap | undefined,
): string | undefined {
  const texts = (policy.spec.validation.caCertificateRefs ?? []).map(
    ({ name }) => configMap(name)?.data?.[CA_CERTIFICATES_KEY],
  );
  return texts.includes(undefined) ? undefined : texts.map((text) => text?.trimEnd()).join('\n');
}
