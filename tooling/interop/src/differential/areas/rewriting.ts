import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Json } from '../configuration.ts';
import {
  anyOrigin,
  everyHost,
  headersOf,
  HOSTS,
  marked,
  METHODS,
  pathOf,
  queryOf,
  SEGMENTS,
} from './vocabulary.ts';

/** What becomes of path and host on the way. */
export const rewriting: Area = {
  name: 'rewriting',
  short: 60,
  make(chance): Configuration {
    const made = Array.from({ length: chance.int(1, 4) }, () => routeOf(chance));
    const routes = [...made, { route: { match: { prefix: '/' }, route: { cluster: 'd' } }, like: '/' }];
    return {
      manager: {
        ...(chance.maybe(0.2) && {
          path_with_escaped_slashes_action: chance.pick([
            'UNESCAPE_AND_FORWARD',
            'UNESCAPE_AND_REDIRECT',
            'REJECT_REQUEST',
            'KEEP_UNCHANGED',
          ]),
        }),
        ...(chance.maybe(0.2) &&
          (chance.maybe(0.5) ? { strip_any_host_port: true } : { strip_matching_host_port: true })),
      },
      routes: {
        ...everyHost(routes.map(({ route }, i) => marked(route, String(i)))),
        ignore_port_in_host_matching: true,
      },
      exchanges: Array.from({ length: 8 }, () => request(chance, chance.pick(routes).like)),
    };
  },
};

const REGEXES: readonly Json[] = [
  { pattern: { regex: '^/([^/]+)/(.*)$' }, substitution: '/\\2/of/\\1' },
  { pattern: { regex: 'a' }, substitution: 'xx' },
  { pattern: { regex: '/v(\\d+)' }, substitution: '/version-\\1' },
  { pattern: { regex: '^/api' }, substitution: '' },
  { pattern: { regex: '[aeiou]' }, substitution: '[\\0]' },
  { pattern: { regex: '.*' }, substitution: '/all' },
  { pattern: { regex: '/+' }, substitution: '/' },
];
const QUERIES: readonly Json[] = [{ pattern: { regex: 'b$' }, substitution: 'B?x=1' }];

function routeOf(chance: Chance): { route: Json; like: string } {
  const like = pathOf(chance, 2).replace(/%7E/g, '~');
  const bare = like.length > 1 && like.endsWith('/') ? like.slice(0, -1) : like;
  const action: Record<string, unknown> = { cluster: anyOrigin(chance) };
  let match: Json = chance.pick<() => Json>([
    () => ({ prefix: like }),
    () => ({ prefix: like, case_sensitive: false }),
    () => ({ path: like }),
    () => (bare === '/' ? { prefix: '/' } : { path_separated_prefix: bare }),
    () => ({ safe_regex: { regex: `${bare.replaceAll(/[.+~;=%-]/g, '\\$&')}.*` } }),
  ])();
  switch (chance.int(0, 3)) {
    case 0:
      if (match['safe_regex'] === undefined)
        action['prefix_rewrite'] = chance.pick([
          '/',
          '/new',
          '/new/',
          '/n/e/w',
          '/with%20escape',
          '/q',
          chance.maybe(0.2) ? '/x?y=1' : '/x',
        ]);
      break;
    case 1:
      action['regex_rewrite'] = chance.pick(chance.maybe(0.2) ? QUERIES : REGEXES);
      break;
    case 2:
      match = template('match', { path_template: '/api/{id}/{rest=**}' });
      action['path_rewrite_policy'] = template('rewrite', {
        path_template_rewrite: chance.pick(['/{rest}/{id}', '/x/{id}', '/{id}', '/fixed']),
      })['path_match_policy'];
      break;
    default:
  }
  switch (chance.int(0, 5)) {
    case 0:
      action['host_rewrite_literal'] = chance.pick(['new.test', 'New.Test:81', '10.0.0.1']);
      break;
    case 1:
      action['host_rewrite_header'] = 'x-one';
      break;
    case 2:
      action['host_rewrite_path_regex'] = {
        pattern: { regex: '^/([a-z]+)/?.*$' },
        substitution: '\\1.by-path.test',
      };
      break;
    case 3:
      action['auto_host_rewrite'] = true;
      break;
    default:
  }
  if (chance.maybe(0.3)) action['append_x_forwarded_host'] = true;
  return {
    route: { match, route: action },
    like:
      match['path_match_policy'] === undefined
        ? like
        : `/api/${chance.pick(SEGMENTS)}/${chance.pick(SEGMENTS)}/x`,
  };
}

function template(kind: 'match' | 'rewrite', value: Json): Json {
  const type =
    kind === 'match'
      ? 'path.match.uri_template.v3.UriTemplateMatchConfig'
      : 'path.rewrite.uri_template.v3.UriTemplateRewriteConfig';
  return {
    path_match_policy: {
      name: `envoy.path.${kind}.uri_template`,
      typed_config: { '@type': `type.googleapis.com/envoy.extensions.${type}`, ...value },
    },
  };
}

/** Spellings of paths that are to be read once. */
const ODD: readonly string[] = [
  '//a//b',
  '/a/./b',
  '/a/../b',
  '/a/b/..',
  '/%61/b',
  '/a%2Fb',
  '/a%2f..%2fb',
  '/a%5Cb',
  '/a\\b',
  '/../a',
  '/a/..//b',
  '/a/%2e%2e/b',
  '/a;x/../b',
  '/a?b=/../c',
  '/%C3%A9',
  '/a#frag',
  '*',
  '/a%',
  '/a%zz',
  '/%00',
  '/a%25',
  '/./',
  '/..',
  '/a/%2E/b',
];

function request(chance: Chance, like: string): Exchange {
  const path = chance.maybe(0.2)
    ? chance.pick(ODD)
    : chance.maybe(0.5)
      ? like
      : `${like}${chance.pick(['', '/', 'x'])}${chance.pick(SEGMENTS)}`;
  return {
    method: path === '*' ? 'OPTIONS' : chance.pick(METHODS),
    path: path + (path === '*' ? '' : queryOf(chance)),
    host: chance.maybe(0.15) ? `${chance.pick(HOSTS)}:8080` : chance.pick(HOSTS),
    headers: chance.maybe(0.6)
      ? [
          ['x-one', chance.pick(['by-header.test', 'h.test:99', 'UP.test'])],
          ...(chance.maybe(0.2) ? [['x-forwarded-host', 'before.test'] as const] : []),
        ]
      : headersOf(chance).filter(([name]) => name !== 'x-one'),
  };
}
