import { create, type DescMessage } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { HttpConnectionManagerSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { HttpProtocolOptionsSchema } from '@tulle/xds-proto/envoy/extensions/upstreams/http/v3/http_protocol_options';
import { HONOURED } from './honoured.ts';
import { HONOURED_OF_CLUSTERS } from './honoured-clusters.ts';
import { HONOURED_OF_EXTERNAL } from './honoured-external.ts';
import { HONOURED_OF_FILTERS } from './honoured-filters.ts';
import { HONOURED_OF_LISTENERS } from './honoured-listeners.ts';
import { HONOURED_OF_ROUTES } from './honoured-routes.ts';
import { HONOURED_BY_ALL } from './honoured-shared.ts';
import { HONOURED_OF_TLS } from './honoured-tls.ts';
import { createResourceDecoder } from './resource.ts';

/** Every message that can be reached from a type. */
function reachable(start: DescMessage, seen: Map<string, DescMessage> = new Map()): Map<string, DescMessage> {
  if (seen.has(start.typeName)) return seen;
  seen.set(start.typeName, start);
  for (const field of start.fields) if (field.message) reachable(field.message, seen);
  return seen;
}

describe('the list of honoured fields', () => {
  it('names fields that exist', () => {
    const types = reachable(HttpProtocolOptionsSchema, reachable(ClusterSchema, reachable(ListenerSchema)));
    let checked = 0;
    for (const [typeName, fields] of Object.entries(HONOURED)) {
      const desc = types.get(typeName);
      if (!desc) continue; // stands in an Any only; the round trip reads each of those
      checked++;
      const names = desc.fields.map(({ name }) => name);
      for (const field of fields) expect(names, typeName).toContain(field);
    }
    expect(checked).toBeGreaterThan(30);
  });

  it('has each type once: of two lists the earlier would be lost', () => {
    const parts = [
      HONOURED_OF_CLUSTERS,
      HONOURED_OF_FILTERS,
      HONOURED_OF_EXTERNAL,
      HONOURED_OF_LISTENERS,
      HONOURED_OF_ROUTES,
      HONOURED_BY_ALL,
      HONOURED_OF_TLS,
    ];
    const names = parts.flatMap((part) => Object.keys(part));
    expect(names.filter((name, index) => names.indexOf(name) < index)).toEqual([]);
    expect(names).toHaveLength(Object.keys(HONOURED).length);
  });

  it('is all that passes: anything else that is set is refused with its path', () => {
    const cluster = create(ClusterSchema, {
      name: 'a',
      trackTimeoutBudgets: true,
      filters: [{ name: 'f' }],
      loadAssignment: {
        clusterName: 'a',
        endpoints: [
          {
            lbEndpoints: [
              {
                hostIdentifier: { case: 'endpointName', value: 'named' },
              },
            ],
          },
        ],
      },
    });
    const decoded = createResourceDecoder().decode('cluster', anyPack(ClusterSchema, cluster));
    expect(decoded).toMatchObject({ ok: false });
    expect(decoded.ok ? [] : decoded.issues.map(({ path }) => path).sort()).toEqual([
      'filters[0].typed_config',
      'load_assignment.endpoints[0].lb_endpoints[0].endpoint.address',
      'load_assignment.endpoints[0].lb_endpoints[0].endpoint_name',
      'track_timeout_budgets',
    ]);
  });

  it('refuses fields that are newer than it, however deep they stand, by path and number', () => {
    const newer = [{ no: 4095, wireType: 2 as const, data: Uint8Array.of(1, 0x78) }];
    const manager = create(HttpConnectionManagerSchema, {
      statPrefix: 'a',
      routeSpecifier: {
        case: 'routeConfig',
        value: {
          name: 'a',
          virtualHosts: [
            {
              name: 'a',
              domains: ['*'],
              routes: [{ match: { pathSpecifier: { case: 'prefix', value: '/' } } }],
            },
          ],
        },
      },
    });
    if (manager.routeSpecifier.case === 'routeConfig')
      manager.routeSpecifier.value.virtualHosts[0]!.routes[0]!.match!.$unknown = newer;
    const listener = create(ListenerSchema, {
      name: 'a',
      filterChains: [
        {
          filters: [
            {
              name: 'http',
              configType: { case: 'typedConfig', value: anyPack(HttpConnectionManagerSchema, manager) },
            },
          ],
        },
      ],
    });
    const decoded = createResourceDecoder().decode('listener', anyPack(ListenerSchema, listener));
    expect(decoded.ok ? [] : decoded.issues).toContainEqual({
      path: 'filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0].match',
      message: 'envoy.config.route.v3.RouteMatch has field number 4095, which this version does not know',
    });
    const passed = createResourceDecoder({ allowUnknownFields: true }).decode(
      'listener',
      anyPack(ListenerSchema, listener),
    );
    expect(JSON.stringify(passed)).not.toContain('4095');
  });

  it('can be widened by an operator, field by field', () => {
    const cluster = create(ClusterSchema, { name: 'a', trackTimeoutBudgets: true });
    const decoder = createResourceDecoder({
      tolerateFields: ['envoy.config.cluster.v3.Cluster.track_timeout_budgets'],
    });
    expect(decoder.decode('cluster', anyPack(ClusterSchema, cluster))).toMatchObject({
      ok: true,
      resource: { name: 'a' },
    });
  });
});
