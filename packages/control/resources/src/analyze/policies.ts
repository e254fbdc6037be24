import type { AuthorizationPolicy, AuthorizationRule } from '../kinds/authorization-policy.ts';
import type { FilterPolicy } from '../kinds/filter-policy.ts';
import { isServiceTarget } from '../kinds/metadata.ts';
import type { PeerAuthentication } from '../kinds/peer-authentication.ts';
import type { Workload } from '../kinds/workload.ts';
import type { LocatedResource } from '../resource.ts';
import { compareAge } from '../routes.ts';
import { connectionPorts, isHttpPort, selects, serviceSelects, targetPort } from '../select.ts';
import { didYouMean } from '../suggest.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { located } from './resource-set.ts';

/** Policies that select, match or change nothing, or less than it seems. */
export function analyzePolicies(host: AnalysisHost): void {
  for (const subject of located(host.subjects, 'AuthorizationPolicy')) {
    analyzeSelector(subject, host);
    analyzeAuthorization(subject, host);
  }
  for (const subject of located(host.subjects, 'PeerAuthentication')) analyzeSelector(subject, host);
  for (const subject of located(host.subjects, 'FilterPolicy')) {
    analyzeSelector(subject, host);
    const { filter } = subject.resource.spec;
    if (!host.options.filters.has(filter)) {
      host.report(
        'TULLE0504',
        subject,
        '/spec/filter',
        `the filter ${JSON.stringify(filter)} is not known here, so its configuration was not checked`,
        didYouMean(filter, host.options.filters.keys()),
      );
    }
  }
  for (const subject of located(host.subjects, 'Service')) {
    const { selector } = subject.resource.spec;
    const known = workloadsIn(subject.resource.metadata.namespace, host);
    if (
      selector === undefined ||
      known === undefined ||
      known.some((w) => serviceSelects(subject.resource, w.metadata.labels))
    )
      continue;
    host.report(
      'TULLE0501',
      subject,
      '/spec/selector',
      `no Workload of namespace ${subject.resource.metadata.namespace} has the labels ${labelText(selector)}`,
      nearLabels(selector, known),
    );
  }
  analyzeOverlaps(host);
}

/** Workloads of a namespace, or `undefined` when more may join. */
function workloadsIn(namespace: string, host: AnalysisHost): readonly Workload[] | undefined {
  const found = host.set.all('Workload').filter((w) => w.metadata.namespace === namespace);
  return found.length > 0 || host.options.workloadsKnown === true ? found : undefined;
}

function analyzeSelector(
  subject: LocatedResource<AuthorizationPolicy | FilterPolicy | PeerAuthentication>,
  host: AnalysisHost,
): void {
  const { selector } = subject.resource.spec;
  const known = workloadsIn(subject.resource.metadata.namespace, host);
  if (
    selector === undefined ||
    known === undefined ||
    known.some((w) => selects(selector, w.metadata.labels))
  )
    return;
  host.report(
    'TULLE0501',
    subject,
    '/spec/selector',
    `no Workload of namespace ${subject.resource.metadata.namespace} has the labels ${labelText(selector.matchLabels)}`,
    nearLabels(selector.matchLabels, known),
  );
}

function labelText(labels: Readonly<Record<string, string>>): string {
  return (
    Object.entries(labels)
      .map(([k, v]) => `${k}=${v}`)
      .join(', ') || '(none)'
  );
}

function nearLabels(
  wanted: Readonly<Record<string, string>>,
  known: readonly Workload[],
): string | undefined {
  const pairs = new Set(
    known.flatMap((w) => Object.entries(w.metadata.labels ?? {}).map(([k, v]) => `${k}=${v}`)),
  );
  for (const [k, v] of Object.entries(wanted))
    if (!pairs.has(`${k}=${v}`)) return didYouMean(`${k}=${v}`, pairs);
  return undefined;
}

