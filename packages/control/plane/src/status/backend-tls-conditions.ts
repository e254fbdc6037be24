import {
  attachToGateway,
  backendTarget,
  caCertificatesOf,
  GATEWAY_GROUP,
  gatewayParents,
  isExternal,
  isServedGateway,
  precedingBackendTlsPolicy,
  rulesOf,
  type AnyRoute,
  type BackendTLSPolicy,
  type Gateway,
  type PolicyTarget,
} from '@tulle/resources';
import { externalAuthsIn, stepsOf } from '../compile/backends.ts';
import type { Condition } from '../condition.ts';
import type { World } from '../world.ts';

/** What a policy hangs on: a Gateway that leads to a target, or the target itself, which the mesh calls without one. */
export interface PolicyAncestorRef {
  readonly group: string;
  readonly kind: 'Gateway' | 'Service';
  readonly namespace: string;
  readonly name: string;
  /** Of a Service: the port that the policy is for. */
  readonly sectionName?: string;
}

/** What a policy is below one of its ancestors (Gateway API `PolicyAncestorStatus`). */
export interface AncestorConditions {
  readonly ancestorRef: PolicyAncestorRef;
  readonly conditions: readonly Condition[];
}

/** `status.ancestors` holds no more (Gateway API `PolicyStatus`). */
const MAX_ANCESTORS = 16;

/** Conditions of a BackendTLSPolicy: at each Gateway that leads to a target of it, and at each target, which sidecars call (GEP-1897). */
export function backendTlsConditions(world: World, policy: BackendTLSPolicy): AncestorConditions[] {
  const resolved = resolvedRefs(world, policy);
  const below = (ancestorRef: PolicyAncestorRef, targets: readonly PolicyTarget[]): AncestorConditions => ({
    ancestorRef,
    conditions: [acceptedAt(world, policy, targets), resolved, ...optionsHonoured(policy)],
  });
  const { namespace } = policy.metadata;
  const { targetRefs } = policy.spec;
  const gateways = [...world.gateways()].filter(isServedGateway).flatMap((gateway) => {
    const led = leadsTo(world, gateway);
    const targets = targetRefs.filter(({ name }) => led.has(`${namespace}/${name}`));
    const { namespace: of, name } = gateway.metadata;
    return targets.length === 0
      ? []
      : [below({ group: GATEWAY_GROUP, kind: 'Gateway', namespace: of, name }, targets)];
  });
  const services = targetRefs.map((target) =>
    below(
      {
        group: '',
        kind: 'Service',
        namespace,
        name: target.name,
        ...(target.sectionName === undefined ? {} : { sectionName: target.sectionName }),
      },
      [target],
    ),
  );
  return [...services, ...gateways].slice(0, MAX_ANCESTORS);
}

/** Services (`ns/name`) to which the routes of a Gateway lead requests, copies not counted. */
function leadsTo(world: World, gateway: Gateway): ReadonlySet<string> {
  const merged = world.merged(gateway);
  const routes: AnyRoute[] = [...world.routesAt(merged), ...world.connectionRoutesAt(merged)];
  return new Set(
    routes
      .filter((route) =>
        gatewayParents(route, merged).some(
          (parent) => attachToGateway(merged, route, parent).attachments.length > 0,
        ),
      )
      .flatMap((route) =>
        rulesOf(route).flatMap((rule) =>
          [rule.backendRefs ?? [], externalAuthsIn(stepsOf(rule)).map(({ backendRef }) => backendRef)]
            .flat()
            .map((b) => `${b.namespace ?? route.metadata.namespace}/${backendTarget(b).service}`),
        ),
      ),
  );
}

/** @param targets at least one, of the policy; what is wrong with every one of them is wrong with it */
function acceptedAt(world: World, policy: BackendTLSPolicy, targets: readonly PolicyTarget[]): Condition {
  const type = 'Accepted';
  const problems = targets.map((target) => targetProblem(world, policy, target));
  const [first] = problems;
  if (first !== undefined && !problems.includes(undefined)) return { type, status: 'False', ...first };
  const { validation } = policy.spec;
  const { namespace } = policy.metadata;
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

interface Problem {
  readonly reason: 'TargetNotFound' | 'Invalid' | 'Conflicted';
  readonly message: string;
}

function targetProblem(world: World, policy: BackendTLSPolicy, target: PolicyTarget): Problem | undefined {
  const { namespace } = policy.metadata;
  const service = world.get('Service', namespace, target.name);
  const named = `Service ${namespace}/${target.name}`;
  if (service === undefined) return { reason: 'TargetNotFound', message: `there is no ${named}` };
  if (target.sectionName !== undefined && !service.spec.ports.some((p) => p.name === target.sectionName))
    return { reason: 'TargetNotFound', message: `${named} has no port named ${target.sectionName}` };
  if (!isExternal(service))
    return {
      reason: 'Invalid',
      message: `${named} is not of type ExternalName: it is called over mutual TLS of the mesh`,
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
