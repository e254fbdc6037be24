import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Json } from '../configuration.ts';
import { typed } from '../resources.ts';
import { downstreamTls } from '../tls-contexts.ts';

/** Connections without HTTP: where they lead, and how they end. */
export const tcp: Area = {
  name: 'tcp',
  short: 40,
  make(chance): Configuration {
    return chance.pick([plain, plain, plain, named, shared])(chance);
  },
};

const INSPECTOR: Json = {
  listener_filters: [
    {
      name: 'tls_inspector',
      typed_config: typed('envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector'),
    },
  ],
};

function proxyTo(where: Json, more: Json = {}): Json {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: typed('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
      stat_prefix: 'differential',
      ...where,
      ...more,
    }),
  };
}

/** One origin behind all. */
function plain(chance: Chance): Configuration {
  const cluster = chance.pick(['echo', 'echo', 'echo', 'echo', 'waits', 'resets', 'greets', 'gone']);
  const isEcho = cluster === 'echo';
  const ends = isEcho && chance.maybe(0.35);
  // Where nobody is behind it, Envoy ends the connection before it speaks TLS.
  const withTls = cluster !== 'gone' && chance.maybe(0.25);
  return {
    filterChains: [
      {
        filters: [
          proxyTo(
            { cluster },
            {
              ...(ends &&
                chance.pick<Json>([
                  { idle_timeout: '0.3s' },
                  { max_downstream_connection_duration: '0.3s' },
                ])),
              ...(chance.maybe(0.2) && { max_connect_attempts: 2 }),
            },
          ),
        ],
        ...(withTls && { transport_socket: downstreamTls('one') }),
      },
    ],
    exchanges: Array.from({ length: 4 }, (): Exchange => {
      const common: Exchange = {
        protocol: 'tcp',
        ...(withTls && { tls: { serverName: 'one.test' } }),
        bytes: chance.pick(['hello', 'a', 'NO HTTP\r\n\r\n', '\u0000\u00ff']),
      };
      if (ends) return { ...common, after: 'wait', took: { from: 200, to: 2_500 } };
      // More than buffers hold, to the end of it.
      if ((isEcho || cluster === 'waits') && chance.maybe(0.3))
        return { ...common, bytes: 'x'.repeat(300_000), half: true };
      return {
        ...common,
        ...chance.pick<Partial<Exchange>>([{}, { half: true }, isEcho && !withTls ? { after: 'reset' } : {}]),
      };
    }),
  };
}

/** By the name that a client asks for, whether the proxy ends TLS or not. */
function named(chance: Chance): Configuration {
  const chains = chance.sample<readonly [readonly string[] | undefined, string]>(
    [
      [['one.test'], 'tls-raw'],
      [['two.test'], 'echo'],
      [['*.two.test'], 'echo-b'],
      [undefined, 'echo-b'],
    ],
    chance.int(1, 4),
  );
  return {
    filterChains: chains.map(([names, cluster]) => ({
      ...(names !== undefined && { filter_chain_match: { server_names: names } }),
      filters: [proxyTo({ cluster })],
      ...(cluster !== 'tls-raw' && { transport_socket: downstreamTls('two') }),
    })),
    listener: INSPECTOR,
    exchanges: Array.from({ length: 6 }, (): Exchange => {
      const serverName = chance.pick(['one.test', 'two.test', 'sub.two.test', 'else.test']);
      if (serverName === 'one.test') return { tls: { serverName } };
      return { protocol: 'tcp', bytes: 'hello', tls: { serverName } };
    }),
  };
}

/** By weights. */
function shared(chance: Chance): Configuration {
  const clusters = [
    { name: 'echo', weight: chance.int(1, 9) },
    { name: 'echo-b', weight: chance.int(1, 9) },
  ];
  return {
    filterChains: [{ filters: [proxyTo({ weighted_clusters: { clusters } })] }],
    exchanges: [{ protocol: 'tcp', bytes: 'hello', tally: 150 }],
  };
}
