import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Json } from '../configuration.ts';
import { typed } from '../resources.ts';
import { everyHost, headersOf, METHODS, NAMES, pathOf, queryOf, VALUES } from './vocabulary.ts';

/** Who may do what, by the RBAC filter. */
export const rbac: Area = {
  name: 'rbac',
  short: 40,
  make(chance): Configuration {
    const rules = rulesOf(chance);
    const perRoute = chance.maybe(0.25) && {
      typed_per_filter_config: {
        'envoy.filters.http.rbac': typed(
          'envoy.extensions.filters.http.rbac.v3.RBACPerRoute',
          chance.maybe(0.3) ? {} : { rbac: { rules: rulesOf(chance) } },
        ),
      },
    };
    return {
      ...(chance.maybe(0.3) && { manager: { use_remote_address: true } }),
      httpFilters: [
        {
          name: 'envoy.filters.http.rbac',
          typed_config: typed(
            'envoy.extensions.filters.http.rbac.v3.RBAC',
            chance.maybe(0.1) ? { shadow_rules: rules } : { rules },
          ),
        },
      ],
      routes: everyHost([
        { match: { prefix: '/a' }, route: { cluster: 'a' }, ...perRoute },
        { match: { prefix: '/' }, route: { cluster: 'b' } },
      ]),
      exchanges: Array.from({ length: 6 }, () => request(chance)),
    };
  },
};

function rulesOf(chance: Chance): Json {
  return {
    action: chance.pick(['ALLOW', 'DENY']),
    policies: Object.fromEntries(
      Array.from({ length: chance.int(1, 2) }, (_, i) => [
        `policy-${i}`,
        {
          permissions: Array.from({ length: chance.int(1, 2) }, () => permission(chance, 1)),
          principals: Array.from({ length: chance.int(1, 2) }, () => principal(chance, 1)),
        },
      ]),
    ),
  };
}

function text(chance: Chance): Json {
  return {
    [chance.pick(['exact', 'prefix', 'suffix', 'contains'])]: chance.pick(VALUES.filter((one) => one !== '')),
  };
}

function header(chance: Chance): Json {
  if (chance.maybe(0.2)) return { name: ':method', string_match: { exact: chance.pick(METHODS) } };
  return {
    name: chance.pick(NAMES),
    ...chance.pick<() => Json>([
      () => ({ string_match: text(chance) }),
      () => ({ present_match: true }),
      () => ({ string_match: { safe_regex: { regex: 'v.*' } } }),
    ])(),
    ...(chance.maybe(0.2) && { invert_match: true }),
  };
}

function path(chance: Chance): Json {
  const kind = chance.pick(['exact', 'prefix', 'suffix', 'contains']);
  return {
    path: {
      [kind]:
        kind === 'exact' || kind === 'prefix'
          ? pathOf(chance, 2).replace(/%7E/g, '~')
          : chance.pick(['a', '/b', 'v1']),
      ...(chance.maybe(0.2) && { ignore_case: true }),
    },
  };
}

function permission(chance: Chance, depth: number): Json {
  const kinds: (() => Json)[] = [
    () => ({ any: true }),
    () => ({ header: header(chance) }),
    () => ({ url_path: path(chance) }),
    () => ({ destination_port_range: { start: 1, end: 65536 } }),
    () => ({ destination_ip: { address_prefix: chance.pick(['127.0.0.0', '10.0.0.0']), prefix_len: 8 } }),
  ];
  if (depth > 0)
    kinds.push(
      () => ({ not_rule: permission(chance, depth - 1) }),
      () => ({ and_rules: { rules: [permission(chance, depth - 1), permission(chance, depth - 1)] } }),
      () => ({ or_rules: { rules: [permission(chance, depth - 1), permission(chance, depth - 1)] } }),
    );
  return chance.pick(kinds)();
}

function principal(chance: Chance, depth: number): Json {
  const network = { address_prefix: chance.pick(['127.0.0.0', '10.0.0.0', '8.0.0.0']), prefix_len: 8 };
  const kinds: (() => Json)[] = [
    () => ({ any: true }),
    () => ({ any: true }),
    () => ({ header: header(chance) }),
    () => ({ url_path: path(chance) }),
    () => ({ direct_remote_ip: network }),
    () => ({ remote_ip: network }),
    () => ({ authenticated: {} }),
  ];
  if (depth > 0)
    kinds.push(
      () => ({ not_id: principal(chance, depth - 1) }),
      () => ({ and_ids: { ids: [principal(chance, depth - 1), principal(chance, depth - 1)] } }),
      () => ({ or_ids: { ids: [principal(chance, depth - 1), principal(chance, depth - 1)] } }),
    );
  return chance.pick(kinds)();
}

function request(chance: Chance): Exchange {
  return {
    method: chance.pick(METHODS),
    path: pathOf(chance) + queryOf(chance),
    headers: [
      ...headersOf(chance),
      ...(chance.maybe(0.3) ? [['x-forwarded-for', chance.pick(['8.8.8.8', '10.0.0.1'])] as const] : []),
    ],
  };
}
