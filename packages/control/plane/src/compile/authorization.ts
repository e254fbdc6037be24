import { AUTHZ_FILTER, type AuthzPolicy, type AuthzRule, type FilterEntry } from '@tulle/model';
import { selects, type AuthorizationPolicy, type Service } from '@tulle/resources';
import type { ProxyNode } from '../node.ts';
import type { World } from '../world.ts';
import type { MeshSettings } from './clusters.ts';

/**
 * The authorization filter of a workload, whatever the profile of its sidecar: what a policy asks is enforced. Where none
 * selects the workload and the mesh denies nothing by default, every identity that mutual TLS let in may call (decision
 * D20), so there is nothing to ask.
 */
export function authzEntry(policies: readonly AuthzPolicy[], mesh: MeshSettings): readonly FilterEntry[] {
  if (policies.length === 0 && mesh.defaultAction === 'allow') return [];
  const known = entries.get(policies);
  if (known?.mesh === mesh) return known.made;
  const made: readonly FilterEntry[] = [
    {
      name: AUTHZ_FILTER,
      filter: AUTHZ_FILTER,
      config: { policies, defaultAction: mesh.defaultAction },
      mandatory: true,
    },
  ];
  entries.set(policies, { mesh, made });
  return made;
}

/** The same for the same policies, so that it is encoded once. */
const entries = new WeakMap<
  readonly AuthzPolicy[],
  { readonly mesh: MeshSettings; readonly made: readonly FilterEntry[] }
>();

/**
 * AuthorizationPolicies that select a workload, in the filter's words.
 * @param ports of the workload, one of which what is judged comes to: of rules for ports there is left what holds for these.
 *   Default: who judges sees the port of the workload
 */
export function authorizationFor(
  world: World,
  node: Pick<ProxyNode, 'namespace' | 'labels'>,
  services: readonly Service[],
  mesh: MeshSettings,
  ports?: readonly number[],
): readonly AuthzPolicy[] {
  const names = new Set(services.map((s) => s.metadata.name));
  const found: AuthorizationPolicy[] = [];
  for (const namespace of new Set([mesh.rootNamespace, node.namespace])) {
    for (const policy of world.in('AuthorizationPolicy', namespace)) {
      const { targetRefs, selector } = policy.spec;
      if (
        targetRefs !== undefined
          ? namespace === node.namespace && targetRefs.some((t) => names.has(t.name))
          : selector === undefined || selects(selector, node.labels)
      )
        found.push(policy);
    }
  }
  return judged(found, mesh, ports);
}

/** What the same policies said last, for the same ports. */
interface Judged {
  readonly found: readonly AuthorizationPolicy[];
  readonly mesh: MeshSettings;
  readonly ports: readonly number[] | undefined;
  readonly policies: readonly AuthzPolicy[];
}

/** By the first of the policies: those of the whole mesh select a thousand workloads, and are put into words and encoded once. */
const lately = new WeakMap<AuthorizationPolicy, Judged>();
const NO_POLICIES: readonly AuthzPolicy[] = [];

function judged(
  found: readonly AuthorizationPolicy[],
  mesh: MeshSettings,
  ports: readonly number[] | undefined,
): readonly AuthzPolicy[] {
  const [first] = found;
  if (first === undefined) return NO_POLICIES;
  const known = lately.get(first);
  if (known?.mesh === mesh && isSameList(known.found, found) && isSameList(known.ports ?? [], ports ?? []))
    if ((known.ports === undefined) === (ports === undefined)) return known.policies;
  const policies = inWords(found, mesh, ports);
  lately.set(first, { found, mesh, ports, policies });
  return policies;
}

function isSameList(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((item, index) => item === other[index]);
}

function inWords(
  found: readonly AuthorizationPolicy[],
  mesh: MeshSettings,
  ports: readonly number[] | undefined,
): AuthzPolicy[] {
  return found
    .map((policy) => ({
      name: `${policy.metadata.namespace}/${policy.metadata.name}`,
      action: policy.spec.action,
      ...(policy.spec.shadow === true ? { shadow: true } : {}),
      rules: (policy.spec.rules ?? []).flatMap((rule) => {
        const own = ruleOf(rule, policy.metadata.namespace, mesh);
        return ports === undefined ? own : (atPorts(own, policy.spec.action, ports) ?? []);
      }),
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function ruleOf(
  rule: NonNullable<AuthorizationPolicy['spec']['rules']>[number],
  namespace: string,
  mesh: MeshSettings,
): AuthzRule {
  if (rule.from?.serviceAccounts === undefined) return rule;
  const { serviceAccounts, ...from } = rule.from;
  const ids = serviceAccounts.map((text) => {
    const [ns, sa] = text.includes('/') ? (text.split('/') as [string, string]) : [namespace, text];
    return `spiffe://${mesh.trustDomain}/ns/${ns}/sa/${sa}`;
  });
  return { ...rule, from: { ...from, identities: [...(from.identities ?? []), ...ids] } };
}

/**
 * A rule without the ports that it is for; `undefined`: it is not for these. Where it is for some of them, that denies, and
 * does not allow.
 */
function atPorts(
  rule: AuthzRule,
  action: AuthzPolicy['action'],
  ports: readonly number[],
): AuthzRule | undefined {
  const wanted = rule.to?.ports;
  if (wanted === undefined) return rule;
  const holds =
    action === 'DENY'
      ? ports.some((port) => wanted.includes(port))
      : ports.every((port) => wanted.includes(port));
  if (!holds) return undefined;
  const { ports: _held, ...to } = rule.to ?? {};
  const { to: _to, ...rest } = rule;
  return Object.keys(to).length === 0 ? rest : { ...rest, to };
}
