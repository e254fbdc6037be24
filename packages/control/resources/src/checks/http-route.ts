import { normalizeConfiguredPath } from '@tulle/match';
import { parseDurationMs } from '../duration.ts';
import type { HTTPRoute, HTTPRouteFilter, HTTPRouteMatch, HTTPRouteRule } from '../kinds/http-route.ts';
import { checkPattern, type CheckHost } from './check-host.ts';
import { checkRouteParts, checkValues, pathModifier } from './route-parts.ts';

export function checkHttpRoute(route: HTTPRoute, host: CheckHost): void {
  checkRouteParts(route, host);
  for (const [i, rule] of (route.spec.rules ?? []).entries()) checkRule(rule, `/spec/rules/${i}`, host);
}

function checkRule(rule: HTTPRouteRule, at: string, host: CheckHost): void {
  for (const [i, match] of (rule.matches ?? []).entries()) checkMatch(match, `${at}/matches/${i}`, host);
  const filters = rule.filters ?? [];
  const redirect = filters.findIndex((f) => f.type === 'RequestRedirect');
  if (redirect >= 0 && filters.some((f) => f.type === 'URLRewrite')) {
    host.report(
      'TULLE0208',
      `${at}/filters/${redirect}`,
      'a rule cannot both redirect and rewrite: a redirected request goes nowhere from here',
    );
  }
  if (redirect >= 0 && (rule.backendRefs?.length ?? 0) > 0) {
    host.report(
      'TULLE0208',
      `${at}/backendRefs`,
      'a rule that redirects has no backendRefs: the request is answered here',
    );
  }
  const steps: readonly (readonly [HTTPRouteFilter, string])[] = [
    ...filters.map((filter, i) => [filter, `${at}/filters/${i}`] as const),
    ...(rule.backendRefs ?? []).flatMap((backend, b) =>
      (backend.filters ?? []).map((filter, i) => [filter, `${at}/backendRefs/${b}/filters/${i}`] as const),
    ),
  ];
  for (const [filter, place] of steps) {
    const modifier = pathModifier(filter);
    if (modifier?.type !== 'ReplacePrefixMatch') continue;
    const matches = rule.matches ?? [{}];
    if (matches.some((m) => (m.path?.type ?? 'PathPrefix') !== 'PathPrefix')) {
      host.report(
        'TULLE0208',
        place,
        'ReplacePrefixMatch needs a PathPrefix in every match of the rule: there is no prefix to replace otherwise',
      );
    }
  }
  checkTimes(rule, at, host);
}

function checkTimes(rule: HTTPRouteRule, at: string, host: CheckHost): void {
  const request = parseDurationMs(rule.timeouts?.request ?? '0s') ?? 0;
  const backend = parseDurationMs(rule.timeouts?.backendRequest ?? '0s') ?? 0;
  if (request > 0 && backend > request) {
    host.report(
      'TULLE0208',
      `${at}/timeouts/backendRequest`,
      `backendRequest (${rule.timeouts?.backendRequest}) is longer than request (${rule.timeouts?.request}), within which it must end`,
    );
  }
}

function checkMatch(match: HTTPRouteMatch, at: string, host: CheckHost): void {
  const value = match.path?.value ?? '/';
  if (match.path?.type === 'RegularExpression') checkPattern(host, value, `${at}/path/value`);
  else if (normalizeConfiguredPath(value) === '') {
    host.report(
      'TULLE0205',
      `${at}/path/value`,
      `no request can have the path ${JSON.stringify(value)}`,
      'write an absolute path like /orders, without query, escaped slashes or dot segments above the root',
    );
  }
  checkValues(match.headers ?? [], ({ name }) => name.toLowerCase(), `${at}/headers`, host);
  checkValues(match.queryParams ?? [], ({ name }) => name, `${at}/queryParams`, host);
}