function analyzeAuthorization(subject: LocatedResource<AuthorizationPolicy>, host: AnalysisHost): void {
  const { spec } = subject.resource;
  if ((spec.rules ?? []).length === 0) {
    host.report(
      'TULLE0502',
      subject,
      '/spec',
      spec.action === 'ALLOW'
        ? 'an ALLOW policy without rules allows nothing: everything is denied'
        : 'a DENY policy without rules denies nothing',
      spec.action === 'ALLOW' ? 'if that is meant, a DENY policy with the rule {} says it better' : undefined,
    );
  }
  for (const [i, rule] of (spec.rules ?? []).entries()) {
    const at = `/spec/rules/${i}`;
    const impossible = impossiblePart(rule);
    if (impossible !== undefined)
      host.report(
        'TULLE0506',
        subject,
        `${at}/${impossible}`,
        `everything under ${impossible.split('/').at(-1)} is excluded by the field that begins with not`,
      );
    for (const field of ['identities', 'notIdentities'] as const) {
      for (const [j, id] of (rule.from?.[field] ?? []).entries()) {
        const domain = /^spiffe:\/\/([^/*]+)\//.exec(id)?.[1];
        if (
          domain !== undefined &&
          host.options.trustDomain !== undefined &&
          domain !== host.options.trustDomain
        ) {
          host.report(
            'TULLE0507',
            subject,
            `${at}/from/${field}/${j}`,
            `${id} is of trust domain ${domain}; this mesh is ${host.options.trustDomain}`,
          );
        }
      }
    }
  }
  for (const port of tcpPorts(subject.resource, host)) {
    if (
      (spec.rules ?? []).some(
        (rule) =>
          rule.to !== undefined || rule.from?.cidrs !== undefined || rule.from?.notCidrs !== undefined,
      ) ||
      spec.action === 'DENY'
    ) {
      host.report(
        'TULLE0503',
        subject,
        '/spec',
        `port ${port} carries TCP, where only ALLOW by identity can be honoured; callers of it are refused`,
        'use an ALLOW policy with from only, or set appProtocol: http if the port speaks HTTP',
      );
    }
  }
}

/** TCP ports of the Services and Workloads that a policy selects, as `workload:port`. */
function tcpPorts(policy: AuthorizationPolicy, host: AnalysisHost): string[] {
  const { namespace } = policy.metadata;
  const found = new Set<string>();
  const services = host.set.all('Service').filter((s) => s.metadata.namespace === namespace);
  const targets =
    policy.spec.targetRefs === undefined ? undefined : new Set(policy.spec.targetRefs.map((t) => t.name));
  for (const service of services) {
    if (targets !== undefined && !targets.has(service.metadata.name)) continue;
    const workloads = host.set
      .all('Workload')
      .filter(
        (w) =>
          w.metadata.namespace === namespace &&
          serviceSelects(service, w.metadata.labels) &&
          (policy.spec.selector === undefined || selects(policy.spec.selector, w.metadata.labels)),
      );
    for (const port of connectionPorts(service)) {
      if (isHttpPort(port)) continue;
      if (targets !== undefined) found.add(`${service.metadata.name}:${port.port}`);
      for (const workload of workloads) {
        const target = targetPort(port, workload.spec);
        if (target !== undefined && targets === undefined)
          found.add(`${workload.metadata.name}:${target.port}`);
      }
    }
  }
  return [...found];
}

/** A pair of fields of which one excludes all of the other. */
function impossiblePart(rule: AuthorizationRule): string | undefined {
  const within = (wanted: readonly string[] | undefined, not: readonly string[] | undefined): boolean =>
    wanted !== undefined && not !== undefined && wanted.every((w) => not.includes(w));
  if (within(rule.from?.identities, rule.from?.notIdentities)) return 'from/identities';
  if (within(rule.from?.cidrs, rule.from?.notCidrs)) return 'from/cidrs';
  if (within(rule.to?.methods, rule.to?.notMethods)) return 'to/methods';
  if (within(rule.to?.paths, rule.to?.notPaths)) return 'to/paths';
  if (within(rule.to?.hosts, rule.to?.notHosts)) return 'to/hosts';
  return undefined;
}

function analyzeOverlaps(host: AnalysisHost): void {
  analyzeBudgets(host);
  const first = new Map<string, LocatedResource>();
  const policies = located(host.subjects, 'TrafficPolicy').toSorted(byAge);
  for (const subject of policies) {
    const { spec, metadata } = subject.resource;
    for (const target of spec.targetRefs) {
      for (const part of Object.keys(spec)) {
        if (part === 'targetRefs') continue;
        const key = JSON.stringify([metadata.namespace, target.kind, target.name, target.sectionName, part]);
        const winner = first.get(key);
        if (winner === undefined) first.set(key, subject);
        else if (winner !== subject)
          host.report(
            'TULLE0505',
            subject,
            `/spec/${part}`,
            `${part} of ${target.kind} ${target.name} is set by TrafficPolicy ${winner.resource.metadata.name} already, which wins`,
          );
      }
    }
  }
}

/** Budgets of a Service that another policy has set. */
function analyzeBudgets(host: AnalysisHost): void {
  const first = new Map<string, string>();
  const own = (subject: LocatedResource): string =>
    `${subject.resource.kind} ${subject.resource.metadata.name}`;
  const key = (namespace: string, name: string): string => `${namespace}/${name}`;
  for (const subject of located(host.subjects, 'TrafficPolicy')) {
    const { spec, metadata } = subject.resource;
    for (const target of spec.retryBudget === undefined ? [] : spec.targetRefs)
      if (target.kind === 'Service' && target.sectionName === undefined)
        first.set(key(metadata.namespace, target.name), own(subject));
  }
  const policies = located(host.subjects, 'XBackendTrafficPolicy').toSorted(byAge);
  const sessions = new Map<string, string>();
  for (const [part, what, taken] of [
    ['retryConstraint', 'the retry budget', first],
    ['sessionPersistence', 'the session persistence', sessions],
  ] as const)
    for (const subject of policies) {
      const { spec, metadata } = subject.resource;
      if (spec[part] === undefined) continue;
      for (const [i, target] of spec.targetRefs.entries()) {
        if (!isServiceTarget(target)) continue;
        const { name } = target;
        const winner = taken.get(key(metadata.namespace, name));
        if (winner === undefined) taken.set(key(metadata.namespace, name), own(subject));
        else
          host.report(
            'TULLE0505',
            subject,
            `/spec/targetRefs/${i}`,
            `${what} of Service ${name} is set by ${winner} already, which wins`,
          );
      }
    }
}

/** As the control plane decides. */
function byAge(a: LocatedResource, b: LocatedResource): number {
  return compareAge(a.resource, b.resource);
}
