import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Json } from '../configuration.ts';
import { typed } from '../resources.ts';
import { everyHost } from './vocabulary.ts';

const FILTER = 'envoy.filters.http.fault';

/** Faults that are made on purpose. */
export const fault: Area = {
  name: 'fault',
  short: 30,
  make(chance): Configuration {
    return {
      httpFilters: [{ name: FILTER, typed_config: faultOf(chance) }],
      routes: everyHost([
        {
          match: { prefix: '/own' },
          route: { cluster: 'a' },
          ...(chance.maybe(0.5) && { typed_per_filter_config: { [FILTER]: faultOf(chance) } }),
        },
        { match: { prefix: '/' }, route: { cluster: 'b' } },
      ]),
      exchanges: Array.from({ length: 5 }, () => request(chance)),
    };
  },
};

function share(chance: Chance): Json {
  return { numerator: chance.pick([0, 100, 100, 100]) };
}

function faultOf(chance: Chance): Json {
  return typed('envoy.extensions.filters.http.fault.v3.HTTPFault', {
    ...(chance.maybe(0.6) && {
      abort: {
        ...(chance.maybe(0.7)
          ? { http_status: chance.pick([400, 418, 503, 429]) }
          : chance.maybe(0.5)
            ? { header_abort: {} }
            : { grpc_status: chance.pick([5, 14]) }),
        percentage: share(chance),
      },
    }),
    ...(chance.maybe(0.5) && {
      delay: {
        ...(chance.maybe(0.7) ? { fixed_delay: '0.08s' } : { header_delay: {} }),
        percentage: share(chance),
      },
    }),
    ...(chance.maybe(0.25) && { headers: [{ name: 'x-one', string_match: { exact: 'v1' } }] }),
    ...(chance.maybe(0.15) && { upstream_cluster: chance.pick(['a', 'b']) }),
  });
}

function request(chance: Chance): Exchange {
  return {
    path: chance.pick(['/own', '/']),
    headers: [
      ...(chance.maybe(0.4) ? [['x-one', chance.pick(['v1', 'v2'])] as const] : []),
      ...(chance.maybe(0.4)
        ? [['x-envoy-fault-abort-request', chance.pick(['404', '503', 'x', '200'])] as const]
        : []),
      ...(chance.maybe(0.3) ? [['x-envoy-fault-delay-request', chance.pick(['50', '0', 'x'])] as const] : []),
      ...(chance.maybe(0.15) ? [['content-type', 'application/grpc'] as const] : []),
    ],
    took: { from: 0, to: 1_000 },
  };
}
