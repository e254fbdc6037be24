import { comparePrecedence } from '@tulle/match';
import type { RouteMatch } from '@tulle/model';
import { createdMs } from '../route-match.ts';
import { parentKind } from '../kinds/http-route.ts';
import { matchesOfRule, type RequestRoute, type RouteRule } from '../routes.ts';
import type { LocatedResource } from '../resource.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { locatedRoutes } from './resource-set.ts';

/** Rules that never win, and rules that lead nowhere. */
export function analyzeRoutes(host: AnalysisHost): void {
  const routes = locatedRoutes(host.subjects);
  for (const subject of routes) {
    for (const [i, rule] of (subject.resource.spec.rules ?? []).entries())
      analyzeBackends(rule, subject, `/spec/rules/${i}`, host);
  }
  analyzeShadows(routes, host);
}

function analyzeBackends(
  rule: RouteRule,
  subject: LocatedResource<RequestRoute>,
  at: string,
  host: AnalysisHost,
): void {
  const backends = rule.backendRefs ?? [];
  if (backends.length === 0) {
    if (!(rule.filters ?? []).some((f) => f.type === 'RequestRedirect'))
      host.report(
        'TULLE0406',
        subject,
        at,
        subject.resource.kind === 'GRPCRoute'
          ? 'the rule has no backendRefs: what it matches gets UNAVAILABLE'
          : 'the rule has no backendRefs and no RequestRedirect: what it matches gets 500',
      );
    return;
  }
  if (backends.every((b) => b.weight === 0))
    host.report(
      'TULLE0403',
      subject,
      `${at}/backendRefs`,
      'all weights are 0: what the rule matches gets 500',
    );
  const first = new Map<string, number>();
  for (const [i, backend] of backends.entries()) {
    const key = `${backend.namespace ?? subject.resource.metadata.namespace}/${backend.name}:${backend.port}`;
    const before = first.get(key);
    if (before === undefined) first.set(key, i);
    else
      host.report(
        'TULLE0404',
        subject,
        `${at}/backendRefs/${i}/name`,
        `${key} is a backend of this rule already (backendRefs[${before}]); their weights add up`,
      );
  }
}

interface Candidate {
  readonly subject: LocatedResource<RequestRoute>;
  readonly rule: number;
  readonly index: number;
  readonly match: RouteMatch;
  readonly name: string;
  readonly createdMs?: number;
}

/**
 * A rule is shadowed when each of its matches has an equal one before it, for the same parent and hosts. (By precedence
 * a more specific match always comes first, so only equal ones can shadow.)
 */
function analyzeShadows(routes: readonly LocatedResource<RequestRoute>[], host: AnalysisHost): void {
  const groups = new Map<string, Candidate[]>();
  for (const subject of routes) {
    const { spec, metadata } = subject.resource;
    const created = createdMs(metadata);
    for (const rule of (spec.rules ?? []).keys()) {
      for (const [index, { match }] of matchesOfRule(subject.resource, rule).entries()) {
        const candidate: Candidate = {
          subject,
          rule,
          index,
          match,
          name: `${metadata.namespace}/${metadata.name}`,
          ...(created === undefined ? {} : { createdMs: created }),
        };
        for (const parent of spec.parentRefs) {
          for (const hostname of spec.hostnames?.length ? spec.hostnames : ['']) {
            const key = JSON.stringify([
              parentKind(parent),
              parent.namespace ?? metadata.namespace,
              parent.name,
              parent.port,
              parent.sectionName,
              hostname,
              fingerprint(candidate.match),
            ]);
            const group = groups.get(key);
            if (group === undefined) groups.set(key, [candidate]);
            else group.push(candidate);
          }
        }
      }
    }
  }
  const losses = new Map<LocatedResource<RequestRoute>, Map<number, Map<number, Candidate>>>();
  for (const group of groups.values()) {
    if (group.length < 2) continue;
    const [winner, ...losers] = group.toSorted(comparePrecedence) as [Candidate, ...Candidate[]];
    for (const loser of losers) {
      const rules = losses.get(loser.subject) ?? new Map<number, Map<number, Candidate>>();
      losses.set(loser.subject, rules);
      rules.set(loser.rule, (rules.get(loser.rule) ?? new Map<number, Candidate>()).set(loser.index, winner));
    }
  }
  for (const [subject, rules] of losses)
    for (const [rule, matches] of rules) reportShadow(subject, rule, matches, host);
}

function reportShadow(
  subject: LocatedResource<RequestRoute>,
  rule: number,
  lost: ReadonlyMap<number, Candidate>,
  host: AnalysisHost,
): void {
  const { metadata, spec } = subject.resource;
  const total = spec.rules?.[rule]?.matches?.length ?? 1;
  const [index, winner] = [...lost][0] as [number, Candidate];
  const at =
    spec.rules?.[rule]?.matches === undefined
      ? `/spec/rules/${rule}`
      : `/spec/rules/${rule}/matches/${index}`;
  const where = winner.subject.locate(`/spec/rules/${winner.rule}`);
  const by = `rule ${winner.rule} of ${winner.subject.resource.kind} ${winner.name}${where === undefined ? '' : ` (${where.file}:${where.line})`}`;
  host.report(
    'TULLE0401',
    subject,
    at,
    lost.size === total
      ? `the rule is never used: ${by} matches the same requests and comes first`
      : `${lost.size} of the rule's ${total} matches are never used: ${by} comes first`,
  );
  const byName =
    winner.name !== `${metadata.namespace}/${metadata.name}` && createdMs(metadata) === winner.createdMs;
  if (byName) {
    host.report(
      'TULLE0402',
      subject,
      at,
      `${winner.name} comes before ${metadata.namespace}/${metadata.name} by name, since neither is older`,
      'give metadata.creationTimestamp to decide by age, or make the matches differ',
    );
  }
}

/** Equal for matches that take the same requests: conditions on headers and query have no order. */
function fingerprint(match: RouteMatch): string {
  const sorted = (list: readonly unknown[] | undefined): string[] =>
    (list ?? []).map((item) => JSON.stringify(item)).toSorted();
  const path =
    match.path.kind === 'prefix'
      ? { kind: 'prefix', value: match.path.value.replace(/\/$/, '') }
      : match.path;
  return JSON.stringify([path, match.grpc, match.method, sorted(match.headers), sorted(match.query)]);
}
