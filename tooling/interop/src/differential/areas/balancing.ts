import type { Chance } from '../chance.ts';
import {
  type Area,
  type Configuration,
  type Exchange,
  type Field,
  type Json,
  PLAIN_ORIGINS,
} from '../configuration.ts';
import { addressOf, clusterOf, typed } from '../resources.ts';
import { everyHost } from './vocabulary.ts';
import { keepsWho } from './who.ts';

/** Which endpoint of a cluster: by hashes, weights, priorities with what is healthy of them, and subsets. */
export const balancing: Area = {
  name: 'balancing',
  short: 16,
  make(chance, index): Configuration {
    return chance.pick([hashed, hashed, weighted, ranked, divided])(chance, `balanced-${index}`);
  },
};

interface Endpoint {
  readonly origin: string;
  readonly weight?: number;
  readonly health?: string;
  readonly metadata?: Json;
}

function assigned(name: string, priorities: readonly (readonly Endpoint[])[], policy: Json = {}): Json {
  return clusterOf(name, [], {
    load_assignment: {
      cluster_name: name,
      endpoints: priorities.map((endpoints, priority) => ({
        priority,
        locality: { region: 'here', zone: `zone-${priority}` },
        lb_endpoints: endpoints.map(({ origin, weight, health, metadata }) => ({
          endpoint: { address: addressOf(origin) },
          ...(weight !== undefined && { load_balancing_weight: weight }),
          ...(health !== undefined && { health_status: health }),
          ...(metadata !== undefined && { metadata: { filter_metadata: { 'envoy.lb': metadata } } }),
        })),
      })),
      ...policy,
    },
  });
}

const POLICIES = 'envoy.extensions.load_balancing_policies';

function byHash(chance: Chance): Json {
  const policy = (type: string, value: Json = {}): Json => ({
    load_balancing_policy: {
      policies: [
        { typed_extension_config: { name: 'own', typed_config: typed(`${POLICIES}.${type}`, value) } },
      ],
    },
  });
  return chance.pick<Json>([
    { lb_policy: 'RING_HASH' },
    { lb_policy: 'RING_HASH', ring_hash_lb_config: { minimum_ring_size: 256, maximum_ring_size: 1024 } },
    { lb_policy: 'MAGLEV' },
    { lb_policy: 'MAGLEV', maglev_lb_config: { table_size: 251 } },
    policy('ring_hash.v3.RingHash', { minimum_ring_size: 128 }),
    policy('maglev.v3.Maglev', { table_size: 1009 }),
  ]);
}

/** Enough that four origins are all among them but once in ten million times. */
const MANY = 60;

function hashed(chance: Chance, name: string): Configuration {
  const route = (): Json => ({
    cluster: name,
    ...(chance.maybe(0.9) && { hash_policy: Array.from({ length: chance.int(1, 3) }, () => hashOf(chance)) }),
  });
  return {
    httpFilters: [
      keepsWho({
        factory_key: 'envoy.hashable_string',
        format_string: {
          text_format_source: { inline_string: '%REQ(x-two)%' },
          omit_empty_values: true,
        },
        skip_if_empty: true,
      }),
    ],
    clusters: [{ ...assigned(name, [PLAIN_ORIGINS.map((origin) => ({ origin }))]), ...byHash(chance) }],
    routes: everyHost([
      { match: { prefix: '/a' }, route: route() },
      { match: { prefix: '/' }, route: route() },
    ]),
    exchanges: Array.from({ length: 4 }, (): Exchange => {
      const field = (key: string, value: string): Field[] => (chance.maybe(0.5) ? [[key, value]] : []);
      return {
        tally: MANY,
        gathered: true,
        path: chance.pick(['/a', '/']) + chance.pick(['', '?q=1', '?r=2', '?q=']),
        headers: [
          ...field('x-one', 'alice'),
          ...field('x-two', 'bob'),
          ...field('cookie', 'user=alice; other=1'),
        ],
      };
    }),
  };
}

