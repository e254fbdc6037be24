import { usesDefaultGateways } from '../gateway/default.ts';
import { GATEWAY_GROUP } from '../kinds/gateway.ts';
import {
  parentKind,
  type HTTPPathModifier,
  type HTTPRequestMirror,
  type HTTPRouteFilter,
  type HTTPValueMatch,
  type ParentRef,
} from '../kinds/http-route.ts';
import { parentRefsOf, rulesOf, type RequestRoute, type RouteRule } from '../routes.ts';
import { checkBackend } from './backend.ts';
import { checkPattern, noRepeats, type CheckHost } from './check-host.ts';
import { checkExternalAuth } from './external-auth.ts';
import { checkIdentityEdits } from './identity-fields.ts';
import { checkSessionPersistence } from './session-persistence.ts';

/** Fields that HTTP framing and routing live by: no edit of a configuration may touch them (RFC 9110 §7.6.1). */
const RESERVED = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'keep-alive',
  'proxy-connection',
]);

/** What holds for routes of every kind but for their matches: names, hosts, parents, filters, backends. */
export function checkRouteParts(route: RequestRoute, host: CheckHost): void {
  const rules = rulesOf(route);
  noRepeats(
    host,
    rules,
    (r) => r.name,
    (i) => `/spec/rules/${i}/name`,
    (n) => `the rule name ${JSON.stringify(n)} is used twice`,
  );
  noRepeats(
    host,
    route.spec.hostnames ?? [],
    (h) => h,
    (i) => `/spec/hostnames/${i}`,
    (n) => `${n} is listed twice`,
  );
  checkParents(parentRefsOf(route), host);
  for (const [i, rule] of rules.entries()) {
    const at = `/spec/rules/${i}`;
    checkFilters(rule.filters ?? [], `${at}/filters`, host);
    checkSessionPersistence(rule.sessionPersistence, `${at}/sessionPersistence`, host);
    for (const [j, backend] of (rule.backendRefs ?? []).entries()) {
      checkBackend(backend, `${at}/backendRefs/${j}`, host);
      const filters = backend.filters ?? [];
      checkFilters(filters, `${at}/backendRefs/${j}/filters`, host);
      if (route.kind === 'HTTPRoute') checkSteps(rule, filters, `${at}/backendRefs/${j}/filters`, host);
    }
  }
  if (usesDefaultGateways(route) || parentRefsOf(route).some((parent) => parentKind(parent) !== 'Service'))
    checkIdentities(rules, host);
}

/** Steps of one backend that lead its share elsewhere. */
function checkSteps(rule: RouteRule, filters: readonly HTTPRouteFilter[], at: string, host: CheckHost): void {
  const types = filters.map(({ type }) => type);
  for (const [i, type] of types.entries()) {
    if (type !== 'RequestRedirect' && type !== 'URLRewrite') continue;
    if ((rule.filters ?? []).some((f) => f.type === type))
      host.report('TULLE0208', `${at}/${i}`, `the rule has a ${type} for every backend already`);
  }
  const redirect = types.indexOf('RequestRedirect');
  if (redirect >= 0 && types.includes('URLRewrite'))
    host.report(
      'TULLE0208',
      `${at}/${redirect}`,
      'a backend cannot both redirect and rewrite: a redirected request goes nowhere from here',
    );
}

/** Parents of a route of any kind. */
export function checkParents(parents: readonly ParentRef[], host: CheckHost): void {
  noRepeats(
    host,
    parents,
    ({ group = GATEWAY_GROUP, kind = 'Gateway', namespace = host.namespace, name, port, sectionName }) =>
      JSON.stringify([group, kind, namespace, name, port, sectionName]),
    (i) => `/spec/parentRefs/${i}`,
    () => 'the parent is listed twice',
  );
  for (const [i, parent] of parents.entries()) checkParent(parent, `/spec/parentRefs/${i}`, host);
}

/** What routes of a Gateway, or of its ListenerSets, may not say of callers. */
function checkIdentities(rules: readonly RouteRule[], host: CheckHost): void {
  const check = (filters: readonly HTTPRouteFilter[] = [], at: string): void => {
    for (const [i, filter] of filters.entries())
      if (filter.type === 'RequestHeaderModifier' && filter.requestHeaderModifier !== undefined)
        checkIdentityEdits(filter.requestHeaderModifier, `${at}/${i}/requestHeaderModifier`, host);
  };
  for (const [i, { filters, backendRefs = [] }] of rules.entries()) {
    check(filters, `/spec/rules/${i}/filters`);
    for (const [j, backend] of backendRefs.entries())
      check(backend.filters, `/spec/rules/${i}/backendRefs/${j}/filters`);
  }
}

/** Group and kind go together. Absent ones mean a Gateway. */
function checkParent(parent: ParentRef, at: string, host: CheckHost): void {
  const kind = parentKind(parent);
  if (kind === 'other') return; // another implementation's
  const wanted = kind === 'Service' ? '' : GATEWAY_GROUP;
  if ((parent.group ?? GATEWAY_GROUP) === wanted) return;
  const has =
    parent.group === undefined
      ? 'is absent, which means gateway.networking.k8s.io'
      : `is ${JSON.stringify(parent.group)}`;
  host.report(
    'TULLE0208',
    parent.group === undefined ? at : `${at}/group`,
    `a ${kind} is of group ${JSON.stringify(wanted)}, but group ${has}`,
    `group: ${wanted === '' ? "''" : wanted}`,
  );
}

