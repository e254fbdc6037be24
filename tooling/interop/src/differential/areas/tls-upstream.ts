import { createHash } from 'node:crypto';
import type { Chance } from '../chance.ts';
import type { Area, Configuration, Json } from '../configuration.ts';
import { clusterOf } from '../resources.ts';
import { upstreamTls } from '../tls-contexts.ts';
import { everyHost } from './vocabulary.ts';

/** TLS to an origin: whose certificate is believed, and what is shown and asked for. */
export const tlsUpstream: Area = {
  name: 'tls-upstream',
  short: 50,
  make(chance): Configuration {
    const clusters = Array.from({ length: 3 }, () => clusterFor(chance));
    const routes = clusters.map((cluster, index) => ({
      match: { path: `/${index}` },
      route: { cluster: cluster['name'], ...(chance.maybe(0.3) && { host_rewrite_literal: 'origin.test' }) },
    }));
    return {
      clusters: [...new Map(clusters.map((one) => [one['name'], one])).values()],
      routes: everyHost(routes),
      exchanges: routes.map(({ match: { path } }) => ({ path })),
    };
  },
};

function nameMatch(chance: Chance): Json {
  const [san_type, matcher] = chance.pick<readonly [string, Json]>([
    ['DNS', { exact: 'origin.test' }],
    ['DNS', { exact: 'other.test' }],
    ['DNS', { suffix: '.test' }],
    ['DNS', { prefix: 'origin.' }],
    ['DNS', { safe_regex: { regex: '(origin|carol)\\.test' } }],
    ['DNS', { exact: 'ORIGIN.test', ignore_case: true }],
    ['URI', { exact: 'spiffe://mesh.test/ns/default/sa/alice' }],
    ['URI', { prefix: 'spiffe://mesh.test/' }],
    ['URI', { suffix: '/sa/carol' }],
    ['IP_ADDRESS', { exact: '127.0.0.1' }],
    ['IP_ADDRESS', { prefix: '10.' }],
  ]);
  return { san_type, matcher };
}

/** Named after what it is, as others may have the same. */
function clusterFor(chance: Chance): Json {
  const origin = chance.pick([
    'tls',
    'tls',
    'tls',
    'tls-mutual',
    'tls-mutual',
    'tls-stranger',
    'tls-late',
    'a',
  ]);
  const rest: Json = {
    transport_socket: upstreamTls(
      {
        ...(chance.maybe(0.7) && { sni: chance.pick(['origin.test', 'other.test', 'sub.origin.test']) }),
      },
      {
        roots: chance.pick(['$ca', '$ca', '$ca', '$ca', '$foreign-ca', 'none']),
        ...(chance.maybe(0.6) && {
          validation: {
            match_typed_subject_alt_names: Array.from({ length: chance.int(1, 2) }, () => nameMatch(chance)),
          },
        }),
        ...(chance.maybe(0.6) && { certificate: chance.pick(['alice', 'bob', 'stranger', 'late']) }),
        ...(chance.maybe(0.2) && {
          common: {
            tls_params: chance.pick<Json>([
              { tls_maximum_protocol_version: 'TLSv1_2' },
              // As a client Envoy goes no higher than 1.2 where nothing is said.
              { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
            ]),
          },
        }),
      },
    ),
  };
  const digest = createHash('sha256')
    .update(`${origin}${JSON.stringify(rest)}`)
    .digest('hex')
    .slice(0, 12);
  return clusterOf(`tls-${digest}`, [origin], rest);
}
