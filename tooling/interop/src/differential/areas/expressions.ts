import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Field, Json } from '../configuration.ts';
import { typed } from '../resources.ts';
import { attribute, call, list, number, numbered, text } from './cel.ts';
import { everyHost, METHODS, VALUES } from './vocabulary.ts';
import { isNearV1, keepsWho } from './who.ts';

const FILTER = 'envoy.filters.http.rbac';

/** Who may do what by what the other area of RBAC does not say: expressions, matchers, filter state, templates of paths. */
export const expressions: Area = {
  name: 'expressions',
  short: 30,
  make(chance): Configuration {
    const isMatcher = chance.maybe(0.35);
    const own = isMatcher
      ? { [chance.maybe(0.9) ? 'matcher' : 'shadow_matcher']: matcherOf(chance) }
      : { rules: rulesOf(chance), rules_stat_prefix: 'own' };
    return {
      httpFilters: [
        keepsWho({
          factory_key: 'envoy.string',
          format_string: { text_format_source: { inline_string: '%REQ(x-two)%' } },
          ...(chance.maybe(0.5) && { skip_if_empty: true }),
        }),
        { name: FILTER, typed_config: typed('envoy.extensions.filters.http.rbac.v3.RBAC', own) },
      ],
      routes: everyHost([
        {
          match: { prefix: '/a' },
          route: { cluster: 'a' },
          ...(chance.maybe(0.2) && {
            typed_per_filter_config: {
              [FILTER]: typed('envoy.config.route.v3.FilterConfig', { disabled: true }),
            },
          }),
        },
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
          permissions: [permission(chance)],
          principals: [principal(chance)],
          ...(chance.maybe(0.7) && { condition: numbered(condition(chance, 2)) }),
        },
      ]),
    ),
  };
}

function permission(chance: Chance): Json {
  return chance.pick<() => Json>([
    () => ({ any: true }),
    () => ({ any: true }),
    () => ({ destination_port: 1 }),
    () => ({ not_rule: { destination_port: 1 } }),
    () => ({ requested_server_name: { prefix: 'one' } }),
    () => ({ not_rule: { requested_server_name: { exact: 'one.test' } } }),
    () => ({
      uri_template: {
        name: 'envoy.path.match.uri_template.uri_template_matcher',
        typed_config: typed('envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig', {
          path_template: chance.pick(['/a/*', '/{x}', '/a/{rest=**}', '/**']),
        }),
      },
    }),
    () => ({
      metadata: {
        filter: 'envoy.filters.http.jwt_authn',
        path: [{ key: 'x' }],
        value: { present_match: true },
        ...(chance.maybe(0.5) && { invert: true }),
      },
    }),
  ])();
}

function principal(chance: Chance): Json {
  return chance.pick<() => Json>([
    () => ({ any: true }),
    () => ({ any: true }),
    () => ({ source_ip: { address_prefix: chance.pick(['127.0.0.0', '10.0.0.0']), prefix_len: 8 } }),
    () => ({ filter_state: { key: 'who', string_match: isNearV1(chance, 'v\\d') } }),
    () => ({ not_id: { filter_state: { key: 'who', string_match: isNearV1(chance, 'v\\d') } } }),
    () => ({ filter_state: { key: 'nobody', string_match: isNearV1(chance, 'v\\d') } }),
    () => ({
      not_id: {
        metadata: {
          filter: 'envoy.filters.http.jwt_authn',
          path: [{ key: 'x' }],
          value: { string_match: { exact: 'y' } },
        },
      },
    }),
  ])();
}

const known = (chance: Chance): string => chance.pick(VALUES.filter((one) => one !== '' && one.length < 4));

