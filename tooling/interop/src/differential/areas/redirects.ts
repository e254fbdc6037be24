import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Json } from '../configuration.ts';
import { everyHost, HOSTS, METHODS, pathOf, queryOf, SEGMENTS } from './vocabulary.ts';

/** Redirects and direct responses. */
export const redirects: Area = {
  name: 'redirects',
  short: 60,
  make(chance): Configuration {
    const routes = Array.from({ length: chance.int(1, 4) }, () => {
      const like = pathOf(chance, 2).replace(/%7E/g, '~');
      const bare = like.length > 1 && like.endsWith('/') ? like.slice(0, -1) : like;
      const match = chance.pick<Json>([
        { prefix: like },
        { path: like },
        bare === '/' ? { prefix: '/' } : { path_separated_prefix: bare },
      ]);
      return {
        like,
        route: chance.maybe(0.85)
          ? { match, redirect: redirect(chance) }
          : { match, direct_response: direct(chance) },
      };
    });
    return {
      routes: {
        ...everyHost(
          [...routes.map(({ route }) => route), { match: { prefix: '/' }, route: { cluster: 'a' } }],
          chance.maybe(0.12) ? { require_tls: chance.pick(['ALL', 'EXTERNAL_ONLY']) } : {},
        ),
        ignore_port_in_host_matching: true,
      },
      exchanges: Array.from({ length: 8 }, () => request(chance, chance.pick(routes).like)),
    };
  },
};

function redirect(chance: Chance): Json {
  return {
    ...(chance.maybe(0.3) &&
      (chance.maybe(0.5)
        ? { https_redirect: chance.maybe(0.9) }
        : { scheme_redirect: chance.pick(['http', 'https']) })),
    ...(chance.maybe(0.35) && { host_redirect: chance.pick(['new.test', 'new.test:81', '10.0.0.1']) }),
    ...(chance.maybe(0.25) && { port_redirect: chance.pick([80, 443, 8443]) }),
    ...(chance.maybe(0.6) &&
      chance.pick<Json>([
        { path_redirect: chance.pick(['/new', '/new?x=1', '/']) },
        { prefix_rewrite: chance.pick(['/', '/new', '/new/', '/new?p=1']) },
        { regex_rewrite: { pattern: { regex: '^/([^/]*)' }, substitution: '/to/\\1' } },
      ])),
    ...(chance.maybe(0.5) && {
      response_code: chance.pick([
        'MOVED_PERMANENTLY',
        'FOUND',
        'SEE_OTHER',
        'TEMPORARY_REDIRECT',
        'PERMANENT_REDIRECT',
      ]),
    }),
    ...(chance.maybe(0.25) && { strip_query: chance.maybe(0.8) }),
  };
}

function direct(chance: Chance): Json {
  const status = chance.pick([200, 201, 204, 301, 403, 404, 429, 503]);
  return {
    status,
    ...(status !== 204 &&
      chance.maybe(0.7) && { body: { inline_string: chance.pick(['said', 'caf\u00e9', 'x'.repeat(3000)]) } }),
  };
}

function request(chance: Chance, like: string): Exchange {
  return {
    method: chance.pick(METHODS),
    path:
      (chance.maybe(0.5) ? like : `${like}${chance.pick(['', '/'])}${chance.pick(SEGMENTS)}`) +
      queryOf(chance),
    host: chance.maybe(0.3)
      ? `${chance.pick(HOSTS)}:${chance.pick(['80', '443', '8080'])}`
      : chance.pick(HOSTS),
    ...(chance.maybe(0.15) && { headers: [['x-forwarded-proto', chance.pick(['https', 'http'])]] as const }),
  };
}
