import type { AuthorizationPolicy } from '../kinds/authorization-policy.ts';
import type { PeerAuthentication } from '../kinds/peer-authentication.ts';
import { mtlsOf } from '../mtls-mode.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { isFor } from './claims.ts';
import { located, ROOT_NAMESPACE } from './resource-set.ts';

/** A port where plain text is taken. */
interface OpenPort {
  readonly where: string;
  readonly by: PeerAuthentication;
}

/** Whom a policy may be for: what decides of mutual TLS there. */
interface Candidate {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>> | undefined;
  /** `undefined`: not known; those that a PeerAuthentication names, and any other. */
  readonly ports: readonly number[] | undefined;
}

/**
 * DENY rules that name callers, where plain text is taken: who calls in plain text proves to be nobody, so that no such rule
 * is for them. Told of the AuthorizationPolicy, or of the PeerAuthentication when only that is looked at.
 */
export function analyzePlaintextDenials(host: AnalysisHost): void {
  const denials = located(host.subjects, 'AuthorizationPolicy');
  const modes = located(host.subjects, 'PeerAuthentication');
  for (const policy of host.set.all('AuthorizationPolicy')) {
    if (policy.spec.action !== 'DENY' || policy.spec.shadow === true) continue;
    const rule = (policy.spec.rules ?? []).findIndex(namesCallers);
    const open = rule < 0 ? undefined : openPort(policy, host);
    if (open === undefined) continue;
    const denial = denials.find(({ resource }) => resource === policy);
    const mode = modes.find(({ resource }) => resource === open.by);
    const { namespace, name } = policy.metadata;
    const by = `${open.by.metadata.namespace}/${open.by.metadata.name}`;
    const hint = 'set mode: STRICT there, or say in an ALLOW policy who may call';
    if (denial !== undefined)
      host.report(
        'TULLE0512',
        denial,
        `/spec/rules/${rule}/from`,
        `${open.where} takes plain text (PeerAuthentication ${by}), whose callers prove no identity: this rule denies none of them`,
        hint,
      );
    else if (mode !== undefined)
      host.report(
        'TULLE0512',
        mode,
        '/spec',
        `${open.where} takes plain text, whose callers prove no identity: AuthorizationPolicy ${namespace}/${name}, which denies by identity, denies none of them`,
        hint,
      );
  }
}

/** Rules with `not…` alone are also for callers that prove nothing. */
function namesCallers({ from }: NonNullable<AuthorizationPolicy['spec']['rules']>[number]): boolean {
  return (
    from?.identities !== undefined || from?.serviceAccounts !== undefined || from?.namespaces !== undefined
  );
}

function openPort(policy: AuthorizationPolicy, host: AnalysisHost): OpenPort | undefined {
  const all = host.set.all('PeerAuthentication');
  for (const { name, namespace, labels, ports } of candidates(policy, all, host)) {
    const here = all.filter(({ metadata }) => [namespace, ROOT_NAMESPACE].includes(metadata.namespace));
    const named = here.flatMap(({ spec }) => Object.keys(spec.portLevelMtls ?? {}).map(Number));
    for (const port of ports ?? [0, ...named]) {
      const { mode, policy: by } = mtlsOf(here, { namespace, labels }, port, ROOT_NAMESPACE);
      if (mode === 'PERMISSIVE' && by !== undefined)
        return { where: port === 0 ? name : `port ${port} of ${name}`, by };
    }
  }
  return undefined;
}

/** Workloads that a policy is for; where none is known yet, those that its labels, or those of a PeerAuthentication, describe. */
function candidates(
  policy: AuthorizationPolicy,
  modes: readonly PeerAuthentication[],
  host: AnalysisHost,
): readonly Candidate[] {
  const known = host.set.all('Workload').filter((workload) => isFor(policy, workload, host));
  if (known.length > 0 || host.options.workloadsKnown === true)
    return known.map(({ metadata: { namespace, name, labels }, spec }) => ({
      name: `${namespace}/${name}`,
      namespace,
      labels,
      ports: spec.ports.map(({ port }) => port),
    }));
  const { namespace } = policy.metadata;
  const { selector, targetRefs } = policy.spec;
  const meant = (labels: Candidate['labels'], at = namespace): Candidate => ({
    name: `a workload of namespace ${at}`,
    namespace: at,
    labels,
    ports: undefined,
  });
  if (targetRefs !== undefined)
    return targetRefs.flatMap(({ name }) => {
      const labels = host.set.get('Service', namespace, name)?.spec.selector;
      return labels === undefined ? [] : [meant(labels)];
    });
  if (selector !== undefined) return [meant(selector.matchLabels)];
  const others = modes.filter(
    ({ metadata }) => namespace === ROOT_NAMESPACE || metadata.namespace === namespace,
  );
  return [
    meant(undefined),
    ...others.map(({ metadata, spec }) => meant(spec.selector?.matchLabels, metadata.namespace)),
  ];
}
