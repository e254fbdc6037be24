import { create } from '@bufbuild/protobuf';
import type { JwtRule, PathMatch } from '@tulle/model';
import {
  type JwtAuthentication,
  JwtAuthenticationSchema,
  type JwtRequirement,
  JwtRequirementSchema,
  type PerRouteConfig,
  PerRouteConfigSchema,
  type RequirementRule,
  RequirementRuleSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/jwt_authn/v3/config';
import { need, orInexpressible } from './inexpressible.ts';
import { encodeRouteMatch } from './matchers.ts';
import { encodeJwtProvider } from './jwt-provider.ts';
import { hasOnly, isCondition, isFilledList, isFlag, isObject, isText } from './shape.ts';
import { sortedMap } from './values.ts';

/** @returns `undefined` where Envoy's type would not say the same */
export function encodeJwt(config: unknown): JwtAuthentication | undefined {
  return orInexpressible(() => {
    need(
      isObject(config) &&
        hasOnly(config, [
          'providers',
          'requires',
          'rules',
          'requirements',
          'bypassPreflight',
          'silentRefusals',
        ]),
    );
    const { providers, requires, rules = [], requirements = {}, bypassPreflight, silentRefusals } = config;
    need(Array.isArray(providers) && providers.length > 0 && Array.isArray(rules) && isObject(requirements));
    need(isFlag(bypassPreflight) && isFlag(silentRefusals));
    const entries = providers.map(encodeJwtProvider);
    const names = entries.map(([name]) => name).sort();
    need(new Set(names).size === names.length);
    const each = names.map((provider) => ({ provider }));
    const last = requires ?? (each.length === 1 ? each[0] : { any: each });
    const all = rules.map((rule: unknown) => encodeRule(rule, names));
    // Where no rule matches Envoy asks for nothing.
    if (!isIgnored(last)) all.push(encodeRule({ match: {}, requires: last }, names));
    return create(JwtAuthenticationSchema, {
      providers: sortedMap(entries),
      rules: all,
      requirementMap: sortedMap(
        Object.entries(requirements).map(([name, one]) => [name, encodeRequirement(one, names, 0)]),
      ),
      bypassCorsPreflight: bypassPreflight === true,
      stripFailureResponse: silentRefusals === true,
    });
  });
}

/**
 * A route's own requirement: Envoy's routes name one of their chain's, or ask for nothing.
 * @returns `undefined` where Envoy's type would not say the same
 */
export function encodeJwtRoute(config: unknown): PerRouteConfig | undefined {
  if (!isObject(config)) return undefined;
  const { requirement, requires } = config;
  const of = (requirementSpecifier: PerRouteConfig['requirementSpecifier']): PerRouteConfig =>
    create(PerRouteConfigSchema, { requirementSpecifier });
  if (hasOnly(config, ['requires']) && isIgnored(requires)) return of({ case: 'disabled', value: true });
  if (!hasOnly(config, ['requirement']) || !isText(requirement) || requirement === '') return undefined;
  return of({ case: 'requirementName', value: requirement });
}

const isIgnored = (requires: unknown): boolean =>
  isObject(requires) && requires['ignore'] === true && hasOnly(requires, ['ignore']);

function encodeRule(rule: unknown, providers: readonly string[]): RequirementRule {
  need(isObject(rule) && hasOnly(rule, ['match', 'requires']));
  const { match, requires } = rule;
  need(isObject(match) && hasOnly(match, ['path', 'method', 'headers', 'query']));
  const { path, method, headers, query } = match as JwtRule['match'];
  need(path === undefined || isPath(path));
  need(method === undefined || isText(method));
  need(headers === undefined || isFilledList(headers, isCondition));
  // Inverted ones have no field.
  need(query === undefined || isFilledList(query, isCondition));
  need(query?.every(({ invert }) => invert !== true) ?? true);
  return create(RequirementRuleSchema, {
    match: encodeRouteMatch(
      {
        path: path ?? { kind: 'prefix', value: '/' },
        ...(method !== undefined && { method }),
        ...(headers && { headers }),
        ...(query && { query }),
      },
      'before', // an absent field fits an inverted condition there, by the word of the filter
    ),
    ...(!isIgnored(requires) && {
      requirementType: { case: 'requires', value: encodeRequirement(requires, providers, 0) },
    }),
  });
}

function isPath(path: unknown): path is PathMatch {
  return (
    isObject(path) &&
    hasOnly(path, ['kind', 'value']) &&
    ['exact', 'prefix', 'bytes-prefix', 'regex'].includes(String(path['kind'])) &&
    isText(path['value']) &&
    path['value'].startsWith('/')
  );
}

/** Deeper ones are refused by Envoy's parser sooner or later. */
const MAX_DEPTH = 20;

function encodeRequirement(given: unknown, providers: readonly string[], depth: number): JwtRequirement {
  need(isObject(given) && depth < MAX_DEPTH);
  const { provider, audiences, any, all, allowMissing, allowFailed } = given;
  const of = (requiresType: JwtRequirement['requiresType']): JwtRequirement =>
    create(JwtRequirementSchema, { requiresType });
  if (provider !== undefined) {
    need(hasOnly(given, ['provider', 'audiences']) && isText(provider) && providers.includes(provider));
    if (audiences === undefined) return of({ case: 'providerName', value: provider });
    need(isFilledList(audiences, isText));
    return create(JwtRequirementSchema, {
      requiresType: {
        case: 'providerAndAudiences',
        value: { providerName: provider, audiences: [...audiences] },
      },
    });
  }
  need(Object.keys(given).length === 1);
  if (allowMissing !== undefined) {
    need(allowMissing === true);
    return create(JwtRequirementSchema, { requiresType: { case: 'allowMissing', value: {} } });
  }
  if (allowFailed !== undefined) {
    need(allowFailed === true);
    return create(JwtRequirementSchema, { requiresType: { case: 'allowMissingOrFailed', value: {} } });
  }
  const list = any ?? all;
  need(Array.isArray(list) && list.length > 0);
  // Envoy looks at tokens of the providers beside it, Tulle at all.
  if (list.some((one) => isObject(one) && one['allowFailed'] !== undefined))
    need(
      depth === 0 &&
        any !== undefined &&
        providers.every((name) => list.some((one) => isObject(one) && one['provider'] === name)),
    );
  // Envoy refuses lists of one.
  if (list.length === 1) return encodeRequirement(list[0], providers, depth + 1);
  const requirements = list.map((one: unknown) => encodeRequirement(one, providers, depth + 1));
  return create(JwtRequirementSchema, {
    requiresType: { case: any === undefined ? 'requiresAll' : 'requiresAny', value: { requirements } },
  });
}
