import {
  backendTrafficPolicyFor,
  isServiceTarget,
  type BackendTrafficPart,
  type BackendTrafficPolicy,
  type PolicyTarget,
} from '@tulle/resources';
import type { Condition } from '../condition.ts';
import type { ProxySession } from '../proxy-session.ts';
import type { World } from '../world.ts';
import {
  ancestorsOf,
  refusedAt,
  targetService,
  type AncestorConditions,
  type TargetProblem,
} from './policy-ancestors.ts';
import { sessionsLostBy } from './session-conditions.ts';

const PARTS: readonly BackendTrafficPart[] = ['retryConstraint', 'sessionPersistence'];

/** Conditions of an XBackendTrafficPolicy: at each target, whose callers are bound by it, and at each Gateway that leads to one. */
export function backendTrafficConditions(
  world: World,
  policy: BackendTrafficPolicy,
  sessions: ReadonlyMap<string, ProxySession>,
): AncestorConditions[] {
  const { metadata, spec } = policy;
  return ancestorsOf(world, metadata, spec.targetRefs, (targets, below) => [
    acceptedAt(world, policy, targets),
    ...(spec.sessionPersistence === undefined || below === 'Gateway'
      ? []
      : targets.flatMap((target) =>
          // Of sessions that another policy makes nothing is lost by this one.
          isServiceTarget(target) &&
          !beaten(world, policy, target.name).some(({ part }) => part === 'sessionPersistence')
            ? sessionsLostBy(`${metadata.namespace}/${target.name}`, sessions.values())
            : [],
        )),
  ]);
}

/** @param targets at least one, of the policy; what is wrong with every one of them is wrong with it */
function acceptedAt(world: World, policy: BackendTrafficPolicy, targets: readonly PolicyTarget[]): Condition {
  const refused = refusedAt(targets.map((target) => targetProblem(world, policy, target)));
  if (refused !== undefined) return refused;
  const elsewhere = targets.flatMap((target) =>
    isServiceTarget(target) ? beaten(world, policy, target.name).map(({ message }) => message) : [],
  );
  return {
    type: 'Accepted',
    status: 'True',
    reason: 'Accepted',
    message: ['callers are bound by it', ...elsewhere].join('; but '),
  };
}

/** Another policy that has all that this one says is in its way: what only some of it is said by is told in the message. */
function targetProblem(
  world: World,
  policy: BackendTrafficPolicy,
  target: PolicyTarget,
): TargetProblem | undefined {
  const service = targetService(world, policy.metadata.namespace, target);
  if ('reason' in service) return service;
  const lost = beaten(world, policy, target.name);
  const said = PARTS.filter((part) => policy.spec[part] !== undefined);
  return lost.length === 0 || lost.length < said.length
    ? undefined
    : { reason: 'Conflicted', message: lost.map(({ message }) => message).join('; ') };
}

/** Parts of a policy that a Service has from another one. A TrafficPolicy with a budget for all of the Service goes before. */
function beaten(
  world: World,
  policy: BackendTrafficPolicy,
  service: string,
): { readonly part: BackendTrafficPart; readonly message: string }[] {
  const { namespace } = policy.metadata;
  return PARTS.flatMap((part) => {
    if (policy.spec[part] === undefined) return [];
    const budget =
      part === 'retryConstraint'
        ? [...world.in('TrafficPolicy', namespace)].find(
            ({ spec }) =>
              spec.retryBudget !== undefined &&
              spec.targetRefs.some(
                (t) => t.kind === 'Service' && t.name === service && t.sectionName === undefined,
              ),
          )
        : undefined;
    const policies = world.in('XBackendTrafficPolicy', namespace);
    const winner = budget ?? backendTrafficPolicyFor(policies, part, { namespace, name: service });
    return winner === undefined ||
      (winner.metadata.name === policy.metadata.name && winner.kind === policy.kind)
      ? []
      : [
          {
            part,
            message: `${part} of Service ${namespace}/${service} is that of ${winner.kind} ${namespace}/${winner.metadata.name}`,
          },
        ];
  });
}
