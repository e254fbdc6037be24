import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Json } from '../configuration.ts';
import {
  anyOrigin,
  headersOf,
  HOSTS,
  marked,
  METHODS,
  NAMES,
  pathOf,
  QUERY,
  queryOf,
  SEGMENTS,
  VALUES,
} from './vocabulary.ts';

/** Which virtual host and which route a request takes. */
export const matching: Area = {
  name: 'matching',
  short: 70,
  make(chance): Configuration {
    const anyPort = chance.maybe(0.8);
    const hosts = virtualHosts(chance, anyPort);
    return {
      routes: {
        ignore_port_in_host_matching: anyPort,
        virtual_hosts: hosts.map(({ domains, routes }, index) => ({
          name: `host-${index}`,
          domains,
          routes: routes.map((route, at) =>
            marked(
              {
                match: route.match,
                ...(chance.maybe(0.8)
                  ? { route: { cluster: anyOrigin(chance) } }
                  : { direct_response: { status: 201, body: { inline_string: `route ${at}` } } }),
              },
              `${index}/${at}`,
            ),
          ),
        })),
      },
      exchanges: Array.from({ length: 10 }, () => request(chance, hosts)),
    };
  },
};

interface Host {
  readonly domains: readonly string[];
  readonly routes: readonly { readonly match: Json; readonly like: string }[];
}

const DOMAINS: readonly string[] = [
  'one.test',
  'two.test',
  '*.one.test',
  '*.sub.one.test',
  'one.*',
  '*.test',
  'sub.*',
  'one.test:8080',
  '*-x.test',
  'ONE.example',
  'other.*',
];

function virtualHosts(chance: Chance, anyPort: boolean): Host[] {
  // A domain with a port beside a match that ignores it fits nothing, and Tulle says so.
  const domains = chance.sample(
    anyPort ? DOMAINS.filter((one) => !one.includes(':')) : DOMAINS,
    chance.int(1, 6),
  );
  const hosts: Host[] = [];
  while (domains.length > 0)
    hosts.push({ domains: domains.splice(0, chance.int(1, 2)), routes: routesOf(chance) });
  if (chance.maybe(0.7)) hosts.push({ domains: ['*'], routes: routesOf(chance) });
  return hosts;
}

function routesOf(chance: Chance): { match: Json; like: string }[] {
  return Array.from({ length: chance.int(1, 6) }, () => {
    const { match, like } = pathMatch(chance);
    return {
      like,
      match: {
        ...match,
        ...(chance.maybe(0.35) && {
          headers: Array.from({ length: chance.int(1, 2) }, () => headerMatch(chance)),
        }),
        ...(chance.maybe(0.2) && { query_parameters: [queryMatch(chance)] }),
      },
    };
  });
}

function pathMatch(chance: Chance): { match: Json; like: string } {
  const like = pathOf(chance);
  const cased = chance.maybe(0.2) ? { case_sensitive: false } : {};
  const bare = like.length > 1 && like.endsWith('/') ? like.slice(0, -1) : like;
  switch (chance.int(0, 5)) {
    case 0:
      return { like, match: { path: like, ...cased } };
    case 1:
      return { like, match: { prefix: like, ...cased } };
    case 2:
      return bare === '/'
        ? { like, match: { prefix: '/' } }
        : { like, match: { path_separated_prefix: bare, ...cased } };
    case 3:
      return {
        like,
        match: {
          safe_regex: {
            regex: chance.pick([
              '/a.*',
              '/[ab]+',
              '/(api|v1)/.*',
              '.*/v1',
              '/a|/b',
              '/\\w+',
              '/.+\\..+',
              '(?i)/A',
              '/[^/]+/[^/]+',
            ]),
          },
        },
      };
    case 4:
      return {
        like,
        match: {
          path_match_policy: {
            name: 'template',
            typed_config: {
              '@type':
                'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig',
              path_template: chance.pick([
                '/{x}',
                '/a/{rest=**}',
                '/*/v1',
                '/{a}/{b}',
                '/api/*',
                '/**',
                '/{x=*/b}',
                ...(chance.maybe(0.05) ? ['/{x=a*}', '/a/{x}.b'] : []),
              ]),
            },
          },
        },
      };
    default:
      return { like: '/', match: { prefix: '/' } };
  }
}

function stringMatch(chance: Chance): Json {
  const value = chance.pick(VALUES.filter((one) => one !== ''));
  const kind = chance.pick(['exact', 'prefix', 'suffix', 'contains']);
  if (chance.maybe(0.2))
    return { safe_regex: { regex: chance.pick(['v\\d', 'v.*', '[vV]1', '\\d+', '.*', 'a|b']) } };
  return { [kind]: value, ...(chance.maybe(0.25) && { ignore_case: true }) };
}

function headerMatch(chance: Chance): Json {
  const name = chance.maybe(0.15)
    ? ':method'
    : chance.maybe(0.1)
      ? chance.pick([':path', ':authority', ':scheme'])
      : chance.pick(NAMES);
  const matcher: Json =
    name === ':method'
      ? { string_match: { exact: chance.pick(METHODS) } }
      : chance.pick<() => Json>([
          () => ({ string_match: stringMatch(chance) }),
          () => ({ string_match: stringMatch(chance) }),
          () => ({ present_match: chance.maybe(0.7) }),
          () => ({ range_match: { start: '-5', end: String(chance.int(0, 50)) } }),
          () => ({ exact_match: chance.pick(VALUES.filter((one) => one !== '')) }),
          () => ({ prefix_match: 'v' }),
          () => ({ suffix_match: '2' }),
          () => ({ contains_match: '1' }),
          () => ({ safe_regex_match: { regex: 'v[0-9]+' } }),
          () => ({}),
        ])();
  return {
    name,
    ...matcher,
    ...(chance.maybe(0.25) && { invert_match: true }),
    ...(chance.maybe(0.15) && { treat_missing_header_as_empty: true }),
  };
}

function queryMatch(chance: Chance): Json {
  const name = chance.pick(['q', 'r', 'x']);
  return chance.maybe(0.4)
    ? { name, present_match: chance.maybe(0.8) }
    : {
        name,
        string_match: chance.maybe(0.5)
          ? stringMatch(chance)
          : { exact: chance.pick(['1', '2', 'abc', 'a b', 'a%20b']) },
      };
}

function request(chance: Chance, hosts: readonly Host[]): Exchange {
  const host = chance.pick(hosts);
  const route = chance.pick(host.routes);
  const path = chance.pick<() => string>([
    () => route.like,
    () => route.like,
    () => `${route.like}${chance.pick(SEGMENTS)}`,
    () => `${route.like === '/' ? '' : route.like}/${chance.pick(SEGMENTS)}`,
    () => (chance.maybe(0.5) ? route.like.toUpperCase() : route.like.toLowerCase()),
    () => pathOf(chance),
  ])();
  const name = chance.maybe(0.7)
    ? chance.pick(host.domains).replace(/^\*\./, 'sub.').replace(/^\*/, 'w').replace(/\*$/, 'net')
    : chance.pick(HOSTS);
  const query = chance.maybe(0.15) ? `?${chance.pick(QUERY)}` : queryOf(chance);
  const method = chance.pick(METHODS);
  return {
    method,
    path: path + query,
    host: chance.maybe(0.1)
      ? name.toUpperCase()
      : chance.maybe(0.1) && !name.includes(':')
        ? `${name}:8080`
        : name,
    headers: headersOf(chance),
    ...(['POST', 'PUT', 'PATCH'].includes(method) && { body: chance.pick(['', 'hello', 'x'.repeat(2000)]) }),
  };
}