/** What can be judged of any request, as what cannot differs on purpose. */
function condition(chance: Chance, depth: number): Json {
  const field = chance.pick(['x-one', 'x-two']);
  const there = call('@in', [text(field), attribute('request.headers')]);
  const value = call('_[_]', [attribute('request.headers'), text(field)]);
  const target = chance.pick([
    attribute('request.path'),
    attribute('request.url_path'),
    attribute('request.host'),
  ]);
  const simple: (() => Json)[] = [
    () => call(chance.pick(['_==_', '_!=_']), [attribute('request.method'), text(chance.pick(METHODS))]),
    () => call('@in', [attribute('request.method'), list(text('GET'), text(chance.pick(METHODS)))]),
    () =>
      call(
        chance.pick(['startsWith', 'endsWith', 'contains']),
        [text(chance.pick(['/a', '/', 'b', 'one.test', '?q=1', 'test']))],
        target,
      ),
    () => call('matches', [text(chance.pick(['^/a', 'b$', '/[ab]', '^one']))], target),
    () => there,
    () => call('!_', [there]),
    () => call('_&&_', [there, call(chance.pick(['_==_', '_!=_']), [value, text(known(chance))])]),
    () =>
      call('_?_:_', [
        there,
        call('startsWith', [text('v')], value),
        { const_expr: { bool_value: chance.maybe(0.5) } },
      ]),
    () => call('_==_', [attribute('request.query'), text(chance.pick(['', 'q=1']))]),
    () =>
      call(chance.pick(['_>_', '_<=_']), [
        call('size', [attribute('request.path')]),
        number(chance.int(1, 6)),
      ]),
    () => call('_==_', [attribute('request.scheme'), text(chance.pick(['http', 'https']))]),
    () => call('_==_', [attribute('request.protocol'), text(chance.pick(['HTTP/1.1', 'HTTP/2']))]),
    () => call('_==_', [attribute('connection.mtls'), { const_expr: { bool_value: chance.maybe(0.5) } }]),
    () => call('startsWith', [text(chance.pick(['127.', '10.']))], attribute('source.address')),
  ];
  if (depth === 0 || chance.maybe(0.4)) return chance.pick(simple)();
  return chance.pick<() => Json>([
    () => call('_&&_', [condition(chance, depth - 1), condition(chance, depth - 1)]),
    () => call('_||_', [condition(chance, depth - 1), condition(chance, depth - 1)]),
    () => call('!_', [condition(chance, depth - 1)]),
  ])();
}

function action(chance: Chance): Json {
  const verdict = chance.pick(['ALLOW', 'DENY']);
  return {
    action: {
      name: 'action',
      typed_config: typed('envoy.config.rbac.v3.Action', { name: 'own', action: verdict }),
    },
  };
}

function matcherOf(chance: Chance): Json {
  return {
    ...chance.pick<() => Json>([
      () => ({
        matcher_list: {
          matchers: Array.from({ length: chance.int(1, 3) }, () => ({
            predicate: predicate(chance, 1),
            on_match: chance.maybe(0.2) ? { matcher: matcherOf(chance) } : action(chance),
          })),
        },
      }),
      () => ({
        matcher_tree: {
          input: headerInput('x-one'),
          [chance.pick(['exact_match_map', 'prefix_match_map'])]: {
            map: { v1: action(chance), v: action(chance), '7': action(chance) },
          },
        },
      }),
    ])(),
    ...(chance.maybe(0.7) && { on_no_match: action(chance) }),
  };
}

function headerInput(field: string): Json {
  return {
    name: 'field',
    typed_config: typed('envoy.type.matcher.v3.HttpRequestHeaderMatchInput', { header_name: field }),
  };
}

function predicate(chance: Chance, depth: number): Json {
  if (depth > 0 && chance.maybe(0.4)) {
    const two = { predicate: [predicate(chance, depth - 1), predicate(chance, depth - 1)] };
    return chance.pick<Json>([
      { and_matcher: two },
      { or_matcher: two },
      { not_matcher: predicate(chance, depth - 1) },
    ]);
  }
  return {
    single_predicate: chance.pick<() => Json>([
      () => ({
        input: headerInput(chance.pick(['x-one', 'x-two', ':method', ':path'])),
        value_match: valueMatch(chance),
      }),
      () => ({
        input: { name: 'cel', typed_config: typed('xds.type.matcher.v3.HttpAttributesCelMatchInput') },
        custom_match: {
          name: 'cel',
          typed_config: typed('xds.type.matcher.v3.CelMatcher', {
            expr_match: { cel_expr_parsed: { expr: numbered(condition(chance, 1)) } },
          }),
        },
      }),
      () => ({
        input: {
          name: 'source',
          typed_config: typed('envoy.extensions.matching.common_inputs.network.v3.SourceIPInput'),
        },
        value_match: { prefix: chance.pick(['127.', '10.']) },
      }),
    ])(),
  };
}

function valueMatch(chance: Chance): Json {
  return chance.pick<Json>([
    { exact: 'v1' },
    { prefix: 'v' },
    { suffix: '2' },
    { contains: '1' },
    { safe_regex: { google_re2: {}, regex: 'v\\d' } },
    { exact: 'GET' },
    { prefix: '/a' },
  ]);
}

function request(chance: Chance): Exchange {
  // One line each: of several, matchers take one, each or all (docs/guides/envoy-config.md).
  const fields = chance.some(['x-one', 'x-two'], 0.5).map((field): Field => [field, chance.pick(VALUES)]);
  return {
    method: chance.pick(METHODS),
    path: chance.pick(['/', '/a', '/a/b', '/b', '/a/b/c']) + chance.pick(['', '', '?q=1']),
    headers: fields,
  };
}
