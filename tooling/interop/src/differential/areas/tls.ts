import type { Chance } from '../chance.ts';
import type { Area, ClientTls, Configuration, Exchange, Json } from '../configuration.ts';
import { managerWith } from '../resources.ts';
import { downstreamTls, type Peers } from '../tls-contexts.ts';
import { everyHost, marked } from './vocabulary.ts';

/** Connections of TLS that a listener takes: which chain, which certificate, and who is let in. */
export const tls: Area = {
  name: 'tls',
  short: 60,
  make(chance): Configuration {
    const chains = chance.sample<readonly string[] | undefined>(
      [['one.test'], ['two.test', 'other.test'], ['*.two.test'], ['*.test'], undefined],
      chance.int(1, 4),
    );
    const requestsNames = chains.some((names) => names !== undefined);
    return {
      filterChains: chains.map((names, index) => chainOf(chance, names, index)),
      listener: {
        ...((requestsNames || chance.maybe(0.5)) && {
          listener_filters: [
            {
              name: 'tls_inspector',
              typed_config: {
                '@type':
                  'type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
              },
            },
          ],
        }),
      },
      exchanges: Array.from({ length: 8 }, () => request(chance)),
    };
  },
};

const ALICE = 'spiffe://mesh.test/ns/default/sa/alice';

/** What a certificate's names may have to be. */
export function nameMatch(chance: Chance): Json {
  const [san_type, matcher] = chance.pick<readonly [string, Json]>([
    ['URI', { exact: ALICE }],
    ['URI', { prefix: 'spiffe://mesh.test/ns/default/' }],
    ['URI', { prefix: 'spiffe://mesh.test/ns/def' }],
    ['URI', { suffix: '/sa/bob' }],
    ['URI', { contains: 'sa/c' }],
    ['URI', { safe_regex: { regex: 'spiffe://[a-z.]+/ns/[^/]+/sa/(alice|carol)' } }],
    ['URI', { safe_regex: { regex: 'https://.*' } }],
    ['URI', { exact: ALICE.toUpperCase(), ignore_case: true }],
    ['DNS', { exact: 'one.test' }],
    ['DNS', { exact: 'ONE.test' }],
    ['DNS', { suffix: '.test' }],
    ['DNS', { prefix: 'two.' }],
    ['DNS', { exact: 'sub.two.test' }],
    ['DNS', { safe_regex: { regex: '[a-z]+\\.test' } }],
    ['EMAIL', { suffix: '.test' }],
  ]);
  return { san_type, matcher };
}

function peersOf(chance: Chance): Peers {
  if (chance.maybe(0.4)) return { roots: 'none', ...common(chance) };
  return {
    roots: chance.maybe(0.1) ? '$foreign-ca' : '$ca',
    ...(chance.maybe(0.7) && {
      validation: {
        match_typed_subject_alt_names: Array.from({ length: chance.int(1, 2) }, () => nameMatch(chance)),
      },
    }),
    ...common(chance),
  };
}

function common(chance: Chance): Pick<Peers, 'common'> {
  return {
    common: {
      ...(chance.maybe(0.4) && {
        alpn_protocols: chance.pick([['h2', 'http/1.1'], ['http/1.1'], ['h2'], ['http/1.1', 'h2']]),
      }),
      ...(chance.maybe(0.2) && {
        tls_params: chance.pick<Json>([
          { tls_maximum_protocol_version: 'TLSv1_2' },
          { tls_minimum_protocol_version: 'TLSv1_3' },
        ]),
      }),
    },
  };
}

function chainOf(chance: Chance, serverNames: readonly string[] | undefined, index: number): Json {
  const peers = peersOf(chance);
  const isRequired = peers.roots !== 'none' && chance.maybe(0.6);
  const holder = chance.pick(['one', 'two', 'origin']);
  return {
    name: `chain-${index}`,
    ...(serverNames !== undefined && { filter_chain_match: { server_names: serverNames } }),
    filters: [
      managerWith({
        route_config: everyHost([marked({ match: { prefix: '/' }, route: { cluster: 'a' } }, String(index))]),
        ...(chance.maybe(0.5) && {
          forward_client_cert_details: chance.pick([
            'SANITIZE',
            'FORWARD_ONLY',
            'APPEND_FORWARD',
            'SANITIZE_SET',
            'ALWAYS_FORWARD_ONLY',
          ]),
          set_current_client_cert_details: {
            ...(chance.maybe(0.6) && { subject: true }),
            ...(chance.maybe(0.5) && { uri: true }),
            ...(chance.maybe(0.4) && { dns: true }),
            ...(chance.maybe(0.2) && { cert: true }),
          },
        }),
      }),
    ],
    transport_socket: downstreamTls(
      holder,
      {
        ...(isRequired && { require_client_certificate: true }),
        ...(chance.maybe(0.1) && { require_sni: true }),
      },
      peers,
    ),
  };
}

function request(chance: Chance): Exchange {
  const client: ClientTls = {
    ...(chance.maybe(0.85) && {
      serverName: chance.pick([
        'one.test',
        'ONE.test',
        'two.test',
        'sub.two.test',
        'a.sub.two.test',
        'other.test',
        'third.test',
        'else.invalid',
      ]),
    }),
    ...(chance.maybe(0.7) && {
      certificate: chance.pick(['alice', 'alice', 'bob', 'one', 'two', 'both', 'stranger', 'late']),
    }),
    ...(chance.maybe(0.5) && {
      alpn: chance.pick([['http/1.1'], ['x-unknown', 'http/1.1'], ['h2'], ['x-unknown']]),
    }),
    ...(chance.maybe(0.25) && { maxVersion: 'TLSv1.2' }),
  };
  // Who speaks in clear text to a port of TLS.
  if (chance.maybe(0.04)) return {};
  return {
    ...(client.alpn?.includes('h2') === true && { protocol: 'http2' }),
    tls: client,
    ...(chance.maybe(0.3) && {
      headers: [
        ['x-forwarded-client-cert', 'By=spiffe://x.test/a;Hash=00;Subject="CN=x";URI=spiffe://x.test/b'],
      ],
    }),
  };
}
