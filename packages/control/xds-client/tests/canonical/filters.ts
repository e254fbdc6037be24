import type { AuthzPolicy, AuthzRule, FilterEntry, JwtRule, ValueMatch } from '@tulle/model';
import {
  ADAPTIVE_CONCURRENCY_FILTER,
  ADMISSION_CONTROL_FILTER,
  AUTHZ_FILTER,
  COMPRESSION_FILTER,
  CONN_EXT_AUTHZ_FILTER,
  CORS_FILTER,
  EXT_AUTHZ_CLIENT_HEADERS,
  EXT_AUTHZ_FILTER,
  FAULT_FILTER,
  GLOBAL_RATE_LIMIT_FILTER,
  HEADERS_FILTER,
  HEALTH_CHECK_FILTER,
  IP_ALLOW_FILTER,
  JWT_FILTER,
  RATE_LIMIT_FILTER,
  RETRY_FILTER,
} from '@tulle/model';
import { without, isObject, edits, stringMatch, cidr } from './values.ts';

/** Defaults of standard filters that the wire writes out, or leaves out. */
const STANDARD: Readonly<Record<string, (value: Record<string, unknown>) => unknown>> = {
  [RATE_LIMIT_FILTER](value) {
    const limits = value['limits'];
    if (!Array.isArray(limits) || limits.length !== 1 || !isObject(limits[0])) return value;
    return { ...value, limits: [without(limits[0], { intervalMs: 1000, burst: limits[0]['requests'] })] };
  },
  [ADAPTIVE_CONCURRENCY_FILTER](value) {
    const { minRtt } = value;
    const kept = isObject(minRtt) ? without(minRtt, { intervalMs: 60_000 }) : minRtt;
    return without({ ...value, minRtt: kept }, { updateIntervalMs: 100, minRtt: {} });
  },
  [ADMISSION_CONTROL_FILTER]: (value) => without(value, { success: {} }),
  [AUTHZ_FILTER]: authz,
  [CONN_EXT_AUTHZ_FILTER]: (value) =>
    without(value, { timeoutMs: 200, failureMode: 'deny', tellServerName: false, tellCertificate: false }),
  [EXT_AUTHZ_FILTER](value) {
    const { service } = value;
    const http = isObject(service) && isObject(service['http']) ? service['http'] : undefined;
    const lists = { requestHeaders: [], upstreamHeaders: [], clientHeadersOnSuccess: [] };
    const listed = http && { ...http, clientHeaders: http['clientHeaders'] ?? EXT_AUTHZ_CLIENT_HEADERS };
    return without(
      { ...value, ...(listed && { service: { http: without(listed, { ...lists, path: 'append' }) } }) },
      { timeoutMs: 200, statusOnError: 403, failureMode: 'deny', contextExtensions: {} },
    );
  },
  [JWT_FILTER]: jwt,
  [HEALTH_CHECK_FILTER]: (value) =>
    without(
      {
        ...value,
        match: Array.isArray(value['match'])
          ? value['match'].map((one: unknown) =>
              isObject(one) && isObject(one['match']) ? stringMatch(one as never) : one,
            )
          : value['match'],
      },
      { answerBy: 'proxy', minHealthyPercent: {} },
    ),
  [GLOBAL_RATE_LIMIT_FILTER]: (value) =>
    without(value, {
      failureMode: 'allow',
      statusOnError: 500,
      stage: 0,
      status: 429,
      resourceExhausted: false,
      mark: true,
      rateHeaders: false,
    }),
  [CORS_FILTER]: (value) =>
    without(value, { maxAgeSeconds: value['inherits'] === true ? undefined : 5, inherits: false }),
  [RETRY_FILTER]: (value) => ({
    ...value,
    ...Object.fromEntries(
      ['responseHeaders', 'requestHeaders'].flatMap((key) => {
        const list = value[key];
        return Array.isArray(list) ? [[key, list.map((one: unknown) => stringMatch(one as never))]] : [];
      }),
    ),
  }),
  [COMPRESSION_FILTER](value) {
    const { codings, contentTypes, levels, minBytes } = value;
    if (!Array.isArray(codings) || codings.length !== 1 || !Array.isArray(contentTypes)) return value;
    const coding = String(codings[0]);
    const own = isObject(levels) ? levels[coding] : undefined;
    const level = own ?? { gzip: 6, br: 4, zstd: 3 }[coding];
    return { ...value, minBytes: minBytes ?? 1024, levels: { ...(levels as object), [coding]: level } };
  },
};

/** The order of providers means nothing, nor that of places in which a token may be. */
function jwt(value: Record<string, unknown>): unknown {
  const { providers, requires, rules } = value;
  if (!Array.isArray(providers) || providers.length === 0 || !providers.every(isObject)) return value;
  const list = providers.map(provider).sort((a, b) => (String(a['name']) < String(b['name']) ? -1 : 1));
  const each = list.map(({ name }) => ({ provider: name }));
  return without(
    {
      ...value,
      providers: list,
      requires: requires ?? (each.length === 1 ? each[0] : { any: each }),
      rules:
        Array.isArray(rules) &&
        rules.map((rule: JwtRule) => ({
          ...rule,
          match: without({
            ...rule.match,
            headers: rule.match.headers?.map(stringMatch),
            query: rule.match.query?.map(stringMatch),
          }),
        })),
    },
    { rules: false },
  );
}

