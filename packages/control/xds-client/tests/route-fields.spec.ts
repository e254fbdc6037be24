import type { Route } from '@tulle/model';
import { expect, it } from 'vitest';
import { type Json, readRoute, readRoutes } from './read-route.ts';

it('a route says what its requests ask for, and who is told', () => {
  expect(readRoute({ decorator: { operation: 'shop/*' } })).toMatchObject({
    decorator: { operation: 'shop/*' },
  });
  expect(readRoute({ decorator: { operation: 'a', propagate: false } })).toMatchObject({
    decorator: { operation: 'a', propagate: false },
  });
  expect(readRoute({ decorator: { operation: 'a', propagate: true } })).toMatchObject({
    decorator: { operation: 'a' },
  });
  expect(readRoute({ decorator: {} })).toEqual(['decorator.operation']);
});

it.each<[Json, object]>([
  [{}, {}],
  [{ random_sampling: { numerator: 5, denominator: 'TEN_THOUSAND' } }, { randomSamplingPercent: 0.05 }],
  [
    { client_sampling: {}, overall_sampling: { numerator: 50 } },
    { clientSamplingPercent: 0, overallSamplingPercent: 50 },
  ],
  [
    { custom_tags: [{ tag: 'a', literal: { value: 'b' } }] },
    { customTags: [{ name: 'a', kind: 'literal', value: 'b' }] },
  ],
])('a route with tracing %j has %j', (tracing, expected) => {
  expect(readRoute({ tracing })).toMatchObject({ tracing: expected });
  const route = readRoute({ tracing });
  expect(Array.isArray(route) ? route : route.tracing).toEqual(expected);
});

it('tags of a route are refused by their path', () => {
  expect(readRoute({ tracing: { custom_tags: [{ tag: 'a' }] } })).toEqual(['tracing.custom_tags[0]']);
});

it('a route is for requests of which filters found something out', () => {
  const asked = { filter: 'a.filter', path: [{ key: 'who' }], value: { string_match: { exact: 'anna' } } };
  expect(
    readRoute({ match: { prefix: '/', dynamic_metadata: [asked, { ...asked, invert: true }] } }),
  ).toMatchObject({
    match: {
      metadata: [
        { namespace: 'a.filter', path: ['who'], value: { text: { kind: 'exact', value: 'anna' } } },
        {
          namespace: 'a.filter',
          path: ['who'],
          value: { text: { kind: 'exact', value: 'anna' } },
          invert: true,
        },
      ],
    },
  });
  expect(readRoute({ match: { prefix: '/', dynamic_metadata: [{ filter: 'a', path: [] }] } })).toContain(
    'match.dynamic_metadata[0].path',
  );
});

it('a route is for requests of which filters put something down', () => {
  const filter_state = [
    { key: 'a', string_match: { exact: 'x' } },
    { key: 'b', address_match: { ranges: [{ address_prefix: '10.0.0.0', prefix_len: 8 }] } },
  ];
  expect(readRoute({ match: { prefix: '/', filter_state } })).toMatchObject({
    match: {
      filterState: [
        { key: 'a', match: { kind: 'exact', value: 'x' } },
        { key: 'b', cidrs: ['10.0.0.0/8'] },
      ],
    },
  });
  expect(readRoute({ match: { prefix: '/', filter_state: [{}] } })).toEqual([
    'match.filter_state[0].key',
    'match.filter_state[0]',
    'match.filter_state[0].string_match',
  ]);
});

it('a route is for requests with cookies', () => {
  const string_match = { exact: 'x' };
  expect(
    readRoute({
      match: {
        prefix: '/',
        cookies: [
          { name: 'a', string_match },
          { name: 'b', string_match, invert_match: true },
        ],
      },
    }),
  ).toMatchObject({
    match: {
      cookies: [
        { name: 'a', match: { kind: 'exact', value: 'x' } },
        { name: 'b', match: { kind: 'exact', value: 'x' }, invert: true },
      ],
    },
  });
  expect(readRoute({ match: { prefix: '/', cookies: [{}] } })).toEqual([
    'match.cookies[0].name',
    'match.cookies[0].string_match',
  ]);
});

