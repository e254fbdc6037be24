import { describe, expect, it } from 'vitest';
import { readBootstrap } from './read-bootstrap.ts';
import { translateBootstrap, type Translation } from './translate.ts';

const SOURCE = (api: string): string =>
  `api_config_source: { api_type: ${api}, transport_api_version: V3, grpc_services: [ { envoy_grpc: { cluster_name: xds } } ] }`;
const STATICS = `
node: { id: one, cluster: c }
static_resources:
  clusters:
    - name: xds
      type: STATIC
      load_assignment: { cluster_name: xds, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 1 } } } } ] } ] }
`;

function translate(text: string): Translation {
  return translateBootstrap(
    readBootstrap({ inline: { name: 'x', text: text + STATICS } }, { allowUnknownFields: false }),
  );
}
const issuesOf = (text: string): string[] =>
  translate(text).issues.map(({ path, message }) => `${path}: ${message}`);

describe('sources of authorities', () => {
  it('are where names come from that say theirs, and where a directory of listeners comes from', () => {
    const { issues, discovery } = translate(`
config_sources:
  - authorities: [ { name: example } ]
    resource_api_version: V3
    ${SOURCE('DELTA_GRPC')}
dynamic_resources: { lds_resources_locator: "xdstp://example/envoy.config.listener.v3.Listener/edge/*" }
`);
    const source = { kind: 'grpc', server: { cluster: 'xds' }, api: 'delta' };
    expect(issues).toEqual([]);
    expect(discovery?.roots).toEqual({
      listener: { collection: 'xdstp://example/envoy.config.listener.v3.Listener/edge/*', source },
      cluster: 'none',
    });
    expect([...(discovery?.authorities ?? [])]).toEqual([['example', source]]);
    expect([...(discovery?.servers.keys() ?? [])]).toEqual(['xds']);
  });

  it('have one for all others', () => {
    const { issues, discovery } = translate(`
default_config_source: { resource_api_version: V3, ${SOURCE('DELTA_GRPC')} }
dynamic_resources: { cds_resources_locator: "xdstp://any/envoy.config.cluster.v3.Cluster/*" }
`);
    expect(issues).toEqual([]);
    expect(discovery?.roots.cluster).toMatchObject({ source: { kind: 'grpc' } });
  });

  it('are not asked for a directory beside which a source stands, as in Envoy', () => {
    const { issues, discovery } = translate(`
dynamic_resources:
  lds_config: { resource_api_version: V3, ${SOURCE('DELTA_GRPC')} }
  lds_resources_locator: "xdstp://nobody/envoy.config.listener.v3.Listener/edge/*"
`);
    expect(issues).toEqual([]);
    expect(discovery?.roots.listener).toEqual({
      collection: 'xdstp://nobody/envoy.config.listener.v3.Listener/edge/*',
      source: { kind: 'grpc', server: { cluster: 'xds' }, api: 'delta' },
    });
    expect(
      issuesOf(`
dynamic_resources:
  cds_config: { resource_api_version: V3, ${SOURCE('GRPC')} }
  cds_resources_locator: "xdstp://nobody/envoy.config.cluster.v3.Cluster/edge/*"
`),
    ).toEqual([
      'dynamic_resources.cds_resources_locator: needs a source that is asked incrementally (DELTA_GRPC)',
    ]);
  });

  it('are refused by path where they cannot work', () => {
    expect(
      issuesOf(`
config_sources:
  - { resource_api_version: V3, ${SOURCE('GRPC')} }
  - { authorities: [ { name: world } ], resource_api_version: V3, ${SOURCE('GRPC')} }
  - { authorities: [ { name: world } ], resource_api_version: V3, ${SOURCE('GRPC')} }
dynamic_resources:
  lds_resources_locator: "xdstp://world/envoy.config.listener.v3.Listener/*"
  cds_resources_locator: "xdstp://nobody/envoy.config.cluster.v3.Cluster/*"
`),
    ).toEqual([
      'config_sources[0].authorities: is empty: name whose resources come from there',
      'config_sources[2].authorities[0].name: has a source already: "world"',
      'dynamic_resources.lds_resources_locator: needs a source that is asked incrementally (DELTA_GRPC)',
      'dynamic_resources.cds_resources_locator: has an authority that no config_sources has: "nobody"',
    ]);
    expect(
      issuesOf(`
config_sources: [ { authorities: [ { name: example } ], ads: {}, resource_api_version: V3 } ]
dynamic_resources: { lds_resources_locator: "xdstp://example/envoy.config.listener.v3.Listener/one" }
`),
    ).toEqual([
      'dynamic_resources.lds_resources_locator: must be xdstp://authority/type/directory/*, but is "xdstp://example/envoy.config.listener.v3.Listener/one": lists of resources are not supported',
      'config_sources: names ads as a source, but dynamic_resources.ads_config is missing',
    ]);
  });
});