function provider(value: Record<string, unknown>): Record<string, unknown> {
  const { jwks, from = [{ header: 'authorization' }] } = value;
  const rank = (place: object): number => ['header', 'query', 'cookie'].findIndex((key) => key in place);
  const places = (from as Record<string, unknown>[]).map((place) =>
    without(place, {
      prefix: String(place['header']).toLowerCase() === 'authorization' ? 'Bearer ' : '',
    }),
  );
  return without(
    {
      ...value,
      from: places.toSorted((a, b) => rank(a) - rank(b)),
      jwks:
        isObject(jwks) && 'cluster' in jwks ? without(jwks, { refreshMs: 600_000, timeoutMs: 5000 }) : jwks,
    },
    { clockSkewMs: 60_000, requireExpiration: true, forward: false },
  );
}

/** The order of policies means nothing, and neither does a default beside an ALLOW that is in force. */
function authz(value: Record<string, unknown>): unknown {
  const { policies, defaultAction } = value;
  if (!Array.isArray(policies) || !policies.every(isAuthzPolicy)) return value;
  const rank = ({ action, name }: AuthzPolicy): string => `${action === 'DENY' ? 0 : 1} ${name}`;
  const allows = policies.some((one) => one.action === 'ALLOW' && one.shadow !== true);
  return without(
    {
      ...value,
      defaultAction: allows && defaultAction === 'deny' ? undefined : defaultAction,
      policies: policies
        .map((one) =>
          without({ ...one, rules: one.rules.map((rule) => authzRule(rule, one.action)) }, { shadow: false }),
        )
        .toSorted((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0)),
    },
    { defaultAction: 'allow' },
  );
}

function isAuthzPolicy(value: unknown): value is AuthzPolicy {
  return isObject(value) && Array.isArray(value['rules']) && typeof value['name'] === 'string';
}

function authzRule(rule: AuthzRule, action: string): AuthzRule {
  const { from, to } = rule;
  const anybody = JSON.stringify(from?.identities) === '["*"]' && from?.notIdentities !== undefined;
  return without({
    ...rule,
    from:
      from &&
      without({
        ...from,
        identities: anybody && action === 'ALLOW' ? undefined : from.identities,
        cidrs: from.cidrs?.map(cidr),
        notCidrs: from.notCidrs?.map(cidr),
      }),
    to: to && without({ ...to, headers: to.headers?.map(stringMatch) }),
  } as AuthzRule);
}

function ipAllow(value: unknown): unknown {
  if (!isObject(value)) return value;
  const list = (cidrs: unknown): unknown =>
    Array.isArray(cidrs) && cidrs.every((one) => typeof one === 'string') ? cidrs.map(cidr) : cidrs;
  return without({ ...value, allow: list(value['allow']), deny: list(value['deny']) });
}

function config(filter: string, value: unknown): unknown {
  if (!isObject(value)) return value ?? (value === null ? null : {});
  if (filter === IP_ALLOW_FILTER) return ipAllow(value);
  if (filter === HEADERS_FILTER) return headerEdits(value);
  const standard = STANDARD[filter];
  if (standard) return standard(value);
  if (filter !== FAULT_FILTER) return value;
  const share = (part: unknown): unknown => (isObject(part) ? without(part, { percent: 100 }) : part);
  const { byHeader, match, headers } = value;
  // Exact values alone are a table.
  const exact =
    Array.isArray(match) && match.length > 0
      ? match.flatMap((one: ValueMatch) =>
          one.match.kind === 'exact' && one.match.ignoreCase !== true && one.invert !== true
            ? [[one.name, one.match.value] as const]
            : [],
        )
      : [];
  const table = Object.fromEntries(exact);
  const isTable =
    headers === undefined && exact.length > 0 && Object.keys(table).length === (match as unknown[]).length;
  return without(
    {
      ...value,
      delay: share(value['delay']),
      abort: share(value['abort']),
      responseRate: share(value['responseRate']),
      byHeader: isObject(byHeader)
        ? Object.fromEntries(Object.entries(byHeader).map(([key, one]) => [key, share(one)]))
        : byHeader,
      headers: isTable ? table : headers,
      match: isTable
        ? undefined
        : Array.isArray(match)
          ? match.map((one: unknown) => (isObject(one) ? stringMatch(one as never) : one))
          : match,
    },
    { headers: {}, byHeader: {}, replaces: false },
  );
}

/** Edits and steps in one list, as they are made. */
function headerEdits(value: Record<string, unknown>): unknown {
  const side = (given: unknown, steps: unknown): unknown => {
    const kept = edits(given);
    if ((kept !== undefined && !isObject(kept)) || (steps !== undefined && !Array.isArray(steps)))
      return [kept, steps];
    const { remove = [], set = [], add = [], ...more } = kept ?? {};
    if (![remove, set, add].every(Array.isArray) || Object.keys(more).length > 0) return [kept, steps];
    const all = [
      ...(remove as unknown[]).map((one) => ({ remove: one })),
      ...(set as unknown[]).map((one) => ({ set: one })),
      ...(add as unknown[]).map((one) => ({ add: one })),
      ...((steps as unknown[] | undefined) ?? []),
    ];
    return all.length === 0 ? undefined : all;
  };
  const { request, response, requestSteps, responseSteps, ...rest } = value;
  return without(
    { ...rest, request: side(request, requestSteps), response: side(response, responseSteps) },
    { specificLast: false },
  );
}

export function overrides(
  configs: Readonly<Record<string, unknown>> | undefined,
): Readonly<Record<string, unknown>> | undefined {
  const entries = Object.entries(configs ?? {}).map(([slot, value]) => [slot, config(slot, value)] as const);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

export function entry(value: FilterEntry): FilterEntry {
  return without(
    { ...value, config: config(value.filter, value.config) },
    { mandatory: false, failOpen: false, disabled: false },
  );
}
