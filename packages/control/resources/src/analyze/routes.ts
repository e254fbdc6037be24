import type { HTTPBackendRef } from '../kinds/http-route.ts';
import {
  incompatibleRules,
  refusalOf,
  unsupportedFilters,
  type AnyRoute,
  type RequestRoute,
  type RouteRule,
} from '../routes.ts';
import { isBackendKind } from '../select.ts';
import type { LocatedResource } from '../resource.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { locatedRoutes } from './resource-set.ts';
import { analyzeShadows } from './shadows.ts';

/** Rules that never win, and rules that lead nowhere. */
export function analyzeRoutes(host: AnalysisHost): void {
  const routes = locatedRoutes(host.subjects);
  for (const subject of routes) {
    for (const { type, at } of unsupportedFilters(subject.resource))
      host.report(
        'TULLE0420',
        subject,
        `${at}/type`,
        `a GRPCRoute has no ${type}: the route is not accepted, and what it matches is led nowhere by it`,
        type === 'CORS'
          ? 'attach tulle.http.cors with a FilterPolicy; pages call by gRPC-Web'
          : type === 'ExternalAuth'
            ? 'attach tulle.http.ext-authz with a FilterPolicy'
            : 'remove it: gRPC knows neither redirects nor other paths',
      );
    for (const i of incompatibleRules(subject.resource))
      host.report(
        'TULLE0419',
        subject,
        `/spec/rules/${i}`,
        'the rule is dropped: where it redirects nothing is sent from here, and no copy either',
        'mirror in a rule of its own',
      );
    for (const [i, rule] of (subject.resource.spec.rules ?? []).entries())
      analyzeBackends(rule, subject, `/spec/rules/${i}`, host);
  }
  analyzeShadows(
    routes.filter(({ resource }) => refusalOf(resource) === undefined),
    host,
  );
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
  analyzeRepeats(backends, subject, `${at}/backendRefs`, host);
}

/** Backends that a rule of any kind lists twice. @param at of the list */
export function analyzeRepeats(
  backends: readonly HTTPBackendRef[],
  subject: LocatedResource<AnyRoute>,
  at: string,
  host: AnalysisHost,
): void {
  const first = new Map<string, number>();
  for (const [i, backend] of backends.entries()) {
    if (!isBackendKind(backend)) continue;
    const key = `${backend.namespace ?? subject.resource.metadata.namespace}/${backend.name}:${backend.port}`;
    const before = first.get(key);
    if (before === undefined) first.set(key, i);
    else
      host.report(
        'TULLE0404',
        subject,
        `${at}/${i}/name`,
        `${key} is a backend of this rule already (backendRefs[${before}]); their weights add up`,
      );
  }
}
