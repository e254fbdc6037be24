import type { BackendTLSPolicy } from '../kinds/backend-tls-policy.ts';
import { CA_CERTIFICATES_KEY, type ConfigMap } from '../kinds/config-map.ts';
import { isServiceTarget, type PolicyTarget } from '../kinds/metadata.ts';
import type { Service, ServicePort } from '../kinds/service.ts';
import { compareAge } from '../routes.ts';
import { kindText } from '../select.ts';

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
          isServiceTarget(t) &&
          t.name === service.metadata.name &&
          (t.sectionName === undefined || t.sectionName === port.name),
      )
      .map((t) => (t.sectionName === undefined ? 1 : 0));
    return ranks.length === 0 ? [] : [{ policy, rank: Math.min(...ranks) }];
  });
  return ranked.toSorted((a, b) => a.rank - b.rank || compareAge(a.policy, b.policy))[0]?.policy;
}

/**
 * The policy that another one has to give way to at a target, which is a Service: for the same Service and section, and older, or then first by
 * name. `undefined`: it takes precedence there itself.
 */
export function precedingBackendTlsPolicy(
  policies: Iterable<BackendTLSPolicy>,
  policy: BackendTLSPolicy,
  target: PolicyTarget,
): BackendTLSPolicy | undefined {
  const [first] = [...policies]
    .filter(
      ({ metadata, spec }) =>
        metadata.namespace === policy.metadata.namespace &&
        spec.targetRefs.some(
          (t) => isServiceTarget(t) && t.name === target.name && t.sectionName === target.sectionName,
        ),
    )
    .toSorted(compareAge);
  return first?.metadata.name === policy.metadata.name ? undefined : first;
}

/** A reference of a BackendTLSPolicy that names nobody's certificate (Gateway API `BackendTLSPolicyReason…`). */
export interface CaRefFault {
  readonly index: number;
  readonly reason: 'InvalidCACertificateRef' | 'InvalidKind';
  readonly message: string;
}

/** Whom a policy believes by its caCertificateRefs: the certificates that are there, and the references that lead to none. */
export function caCertificatesOf(
  policy: BackendTLSPolicy,
  configMap: (name: string) => ConfigMap | undefined,
): {
  /** In one text; empty: nobody is believed. */
  readonly caPem: string;
  readonly faults: readonly CaRefFault[];
} {
  const { namespace } = policy.metadata;
  const texts: string[] = [];
  const faults: CaRefFault[] = [];
  for (const [index, { group, kind, name }] of (policy.spec.validation.caCertificateRefs ?? []).entries()) {
    if (group !== '' || kind !== 'ConfigMap') {
      faults.push({
        index,
        reason: 'InvalidKind',
        message: `CA certificates are not taken from kind ${kindText({ group, kind })}`,
      });
      continue;
    }
    const found = configMap(name);
    const pem = found?.data?.[CA_CERTIFICATES_KEY];
    if (pem !== undefined) texts.push(pem.trimEnd());
    else
      faults.push({
        index,
        reason: 'InvalidCACertificateRef',
        message:
          found === undefined
            ? `there is no ConfigMap ${namespace}/${name}`
            : `ConfigMap ${namespace}/${name} has no ${CA_CERTIFICATES_KEY}`,
      });
  }
  return { caPem: texts.join('\n'), faults };
}