it('how much of a body is kept is said by the newer field first, wherever it stands', () => {
  const kept = (host: Json, route: Json): unknown => {
    const routes = [{ name: 'one', match: { prefix: '/' }, route: { cluster: 'c' }, ...route }];
    const read = readRoutes({ name: 'r', virtual_hosts: [{ name: 'v', domains: ['*'], routes, ...host }] });
    if (Array.isArray(read)) return read;
    const action = read.virtualHosts[0]?.routes[0]?.action;
    return action?.kind === 'forward' ? action.maxReplayBytes : undefined;
  };
  expect(kept({}, { request_body_buffer_limit: 7 })).toBe(7);
  expect(kept({ request_body_buffer_limit: 7 }, {})).toBe(7);
  expect(kept({ request_body_buffer_limit: 7 }, { request_body_buffer_limit: 0 })).toBe(0);
  expect(kept({ request_body_buffer_limit: 7 }, { per_request_buffer_limit_bytes: 9 })).toBe(7);
  expect(kept({ per_request_buffer_limit_bytes: 9 }, { request_body_buffer_limit: 7 })).toBe(7);
  const field = 'request_body_buffer_limit';
  // Envoy takes both in one place, though its documentation says one alone.
  expect(kept({}, { [field]: 7, per_request_buffer_limit_bytes: 9 })).toBe(7);
  expect(kept({}, { [field]: '4294967296' })).toEqual([`virtual_hosts[0].routes[0].${field}`]);
});

it('a copy is told of its trace what its request is told', () => {
  const mirrored = (trace_sampled: boolean): unknown =>
    readRoute({ route: { cluster: 'c', request_mirror_policies: [{ cluster: 'd', trace_sampled }] } });
  expect(mirrored(true)).toMatchObject({ action: { mirrors: [{ cluster: 'd' }] } });
  expect(mirrored(false)).toEqual(['route.request_mirror_policies[0].trace_sampled']);
});

it('requests of a route, and kinds of them, are counted apart', () => {
  const kind = { name: 'posts', headers: [{ name: ':method', string_match: { exact: 'POST' } }] };
  const routes = [{ name: 'one', match: { prefix: '/' }, route: { cluster: 'c' }, stat_prefix: 'all' }];
  const read = (virtual_clusters: readonly object[]): unknown =>
    readRoutes({
      name: 'r',
      virtual_hosts: [{ name: 'v', domains: ['*'], routes, virtual_clusters } as unknown as Json],
    });
  expect(read([kind])).toMatchObject({
    virtualHosts: [
      {
        routes: [{ statPrefix: 'all' }],
        virtualClusters: [
          { name: 'posts', headers: [{ name: ':method', match: { kind: 'exact', value: 'POST' } }] },
        ],
      },
    ],
  });
  expect(read([{ headers: [] }])).toEqual([
    'virtual_hosts[0].virtual_clusters[0].name',
    'virtual_hosts[0].virtual_clusters[0].headers',
  ]);
});

it('a longest duration of streams stands in the place of the timeout, of the one by default too', () => {
  const timeout = (route: Json): unknown => {
    const { action } = readRoute({ route: { cluster: 'c', ...route } }) as Route;
    return action.kind === 'forward' && action.requestTimeoutMs;
  };
  expect(timeout({})).toBeUndefined();
  expect(timeout({ timeout: '3s' })).toBe(3_000);
  expect(timeout({ max_stream_duration: { max_stream_duration: '60s' } })).toBe(0);
  expect(timeout({ timeout: '3s', max_stream_duration: {} })).toBe(0);
  expect(timeout({ timeout: '3s', max_stream_duration: { grpc_timeout_header_max: '0s' } })).toBe(0);
});
