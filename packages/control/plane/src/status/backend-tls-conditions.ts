import {
  caCertificatesOf,
  isExternal,
  precedingBackendTlsPolicy,
  SYSTEM_CERTIFICATES,
  type BackendTLSPolicy,
  type PolicyTarget,
} from '@tulle/resources';
import type { Condition } from '../condition.ts';
import type { World } from '../world.ts';
import {
  ancestorsOf,
  refusedAt,
  targetService,
  type AncestorConditions,
  type TargetProblem,
} from './policy-ancestors.ts';

/** Conditions of a BackendTLSPolicy: at each Gateway that leads to a target of it, and at each target, which sidecars call (GEP-1897). */
export function backendTlsConditions(world: World, policy: BackendTLSPolicy): AncestorConditions[] {
  const resolved = resolvedRefs(world, policy);
  return ancestorsOf(world, policy.metadata, policy.spec.targetRefs, (targets) => [
    acceptedAt(world, policy, targets),
    resolved,
    ...optionsHonoured(policy),
  ]);
}

/** @param targets at least one, of the policy; what is wrong with every one of them is wrong with it */
function acceptedAt(world: World, policy: BackendTLSPolicy, targets: readonly PolicyTarget[]): Condition {
  const type = 'Accepted';
  const refused = refusedAt(targets.map((target) => targetProblem(world, policy, target)));
  if (refused !== undefined) return refused;
  const { validation } = policy.spec;
  const { namespace } = policy.metadata;
  const { wellKnownCACertificates = SYSTEM_CERTIFICATES } = validation;
  if (wellKnownCACertificates !== SYSTEM_CERTIFICATES)
    return {
      type,
      status: 'False',
      reason: 'Invalid',
      message: `no CAs are known as ${wellKnownCACertificates} (wellKnownCACertificates): calls fail`,
    };
  if (
    validation.wellKnownCACertificates === undefined &&
    caCertificatesOf(policy, (name) => world.get('ConfigMap', namespace, name)).caPem === ''
  )
    return {
      type,
      status: 'False',
      reason: 'NoValidCACertificate',
      message: 'none of caCertificateRefs leads to a certificate: calls fail',
    };
  return { type, status: 'True', reason: 'Accepted', message: 'calls are over TLS as it says' };
}

/** That no option is known; nothing where none is given. */
function optionsHonoured({ spec }: BackendTLSPolicy): Condition[] {
  const options = Object.keys(spec.options ?? {});
  if (options.length === 0) return [];
  return [
    {
      type: 'tulle.dev/OptionsHonoured',
      status: 'False',
      reason: 'UnknownOptions',
      message: `Tulle knows no options of a BackendTLSPolicy, which holds without them: ${options.join(', ')}`,
    },
  ];
}

function targetProblem(
  world: World,
  policy: BackendTLSPolicy,
  target: PolicyTarget,
): TargetProblem | undefined {
  const { namespace } = policy.metadata;
  const service = targetService(world, namespace, target);
  if ('reason' in service) return service;
  if (!isExternal(service))
    return {
      reason: 'Invalid',
      message: `Service ${namespace}/${target.name} is not of type ExternalName: it is called over mutual TLS of the mesh`,
    };
  const before = precedingBackendTlsPolicy(world.in('BackendTLSPolicy', namespace), policy, target);
  return before === undefined
    ? undefined
    : {
        reason: 'Conflicted',
        message: `BackendTLSPolicy ${namespace}/${before.metadata.name} is for the same target, and older or first by name`,
      };
}

function resolvedRefs(world: World, policy: BackendTLSPolicy): Condition {
  const type = 'ResolvedRefs';
  const { namespace } = policy.metadata;
  const { faults } = caCertificatesOf(policy, (name) => world.get('ConfigMap', namespace, name));
  const [first] = faults;
  return first === undefined
    ? { type, status: 'True', reason: type, message: 'what it refers to is there' }
    : {
        type,
        status: 'False',
        reason: first.reason,
        message: faults.map(({ index, message }) => `caCertificateRefs[${index}]: ${message}`).join('; '),
      };
}
