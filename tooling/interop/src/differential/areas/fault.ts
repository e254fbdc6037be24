import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Field, Json } from '../configuration.ts';
import { typed } from '../resources.ts';
import { everyHost } from './vocabulary.ts';

const FILTER = 'envoy.filters.http.fault';

/** How long a delay is at least, in milliseconds: whoever makes none has answered before. */
const DELAY_MS = 150;

/** Faults that are made on purpose. */
export const fault: Area = {
  name: 'fault',
  short: 30,
  make(chance): Configuration {
    const byChance = chance.maybe(0.1);
    const filter = { name: FILTER, typed_config: byChance ? sharedFault(chance) : faultOf(chance) };
    const own = chance.maybe(0.5) ? { typed_per_filter_config: { [FILTER]: faultOf(chance) } } : {};
    // Where nobody is delayed, a machine that stands still for as long would look like a delay at one side.
    const delays = JSON.stringify([filter, own]).includes('"delay"');
    return {
      httpFilters: [filter],
      routes: everyHost([
        { match: { prefix: '/own' }, route: { cluster: 'a' }, ...own },
        { match: { prefix: '/' }, route: { cluster: 'b' } },
      ]),
      exchanges: byChance
        ? [{ tally: 200, copied: true, headers: shareAsked(chance) }]
        : Array.from({ length: 5 }, () => request(chance, delays)),
    };
  },
};

/** None, or all. */
function share(chance: Chance): Json {
  return chance.pick<Json>([
    { numerator: 0 },
    { numerator: 100 },
    { numerator: 100 },
    { numerator: 10_000, denominator: 'TEN_THOUSAND' },
    { numerator: 1_000_000, denominator: 'MILLION' },
  ]);
}

/** Aborts of some requests, as many as the filter says or the request asks for. */
function sharedFault(chance: Chance): Json {
  return typed('envoy.extensions.filters.http.fault.v3.HTTPFault', {
    abort: {
      ...(chance.maybe(0.5) ? { http_status: 503 } : { header_abort: {} }),
      percentage: chance.pick<Json>([
        { numerator: 25 },
        { numerator: 6_000, denominator: 'TEN_THOUSAND' },
        { numerator: 900_000, denominator: 'MILLION' },
      ]),
    },
  });
}

function shareAsked(chance: Chance): Field[] {
  return [
    ['x-envoy-fault-abort-request', '503'],
    ...(chance.maybe(0.5) ? [['x-envoy-fault-abort-request-percentage', '20'] as const] : []),
  ];
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
    ...(chance.maybe(0.4) && {
      delay: {
        ...(chance.maybe(0.5) ? { fixed_delay: `${(DELAY_MS + 10) / 1000}s` } : { header_delay: {} }),
        percentage: share(chance),
      },
    }),
    ...(chance.maybe(0.2) && {
      response_rate_limit: {
        ...(chance.maybe(0.5) ? { fixed_limit: { limit_kbps: '64' } } : { header_limit: {} }),
        percentage: share(chance),
      },
    }),
    ...(chance.maybe(0.15) && { max_active_faults: chance.pick([0, 0, 5]) }),
    ...(chance.maybe(0.15) && { downstream_nodes: ['one', 'two'] }),
    ...(chance.maybe(0.25) && { headers: [{ name: 'x-one', string_match: { exact: 'v1' } }] }),
    ...(chance.maybe(0.15) && { upstream_cluster: chance.pick(['a', 'b']) }),
  });
}

function request(chance: Chance, delays: boolean): Exchange {
  const field = (probability: number, name: string, values: readonly string[]): Field[] =>
    chance.maybe(probability) ? [[name, chance.pick(values)]] : [];
  const path = chance.pick(['/own', '/']);
  const headers = [
    ...field(0.4, 'x-one', ['v1', 'v2']),
    ...field(0.2, 'x-envoy-downstream-service-node', ['one', 'three']),
    ...field(0.4, 'x-envoy-fault-abort-request', ['404', '503', 'x', '200']),
    ...field(0.15, 'x-envoy-fault-abort-request-percentage', ['0', '100', 'x', '200']),
    ...field(0.3, 'x-envoy-fault-delay-request', [String(DELAY_MS + 10), '0', 'x']),
    ...field(0.15, 'x-envoy-fault-delay-request-percentage', ['0', '100']),
    ...field(0.2, 'x-envoy-fault-throughput-response', ['64', '0', 'x']),
    ...field(0.15, 'content-type', ['application/grpc']),
  ];
  // Whoever asks for a delay by a field must not get one where that is not allowed.
  const isAsked = headers.some(([name]) => name === 'x-envoy-fault-delay-request');
  return { path, headers, took: { from: delays || isAsked ? DELAY_MS : 0, to: 1_500 } };
}