const BODY_OF: Readonly<Record<HTTPRouteFilter['type'], string>> = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  RequestMirror: 'requestMirror',
  CORS: 'cors',
  ExternalAuth: 'externalAuth',
  ExtensionRef: 'extensionRef',
};

function checkFilters(filters: readonly HTTPRouteFilter[], at: string, host: CheckHost): void {
  noRepeats(
    host,
    filters,
    // There may be several of these (Gateway API).
    (f) => (f.type === 'RequestMirror' || f.type === 'ExtensionRef' ? undefined : f.type),
    (i) => `${at}/${i}/type`,
    (t) => `${t} is there twice; put both edits into one`,
  );
  for (const [i, filter] of filters.entries()) {
    const body = BODY_OF[filter.type];
    if (!Object.hasOwn(filter, body))
      host.report('TULLE0203', `${at}/${i}`, `a filter of type ${filter.type} needs the field "${body}"`);
    for (const field of Object.keys(filter)) {
      if (field !== 'type' && field !== body)
        host.report(
          'TULLE0208',
          `${at}/${i}/${field}`,
          `a filter of type ${filter.type} has the field "${body}", not "${field}"`,
        );
    }
    checkEdits(filter, `${at}/${i}/${body}`, host);
    if (filter.type === 'ExternalAuth') checkExternalAuth(filter.externalAuth, `${at}/${i}/${body}`, host);
    if (filter.type === 'RequestMirror') checkMirror(filter.requestMirror, `${at}/${i}/${body}`, host);
    const modifier = pathModifier(filter);
    if (modifier !== undefined) checkModifier(modifier, `${at}/${i}/${body}/path`, host);
  }
}

function checkMirror(mirror: HTTPRequestMirror | undefined, at: string, host: CheckHost): void {
  if (mirror?.backendRef === undefined) return;
  checkBackend(mirror.backendRef, `${at}/backendRef`, host);
  const { percent, fraction } = mirror;
  if (percent !== undefined && fraction !== undefined)
    host.report('TULLE0208', `${at}/fraction`, 'give percent or fraction, not both');
  if (fraction !== undefined && fraction.numerator > (fraction.denominator ?? 100))
    host.report(
      'TULLE0204',
      `${at}/fraction/numerator`,
      `${fraction.numerator} of ${fraction.denominator ?? 100} is more than all`,
    );
}

export function pathModifier(filter: HTTPRouteFilter): HTTPPathModifier | undefined {
  if (filter.type === 'RequestRedirect') return filter.requestRedirect?.path;
  return filter.type === 'URLRewrite' ? filter.urlRewrite?.path : undefined;
}

function checkModifier(modifier: HTTPPathModifier, at: string, host: CheckHost): void {
  const [wanted, other] =
    modifier.type === 'ReplaceFullPath'
      ? (['replaceFullPath', 'replacePrefixMatch'] as const)
      : (['replacePrefixMatch', 'replaceFullPath'] as const);
  if (!Object.hasOwn(modifier, wanted))
    host.report('TULLE0203', at, `${modifier.type} needs the field "${wanted}"`);
  if (Object.hasOwn(modifier, other))
    host.report('TULLE0208', `${at}/${other}`, `${modifier.type} has the field "${wanted}", not "${other}"`);
}

function checkEdits(filter: HTTPRouteFilter, at: string, host: CheckHost): void {
  const edits =
    filter.type === 'RequestHeaderModifier'
      ? filter.requestHeaderModifier
      : filter.type === 'ResponseHeaderModifier'
        ? filter.responseHeaderModifier
        : undefined;
  if (edits === undefined) return;
  const names: [string, string][] = [
    ...(edits.set ?? []).map((e, i): [string, string] => [e.name, `${at}/set/${i}/name`]),
    ...(edits.add ?? []).map((e, i): [string, string] => [e.name, `${at}/add/${i}/name`]),
    ...(edits.remove ?? []).map((n, i): [string, string] => [n, `${at}/remove/${i}`]),
  ];
  for (const [name, pointer] of names) {
    if (RESERVED.has(name.toLowerCase())) {
      host.report(
        'TULLE0205',
        pointer,
        `${name} belongs to the HTTP connection and cannot be edited`,
        name.toLowerCase() === 'host' ? 'use URLRewrite with hostname' : undefined,
      );
    }
  }
  for (const list of ['set', 'add', 'remove'] as const) {
    const entries: readonly (string | { readonly name: string })[] = edits[list] ?? [];
    noRepeats(
      host,
      entries,
      (e) => (typeof e === 'string' ? e : e.name).toLowerCase(),
      (i) => `${at}/${list}/${i}`,
      (n) => `${n} is listed twice under ${list}`,
    );
  }
}

/** Conditions on one list of values: each name once, patterns of RE2. */
export function checkValues(
  list: readonly HTTPValueMatch[],
  key: (item: { readonly name: string }) => string,
  at: string,
  host: CheckHost,
): void {
  noRepeats(
    host,
    list,
    key,
    (i) => `${at}/${i}/name`,
    (n) => `${n} has two conditions in one match; only one can be honoured`,
  );
  for (const [i, item] of list.entries())
    if (item.type === 'RegularExpression') checkPattern(host, item.value, `${at}/${i}/value`);
}
