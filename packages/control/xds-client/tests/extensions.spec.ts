import type { JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import {
  CONN_AUTHZ_FILTER,
  FAULT_FILTER,
  type FilterEntry,
  HEADERS_FILTER,
  IP_ALLOW_FILTER,
  type ProxyConfig,
} from '@tulle/model';
import { createResourceDecoder } from '../src/index.ts';
import { anyOf, apiSource, at, client, grpc, network, server, typed, useSources } from './sources-kit.ts';

useSources();

const http = 'envoy.extensions.filters.http';
const url = (type: string): string => `type.googleapis.com/${type}`;
const CORS = `${http}.cors.v3.Cors`;
const FAULT = `${http}.fault.v3.HTTPFault`;

const fault = (status: number): JsonObject =>
  typed(FAULT, { abort: { http_status: status, percentage: { numerator: 100 } } });
const extension = (name: string, config: JsonObject): JsonObject =>
  typed('envoy.config.core.v3.TypedExtensionConfig', { name, typed_config: config });

/** A listener whose filters are as given, before the router. */
const listenerWith = (filters: readonly JsonObject[], before: readonly JsonObject[] = []): JsonObject =>
  typed('envoy.config.listener.v3.Listener', {
    name: 'in',
    address: { socket_address: { address: '127.0.0.1', port_value: 8080 } },
    filter_chains: [
      {
        filters: [
          ...before,
          {
            name: 'http',
            typed_config: typed(`${network}.http_connection_manager.v3.HttpConnectionManager`, {
              stat_prefix: 'in',
              server_header_transformation: 'PASS_THROUGH',
              route_config: { name: 'r', virtual_hosts: [] },
              http_filters: [
                ...filters,
                { name: 'router', typed_config: typed(`${http}.router.v3.Router`, {}) },
              ],
            }),
          },
        ],
      },
    ],
  });

const discovered = (fields: JsonObject = {}, api: 'delta' | 'state-of-the-world' = 'delta'): JsonObject => ({
  name: 'mine',
  config_discovery: { config_source: apiSource(api), type_urls: [url(FAULT)], ...fields },
});

const filtersOf = ({ listeners }: ProxyConfig): readonly FilterEntry[] | undefined => {
  const handler = listeners[0]?.filterChains[0]?.handler;
  return handler?.kind === 'http' ? handler.filters : undefined;
};
/** What the filter `mine` aborts with; `undefined`: nothing listens, or it is another filter. */
const statusOf = (config: ProxyConfig): number | undefined =>
  (
    filtersOf(config)?.find(({ name }) => name === 'mine')?.config as
      | { abort?: { status: number } }
      | undefined
  )?.abort?.status;

describe.each(['delta', 'state-of-the-world'] as const)(
  'configs of filters that are discovered, %s,',
  (api) => {
    const roots = { listener: grpc(api), cluster: 'none' } as const;

    it('are waited for, put where they are named, and follow every change', async () => {
      const one = await server();
      one.putAny('listener', 'in', anyOf(listenerWith([discovered({}, api)])));
      const { config, configs } = await client({ roots, server: at(one.port) });
      await expect.poll(() => one.opened).toContain(`extension ${api === 'delta' ? 'delta' : 'world'}`);
      expect(configs.flatMap(({ listeners }) => listeners)).toEqual([]);
      one.putAny('extension', 'mine', anyOf(extension('mine', fault(418))));
      const first = await config((now) => statusOf(now) === 418);
      expect(filtersOf(first)).toMatchObject([{ name: 'mine', filter: FAULT_FILTER }]);
      one.putAny('extension', 'mine', anyOf(extension('mine', fault(503))));
      await config((now) => statusOf(now) === 503);
      expect(one.nacks).toEqual([]);
    });

    it('that do not fit are refused, and the last good one stays', async () => {
      const one = await server();
      one.putAny('listener', 'in', anyOf(listenerWith([discovered({}, api)])));
      one.putAny('extension', 'mine', anyOf(extension('mine', fault(418))));
      const { config, configs } = await client({ roots, server: at(one.port) });
      await config((now) => statusOf(now) === 418);
      one.putAny('extension', 'mine', anyOf(extension('mine', typed(CORS, {}))));
      await expect
        .poll(() => one.nacks.at(-1))
        .toMatch(
          /extension "mine": listener "in": .*config_discovery: .*Cors, which type_urls does not have/,
        );
      one.putAny(
        'extension',
        'mine',
        anyOf(typed('envoy.config.core.v3.TypedExtensionConfig', { name: 'mine' })),
      );
      await expect.poll(() => one.nacks.at(-1)).toBe('extension "mine": typed_config: is missing');
      expect(statusOf(configs.at(-1) as ProxyConfig)).toBe(418);
      one.putAny('extension', 'mine', anyOf(extension('mine', fault(500))));
      await config((now) => statusOf(now) === 500);
    });
  },
);

describe('without a config that came', () => {
  const roots = { listener: grpc('delta'), cluster: 'none' } as const;

  it('a filter has its default when the time is over, and at once where that is said', async () => {
    const one = await server();
    const patient = { ...apiSource('delta'), initial_fetch_timeout: '0.05s' };
    one.putAny(
      'listener',
      'in',
      anyOf(listenerWith([discovered({ config_source: patient, default_config: fault(404) })])),
    );
    const late = await client({ roots, server: at(one.port) });
    await late.config((now) => statusOf(now) === 404);
    one.putAny(
      'listener',
      'in',
      anyOf(
        listenerWith([
          discovered({ default_config: fault(405), apply_default_config_without_warming: true }),
        ]),
      ),
    );
    const atOnce = await client({ roots, server: at(one.port) }, { initialFetchTimeoutMs: 60_000 });
    await atOnce.config((now) => statusOf(now) === 405);
    one.putAny('extension', 'mine', anyOf(extension('mine', fault(418))));
    await atOnce.config((now) => statusOf(now) === 418);
  });

  it('and without a default it lets no request and no connection pass', async () => {
    const one = await server();
    const source = { ...apiSource('delta'), initial_fetch_timeout: '0.05s' };
    const gate: JsonObject = {
      name: 'gate',
      config_discovery: { config_source: source, type_urls: [url(`${network}.rbac.v3.RBAC`)] },
    };
    one.putAny('listener', 'in', anyOf(listenerWith([discovered({ config_source: source })], [gate])));
    const { config } = await client({ roots, server: at(one.port) });
    const now = await config((one_) => statusOf(one_) === 500);
    const handler = now.listeners[0]?.filterChains[0]?.handler;
    const [before] = (handler?.kind === 'http' && handler.connectionFilters) || [];
    expect(before?.name).toBe('gate');
    expect([CONN_AUTHZ_FILTER, IP_ALLOW_FILTER]).toContain(before?.filter);
    expect(JSON.stringify(before?.config)).not.toContain('"ALLOW"');
  });
});

describe('a source of filters', () => {
  const issuesOf = (listener: JsonObject): readonly { readonly path: string; readonly message: string }[] => {
    const decoded = createResourceDecoder().decode('listener', anyOf(listener), { kind: 'ads' });
    return decoded.ok ? [] : decoded.issues;
  };
  const at0 = 'filter_chains[0].filters[0].typed_config.http_filters[0].config_discovery';

  it.each([
    [{ type_urls: [] }, `${at0}.type_urls`, 'is empty: nothing could be discovered'],
    [
      { default_config: typed(CORS, {}) },
      `${at0}.default_config`,
      `the default is a ${CORS}, which type_urls does not have`,
    ],
    [
      { apply_default_config_without_warming: true },
      `${at0}.apply_default_config_without_warming`,
      'needs a default_config',
    ],
    [
      { config_source: { api_config_source: { api_type: 'AGGREGATED_GRPC' } } },
      `${at0}.config_source.api_config_source.api_type`,
      'must be GRPC or DELTA_GRPC',
    ],
  ] as const)('is refused with %j', (fields, path, message) => {
    expect(issuesOf(listenerWith([discovered(fields as JsonObject)]))).toContainEqual({ path, message });
  });

  it('is taken of filters of a chain but not of its last, nor of what looks at a connection before', () => {
    const source = { config_source: { ads: {} }, type_urls: [url(FAULT)] };
    const listener = listenerWith([]);
    const chains = listener['filter_chains'] as { filters: JsonObject[] }[];
    chains[0]?.filters.splice(0, 1, { name: 'end', config_discovery: source });
    expect(
      issuesOf({ ...listener, listener_filters: [{ name: 'x', config_discovery: source }] }),
    ).toMatchObject([
      { path: 'listener_filters[0].config_discovery' },
      {
        path: 'filter_chains[0].filters[0].config_discovery',
        message: expect.stringContaining('what ends a chain') as unknown,
      },
      { path: 'filter_chains[0].filters' },
    ]);
  });
});

it('keeps a header mutation that is discovered as it keeps one that is written', async () => {
  const one = await server();
  const type = `${http}.header_mutation.v3.HeaderMutation`;
  const mutation = typed(type, {
    mutations: { request_mutations: [{ append: { header: { key: 'x-a', value: '1' } } }] },
  });
  one.putAny('listener', 'in', anyOf(listenerWith([discovered({ type_urls: [url(type)] })])));
  one.putAny('extension', 'mine', anyOf(extension('mine', mutation)));
  const { config } = await client({
    roots: { listener: grpc('delta'), cluster: 'none' },
    server: at(one.port),
  });
  const now = await config((got) => (filtersOf(got)?.length ?? 0) > 0);
  const written = createResourceDecoder().decode(
    'listener',
    anyOf(listenerWith([{ name: 'mine', typed_config: mutation }])),
  );
  expect(filtersOf(now)).toMatchObject([{ filter: HEADERS_FILTER }]);
  expect(written.ok && filtersOf({ listeners: [written.resource] } as unknown as ProxyConfig)).toEqual(
    filtersOf(now),
  );
});