function hashOf(chance: Chance): Json {
  return {
    ...chance.pick<Json>([
      { header: { header_name: 'x-one' } },
      {
        header: {
          header_name: 'x-one',
          regex_rewrite: { pattern: { regex: 'a(.*)' }, substitution: '\\1' },
        },
      },
      { query_parameter: { name: 'q' } },
      { cookie: { name: 'user' } },
      { filter_state: { key: 'who' } },
      ...(chance.maybe(0.3) ? [{ connection_properties: { source_ip: true } }] : []),
    ]),
    ...(chance.maybe(0.3) && { terminal: true }),
  };
}

const SHARED = 200;

/** By chance alone weights count for nothing in Envoy (docs/guides/envoy-config.md). */
function weighted(chance: Chance, name: string): Configuration {
  const origins = chance.sample(PLAIN_ORIGINS, chance.int(2, 4));
  const endpoints = origins.map((origin) => ({ origin, weight: chance.pick([1, 1, 2, 5, 10]) }));
  return {
    clusters: [{ ...assigned(name, [endpoints]), lb_policy: chance.pick(['ROUND_ROBIN', 'LEAST_REQUEST']) }],
    routes: everyHost([{ match: { prefix: '/' }, route: { cluster: name } }]),
    exchanges: [{ tally: SHARED }],
  };
}

/** Two priorities, of which the first is not all healthy. */
function ranked(chance: Chance, name: string): Configuration {
  const health = (): string =>
    chance.pick(['HEALTHY', 'UNKNOWN', 'UNHEALTHY', 'DRAINING', 'TIMEOUT', 'DEGRADED']);
  const cluster = assigned(
    name,
    [
      [
        { origin: 'a', health: health() },
        { origin: 'b', health: health() },
      ],
      [
        { origin: 'c', health: chance.maybe(0.8) ? 'HEALTHY' : health() },
        { origin: 'd', health: chance.maybe(0.8) ? 'HEALTHY' : health() },
      ],
    ],
    chance.maybe(0.3) ? { policy: { overprovisioning_factor: chance.pick([100, 140, 200]) } } : {},
  );
  return {
    clusters: [
      {
        ...cluster,
        lb_policy: chance.pick(['ROUND_ROBIN', 'RANDOM']),
        ...(chance.maybe(0.5) && {
          common_lb_config: { healthy_panic_threshold: { value: chance.pick([0, 20, 60]) } },
        }),
      },
    ],
    routes: everyHost([{ match: { prefix: '/' }, route: { cluster: name } }]),
    exchanges: [{ tally: SHARED }],
  };
}

/** By labels of endpoints. */
function divided(chance: Chance, name: string): Configuration {
  const labels = (): Json => ({ version: chance.pick(['1', '2']), stage: chance.pick(['prod', 'test']) });
  const endpoints = PLAIN_ORIGINS.map((origin) => ({ origin, metadata: labels() }));
  const wanted = (): Json =>
    chance.pick<Json>([
      { version: '1' },
      { version: '2' },
      { version: '3' },
      { stage: 'prod' },
      { version: '1', stage: 'prod' },
      { other: 'x' },
    ]);
  const route = (): Json => ({
    cluster: name,
    ...(chance.maybe(0.9) && { metadata_match: { filter_metadata: { 'envoy.lb': wanted() } } }),
  });
  const fallback = chance.pick(['NO_FALLBACK', 'ANY_ENDPOINT', 'DEFAULT_SUBSET']);
  return {
    clusters: [
      {
        ...assigned(name, [endpoints]),
        lb_policy: 'RANDOM',
        lb_subset_config: {
          fallback_policy: fallback,
          ...(fallback === 'DEFAULT_SUBSET' && { default_subset: { stage: chance.pick(['prod', 'none']) } }),
          subset_selectors: chance
            .sample<Json>(
              [{ keys: ['version'] }, { keys: ['stage'] }, { keys: ['stage', 'version'] }],
              chance.int(1, 3),
            )
            .map((selector) => ({
              ...selector,
              ...(chance.maybe(0.3) && { fallback_policy: chance.pick(['NO_FALLBACK', 'ANY_ENDPOINT']) }),
            })),
        },
      },
    ],
    routes: everyHost([
      { match: { prefix: '/a' }, route: route() },
      { match: { prefix: '/' }, route: route() },
    ]),
    exchanges: [
      { path: '/a', tally: MANY, gathered: true },
      { path: '/', tally: MANY, gathered: true },
      { path: '/a', tally: MANY },
    ],
  };
}
