import {
  attachToGateway,
  backendTarget,
  GATEWAY_GROUP,
  gatewayParents,
  isServedGateway,
  isServiceTarget,
  kindText,
  rulesOf,
  type AnyRoute,
  type Gateway,
  type PolicyTarget,
  type Service,
} from '@tulle/resources';
import { externalAuthsIn, stepsOf } from '../compile/backends.ts';
import type { Condition } from '../condition.ts';
import type { World } from '../world.ts';

/** What a policy hangs on: a Gateway that leads to a target, or the target itself, which the mesh calls without one. */
export interface PolicyAncestorRef {
  readonly group: string;
  /** Gateway, Service, or what else a target is. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Of a target: the port that the policy is for. */
  readonly sectionName?: string;
}

/** What a policy is below one of its ancestors (Gateway API `PolicyAncestorStatus`). */
export interface AncestorConditions {
  readonly ancestorRef: PolicyAncestorRef;
  readonly conditions: readonly Condition[];
}

/** Why a policy does nothing for a target, or says nothing there that another one does not (Gateway API `PolicyConditionReason`). */
export interface TargetProblem {
  readonly reason: 'TargetNotFound' | 'Invalid' | 'Conflicted';
  readonly message: string;
}

/** `status.ancestors` holds no more (Gateway API `PolicyStatus`). */
const MAX_ANCESTORS = 16;

/**
 * Ancestors of a policy with what is said there: each of its targets, which sidecars call, and each Gateway that leads to one.
 * @param conditions of the policy for these of its targets, at least one, below a Gateway or below one of them
 */
export function ancestorsOf(
  world: World,
  { namespace }: { readonly namespace: string },
  targetRefs: readonly PolicyTarget[],
  conditions: (targets: readonly PolicyTarget[], below: 'Gateway' | 'target') => readonly Condition[],
): AncestorConditions[] {
  const own = targetRefs.map((target) => {
    const { group, kind, name, sectionName } = target;
    return {
      ancestorRef: { group, kind, namespace, name, ...(sectionName === undefined ? {} : { sectionName }) },
      conditions: conditions([target], 'target'),
    };
  });
  const gateways = [...world.gateways()].filter(isServedGateway).flatMap((gateway) => {
    const led = leadsTo(world, gateway);
    const targets = targetRefs.filter((t) => isServiceTarget(t) && led.has(`${namespace}/${t.name}`));
    const { namespace: of, name } = gateway.metadata;
    const ancestorRef = { group: GATEWAY_GROUP, kind: 'Gateway', namespace: of, name };
    return targets.length === 0 ? [] : [{ ancestorRef, conditions: conditions(targets, 'Gateway') }];
  });
  return [...own, ...gateways].slice(0, MAX_ANCESTORS);
}

/** The Service that a target of a policy means; a problem where it means none. @param namespace of the policy */
export function targetService(
  world: World,
  namespace: string,
  target: PolicyTarget,
): Service | TargetProblem {
  if (!isServiceTarget(target))
    return {
      reason: 'TargetNotFound',
      message: `it is for Services, and ${target.name} is of kind ${kindText(target)}: it does nothing there`,
    };
  const service = world.get('Service', namespace, target.name);
  const named = `Service ${namespace}/${target.name}`;
  if (service === undefined) return { reason: 'TargetNotFound', message: `there is no ${named}` };
  if (target.sectionName !== undefined && !service.spec.ports.some((p) => p.name === target.sectionName))
    return { reason: 'TargetNotFound', message: `${named} has no port named ${target.sectionName}` };
  return service;
}

/** The condition that a policy is not accepted, where there is something wrong with every one of its targets below an ancestor. */
export function refusedAt(problems: readonly (TargetProblem | undefined)[]): Condition | undefined {
  const [first] = problems;
  return first === undefined || problems.includes(undefined)
    ? undefined
    : { type: 'Accepted', status: 'False', ...first };
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
