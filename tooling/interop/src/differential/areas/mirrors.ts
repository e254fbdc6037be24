import type { Area, Configuration, Exchange, Json } from '../configuration.ts';
import { everyHost, headersOf, METHODS, pathOf } from './vocabulary.ts';

/** Copies of requests to other clusters. */
export const mirrors: Area = {
  name: 'mirrors',
  short: 15,
  make(chance): Configuration {
    const policies = chance.sample(['b', 'c', 'd', 'gone'], chance.int(1, 2)).map((cluster): Json => ({
      cluster,
      ...(chance.maybe(0.4) && { runtime_fraction: { default_value: { numerator: chance.pick([0, 100]) } } }),
      ...(chance.maybe(0.3) && { disable_shadow_host_suffix_append: true }),
    }));
    const where = chance.pick(['route', 'host', 'config']);
    const own = { request_mirror_policies: policies };
    return {
      routes: {
        ...everyHost(
          [
            {
              match: { prefix: '/' },
              route: {
                cluster: 'a',
                ...(where === 'route' && own),
                ...(chance.maybe(0.3) && { prefix_rewrite: '/new/' }),
                ...(chance.maybe(0.2) && { host_rewrite_literal: 'new.test' }),
              },
            },
          ],
          where === 'host' ? own : {},
        ),
        ...(where === 'config' && own),
      },
      exchanges: Array.from({ length: 5 }, (): Exchange => {
        const method = chance.pick(METHODS);
        return {
          method,
          path: pathOf(chance),
          headers: headersOf(chance),
          ...(['POST', 'PUT', 'PATCH'].includes(method) && {
            body: chance.pick(['', 'hello', 'x'.repeat(3000)]),
            chunked: chance.maybe(0.3),
          }),
          answers: { b: [{ status: 500 }], c: [{ fault: 'reset' }] },
        };
      }),
    };
  },
};
