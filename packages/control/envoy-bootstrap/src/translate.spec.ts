import { create, toBinary } from '@bufbuild/protobuf';
import { BootstrapSchema } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';
import { SecretSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeIssue } from './issue.ts';
import { readBootstrap } from './read-bootstrap.ts';
import { readResourceFile } from './resource-file.ts';
import { translateBootstrap, type TranslateOptions, type Translation } from './translate.ts';

const translate = (text: string, options?: TranslateOptions): Translation =>
  translateBootstrap(readBootstrap({ file: { name: 'envoy.yaml', text } }), options);
const faults = (text: string, options?: TranslateOptions): string[] =>
  translate(text, options).issues.map(describeIssue);

const listener = (cluster: string, more = ''): string => `
  listeners:
    - address: { socket_address: { address: 0.0.0.0, port_value: 8000 } }
      filter_chains:
        - filters:
            - name: hcm
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: http
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes: [ { match: { prefix: "/" }, route: { cluster: ${cluster} } } ]
                http_filters:
                  - name: router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
${more}`;
const CLUSTERS = `
  clusters:
    - name: a
      connect_timeout: 1s
      load_assignment: { cluster_name: a, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9001 } } } } ] } ] }
`;
const tls = (secret: string): string => `
          transport_socket:
            name: tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context: { tls_certificate_sds_secret_configs: [ ${secret} ] }
`;
const SECRETS = `
  secrets:
    - name: cert
      tls_certificate: { certificate_chain: { filename: /c.pem }, private_key: { filename: /k.pem } }
    - name: roots
      validation_context: { trusted_ca: { filename: /ca.pem } }
`;

describe('the static resources', () => {
  it('go without a filter that is optional and not known here, as Envoy goes without one that it lacks', () => {
    const lua = (more: string): string =>
      `static_resources:${listener('a').replace(
        'http_filters:\n',
        `http_filters:\n                  - { name: lua, ${more}typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua, default_source_code: { inline_string: x } } }\n`,
      )}${CLUSTERS}`;
    expect(faults(lua(''))).toEqual([
      expect.stringContaining('the type envoy.extensions.filters.http.lua.v3.Lua is not supported'),
    ]);
    const { issues, config } = translate(lua('is_optional: true, '));
    expect(issues).toEqual([]);
    expect(config.listeners[0]?.filterChains[0]?.handler.filters).toEqual([
      expect.objectContaining({
        filter: 'envoy.extensions.filters.http.lua.v3.Lua',
        optional: true,
        config: { default_source_code: { inline_string: 'x' } },
      }),
    ]);
  });

  it('become a configuration, and names are found for what has none', () => {
    const { issues, config } = translate(`static_resources:${listener('a')}${CLUSTERS}`);
    expect(issues).toEqual([]);
    expect(config.clusters.map(({ name }) => name)).toEqual(['a']);
    expect(config.listeners[0]).toMatchObject({
      name: '0.0.0.0_8000',
      address: { host: '0.0.0.0', port: 8000 },
      filterChains: [
        {
          name: 'chain-0',
          handler: { routes: { name: '0.0.0.0_8000', virtualHosts: [{ routes: [{ name: 'all/0' }] }] } },
        },
      ],
    });
  });

  it('have a version that is that of what they say', () => {
    const one = translate(`static_resources:${listener('a')}${CLUSTERS}`).config.version;
    expect(translate(`# the same\nstatic_resources:${listener('a')}${CLUSTERS}`).config.version).toBe(one);
    expect(
      translate(`static_resources:${listener('a')}${CLUSTERS.replace('1s', '2s')}`).config.version,
    ).not.toBe(one);
  });

  it('must have the clusters that their routes name, as in Envoy', () => {
    expect(faults(`static_resources:${listener('b')}${CLUSTERS}`)).toEqual([
      'envoy.yaml:3:7: static_resources.listeners[0]: the virtual host "all" of the routes "0.0.0.0_8000" names the cluster "b", which static_resources.clusters does not have',
    ]);
  });

  it('need not have those that they say may come later', () => {
    const checked = `validate_clusters: false\n                  virtual_hosts:`;
    const later = listener('b').replace('virtual_hosts:', checked);
    expect(faults(`static_resources:${later}${CLUSTERS}`)).toEqual([]);
    const scoped = (value: string): string => `
  listeners:
    - address: { socket_address: { address: 0.0.0.0, port_value: 8000 } }
      filter_chains:
        - filters:
            - name: hcm
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: http
                scoped_routes:
                  name: scopes
                  scope_key_builder: { fragments: [ { header_value_extractor: { name: x-scope, index: 0 } } ] }
                  scoped_route_configurations_list:
                    scoped_route_configurations:
                      - name: one
                        key: { fragments: [ { string_key: one } ] }
                        route_configuration: { name: r, ${value}virtual_hosts: [ { name: all, domains: ["*"], routes: [ { match: { prefix: / }, route: { cluster: b } } ] } ] }
                http_filters: [ { name: router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } } ]
`;
    expect(faults(`static_resources:${scoped('validate_clusters: false, ')}${CLUSTERS}`)).toEqual([]);
    expect(faults(`static_resources:${scoped('')}${CLUSTERS}`)).toHaveLength(1);
  });

  it('may not have two of one name', () => {
    expect(faults(`static_resources:${CLUSTERS}    - name: a\n      connect_timeout: 2s\n`)).toEqual([
      'envoy.yaml:6:7: static_resources.clusters[1].name: there is a cluster "a" already',
    ]);
  });

  it('say nothing twice where a part could not be read', () => {
    const text = `static_resources:${listener('a')}${CLUSTERS}`.replace(
      'filters.http.router.v3.Router',
      'filters.http.own.v3.Own',
    );
    expect(faults(text).filter((line) => line.includes('http_filters'))).toEqual([
      expect.stringContaining('the type envoy.extensions.filters.http.own.v3.Own is not supported'),
    ]);
  });

  it('are found again from what the engine says of the configuration', () => {
    const { locate } = translate(`static_resources:${listener('a')}${CLUSTERS}`);
    expect(describeIssue(locate('/listeners/0/filterChains/0/tls', 'no such file'))).toBe(
      'envoy.yaml:3:7: static_resources.listeners[0]: no such file (filterChains/0/tls)',
    );
  });
});

describe('secrets', () => {
  it('of the bootstrap stand where they are named', () => {
    const { issues, config } = translate(
      `static_resources:${listener('a', tls('{ name: cert }'))}${CLUSTERS}${SECRETS}`,
    );
    expect(issues).toEqual([]);
    expect(config.listeners[0]?.filterChains[0]?.tls?.certificate).toEqual({
      kind: 'files',
      certificateFile: '/c.pem',
      keyFile: '/k.pem',
    });
  });

  it('that are not there, or of another kind, are named', () => {
    const path =
      'static_resources.listeners[0].filter_chains[0].transport_socket.typed_config.common_tls_context.tls_certificate_sds_secret_configs[0]';
    expect(
      faults(`static_resources:${listener('a', tls('{ name: other }'))}${CLUSTERS}${SECRETS}`)[0],
    ).toContain(`${path}.name: names no secret of static_resources.secrets: "other"`);
    expect(
      faults(`static_resources:${listener('a', tls('{ name: roots }'))}${CLUSTERS}${SECRETS}`)[0],
    ).toContain(`${path}: the secret "roots" holds no tls_certificate`);
  });

  it('that come from elsewhere are needed from there, and put in when they are here', () => {
    const secret = create(SecretSchema, {
      name: 'cert',
      type: {
        case: 'tlsCertificate',
        value: {
          certificateChain: { specifier: { case: 'filename', value: '/c.pem' } },
          privateKey: { specifier: { case: 'filename', value: '/k.pem' } },
        },
      },
    });
    const source = '{ path_config_source: { path: /sds.yaml, watched_directory: { path: /d } } }';
    const { issues, discovery } = translate(
      `node: { id: one, cluster: c }\nstatic_resources:${listener('a', tls(`{ name: cert, sds_config: ${source} }`))}${CLUSTERS}`,
    );
    expect(issues).toEqual([]);
    const [fixed] = discovery?.fixed.listeners ?? [];
    expect(fixed?.needs).toEqual([
      { kind: 'secret', name: 'cert', source: { kind: 'file', path: '/sds.yaml', watchedDirectory: '/d' } },
    ]);
    expect(fixed?.fill?.({ secret: (name) => (name === 'cert' ? secret : undefined) })).toMatchObject({
      ok: true,
      resource: { filterChains: [{ tls: { certificate: { certificateFile: '/c.pem' } } }] },
    });
    expect(
      faults(
        `node: { id: one, cluster: c }\nstatic_resources:${listener('a', tls('{ name: cert, sds_config: { ads: {} } }'))}${CLUSTERS}`,
      ),
    ).toEqual([
      expect.stringContaining('names ads as a source, but dynamic_resources.ads_config is missing'),
    ]);
  });
});

describe('a file of resources', () => {
  it('that cannot be read says why', () => {
    const read = (text: string): unknown => readResourceFile('s.yaml', Buffer.from(text));
    expect(() => read('a: [')).toThrow(/^s\.yaml is no YAML: /);
    expect(() => read('resource: []')).toThrow(
      's.yaml: resource: envoy.service.discovery.v3.DiscoveryResponse has no field "resource"; did you mean resources?',
    );
    expect(() => read('resources: [ { "@type": type.googleapis.com/own.Type } ]')).toThrow(
      /the type own\.Type is not supported/,
    );
    expect(
      read('resources: [ { "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster, name: a } ]'),
    ).toMatchObject({
      resources: [{ typeUrl: 'type.googleapis.com/envoy.config.cluster.v3.Cluster' }],
    });
    expect(() => readResourceFile('s.pb', new Uint8Array([7, 7]))).toThrow(/^s\.pb is no DiscoveryResponse/);
  });
});

describe('what a bootstrap says of the process', () => {
  it('is taken where nothing comes of it, and said once', () => {
    const { issues, notes } = translate(`
stats_config: { stats_tags: [ { tag_name: x, regex: "y" } ] }
flags_path: /etc/envoy/flags
enable_dispatcher_stats: true
watchdogs: { main_thread_watchdog: { miss_timeout: 1s } }
fatal_actions: [ { config: { name: x, typed_config: { "@type": type.googleapis.com/own.Type } } } ]
admin:
  access_log: [ { name: x, typed_config: { "@type": type.googleapis.com/own.Type } } ]
layered_runtime: { layers: [ { name: static, static_layer: { own.key: 1, envoy.reloadable_features.x: true } }, { name: admin, admin_layer: {} } ] }
`);
    expect(issues).toEqual([]);
    expect(notes.map((note) => note.split(/[ :]/)[0])).toEqual([
      'flags_path',
      'stats_config',
      'watchdogs',
      'enable_dispatcher_stats',
      'fatal_actions',
      'admin.access_log',
      'layered_runtime',
      'layered_runtime',
    ]);
  });

  it('says where spans go of handlers that do not say, those of its servers too', () => {
    const tracing = `
tracing:
  http:
    name: envoy.tracers.zipkin
    typed_config:
      "@type": type.googleapis.com/envoy.config.trace.v3.ZipkinConfig
      collector_cluster: a
      collector_endpoint: /api/v2/spans
      collector_endpoint_version: HTTP_JSON
`;
    const traced = listener('a').replace(
      'stat_prefix: http',
      'stat_prefix: http\n                tracing: {}',
    );
    const provider = { kind: 'zipkin', cluster: 'a', path: '/api/v2/spans' };
    const own = translate(`static_resources:${traced}${CLUSTERS}${tracing}`);
    expect(own.issues).toEqual([]);
    expect(own.config.listeners[0]?.filterChains[0]?.handler).toMatchObject({ tracing: { provider } });
    const without = translate(`static_resources:${listener('a')}${CLUSTERS}${tracing}`);
    expect(without.config.listeners[0]?.filterChains[0]?.handler).not.toHaveProperty('tracing');
    const served = translate(
      `node: { id: n, cluster: c }
static_resources:${CLUSTERS}${tracing}dynamic_resources: { lds_config: { path_config_source: { path: /lds.yaml } } }`,
    );
    expect(served.issues).toEqual([]);
    expect(served.discovery?.tracer).toEqual(provider);
    expect(faults(`tracing: {}\n`)).toEqual([expect.stringContaining('tracing.http: is missing')]);
  });

  it('tells a file of ejections, and then takes rules that are not enforced, of its servers too', () => {
    const said = 'cluster_manager: { outlier_detection: { event_log_path: /var/log/ejections.log } }\n';
    const watched = CLUSTERS.replace('name: a', 'name: a\n      outlier_detection: { consecutive_5xx: 7 }');
    const { issues, ejectionLog, config } = translate(`static_resources:${watched}${said}`);
    expect([issues, ejectionLog]).toEqual([[], '/var/log/ejections.log']);
    expect(config.clusters[0]?.outlier).toMatchObject({
      consecutiveFailures: 7,
      gatewayFailures: { count: 5, enforcedPercent: 0 },
      failurePercentage: { thresholdPercent: 85, enforcedPercent: 0 },
      eventLog: '/var/log/ejections.log',
    });
    expect(translate(`static_resources:${watched}`).config.clusters[0]?.outlier).not.toHaveProperty(
      'gatewayFailures',
    );
  });

  it('limits connections by the runtime key that edges are told to set', () => {
    const layer = (value: string): string =>
      `layered_runtime: { layers: [ { name: s, static_layer: { overload: { global_downstream_max_connections: ${value} } } } ] }`;
    expect(translate(layer('50000')).overload).toEqual({ limits: { downstreamConnections: 50_000 } });
    expect(faults(layer('many'))[0]).toContain('must be a whole number of connections, but is "many"');
  });

  it('refuses a runtime key that a route reads: its default_value would hold instead', () => {
    const text = `static_resources:${listener('a')}${CLUSTERS}`.replace(
      'match: { prefix: "/" }',
      'match: { prefix: "/", runtime_fraction: { default_value: { numerator: 100 }, runtime_key: my.shift } }',
    );
    expect(
      faults(`${text}\nlayered_runtime: { layers: [ { name: s, static_layer: { my.shift: 20 } } ] }`).some(
        (line) => line.includes('layered_runtime.layers[0].static_layer["my.shift"]: is the runtime_key'),
      ),
    ).toBe(true);
  });

  it('sheds load as the overload manager says, in words of this proxy', () => {
    const { issues, notes, overload } = translate(`
overload_manager:
  refresh_interval: 0.5s
  resource_monitors:
    - name: heap
      typed_config: { "@type": type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig, max_heap_size_bytes: 1073741824 }
    - name: connections
      typed_config: { "@type": type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig, max_active_downstream_connections: 100 }
  actions:
    - { name: envoy.overload_actions.shrink_heap, triggers: [ { name: heap, threshold: { value: 0.9 } } ] }
    - { name: envoy.overload_actions.stop_accepting_requests, triggers: [ { name: heap, threshold: { value: 0.95 } } ] }
    - { name: envoy.overload_actions.disable_http_keepalive, triggers: [ { name: heap, scaled: { scaling_threshold: 0.8, saturation_threshold: 0.9 } } ] }
    - { name: envoy.overload_actions.stop_accepting_connections, triggers: [ { name: connections, threshold: { value: 1 } } ] }
`);
    expect(issues).toEqual([]);
    expect(notes).toHaveLength(1);
    expect(overload).toEqual({
      intervalMs: 500,
      limits: { memoryBytes: 1_073_741_824, downstreamConnections: 100 },
      actions: {
        'stop-accepting-requests': [{ resource: 'memory', threshold: 0.95 }],
        'disable-keepalive': [{ resource: 'memory', scaling: { from: 0.8, saturated: 0.9 } }],
        'stop-accepting-connections': [{ resource: 'downstream-connections', threshold: 1 }],
      },
    });
  });

  it('says who it is; flags win', () => {
    const text = 'node: { id: one, cluster: c, locality: { region: r, zone: z }, metadata: { a: 1 } }';
    expect(translate(text).node).toEqual({
      id: 'one',
      cluster: 'c',
      locality: { region: 'r', zone: 'z' },
      metadata: { a: 1 },
    });
    expect(translate(text, { serviceNode: 'two', serviceCluster: 'd', serviceZone: 'y' }).node).toMatchObject(
      { id: 'two', cluster: 'd', locality: { region: 'r', zone: 'y' } },
    );
  });

  it('says where it is among its like, by a static cluster', () => {
    const text = (name: string, node = ''): string =>
      `${node}
cluster_manager: { local_cluster_name: ${name} }
static_resources: { clusters: [ { name: proxies, type: STATIC } ] }`;
    const here = 'node: { locality: { zone: z } }';
    expect(translate(text('proxies', here))).toMatchObject({
      issues: [],
      zone: { cluster: 'proxies', locality: { region: '', zone: 'z' } },
    });
    expect(translate(text('proxies')).zone).toEqual({ cluster: 'proxies' });
    expect(translate(text('others')).issues.map(({ path }) => path)).toEqual([
      'cluster_manager.local_cluster_name',
    ]);
    expect(translate(text("''")).zone).toBeUndefined();
  });
});

describe('the dynamic resources', () => {
  const dynamic = (cluster: string, type = 'GRPC'): string => `
node: { id: one, cluster: c }
dynamic_resources:
  ads_config: { api_type: ${type}, transport_api_version: V3, grpc_services: [ { envoy_grpc: { cluster_name: ${cluster} } } ] }
  cds_config: { ads: {}, initial_fetch_timeout: 3s, resource_api_version: V3 }
  lds_config: { ads: {}, resource_api_version: V3 }
static_resources:${CLUSTERS}`;

  it('come by ADS from a static cluster', () => {
    const { issues, discovery } = translate(dynamic('a'));
    expect(issues).toEqual([]);
    expect(discovery).toMatchObject({
      ads: { cluster: 'a', addresses: [{ host: '127.0.0.1', port: 9001 }], api: 'state-of-the-world' },
      roots: { listener: { kind: 'ads' }, cluster: { kind: 'ads' } },
      fixed: { clusters: [{ resource: { name: 'a' } }] },
      initialFetchTimeoutMs: 3_000,
    });
    expect(translate(dynamic('a', 'DELTA_GRPC')).discovery?.ads?.api).toBe('delta');
  });

  it('need a cluster that is there, and somebody who asks', () => {
    expect(faults(dynamic('b'))[0]).toContain(
      'dynamic_resources.ads_config.grpc_services[0].envoy_grpc.cluster_name: names no cluster of static_resources: "b"',
    );
    expect(faults(dynamic('a').replace('node: { id: one, cluster: c }', ''))).toEqual([
      expect.stringContaining('node.id: is missing'),
      expect.stringContaining('node.cluster: is missing'),
    ]);
  });

  it('come from files, or from servers of their own, as each says', () => {
    const { issues, discovery } = translate(`
node: { id: one, cluster: c }
dynamic_resources:
  lds_config: { path_config_source: { path: /lds.yaml } }
  cds_config: { api_config_source: { api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [ { envoy_grpc: { cluster_name: a } } ] } }
static_resources:${CLUSTERS}`);
    expect(issues).toEqual([]);
    expect(discovery?.roots).toEqual({
      listener: { kind: 'file', path: '/lds.yaml' },
      cluster: { kind: 'grpc', server: { cluster: 'a' }, api: 'delta' },
    });
    expect(discovery?.ads).toBeUndefined();
    expect([...(discovery?.servers ?? [])]).toEqual([
      ['a', { cluster: 'a', addresses: [{ host: '127.0.0.1', port: 9001 }] }],
    ]);
  });

  it('may be what static ones need: routes and endpoints, each from its source', () => {
    const text = `
node: { id: one, cluster: c }
static_resources:${listener('a').replace(/route_config:[^]*?(?=\n {16}http_filters)/, 'rds: { route_config_name: r, config_source: { path_config_source: { path: /rds.yaml } } }')}${CLUSTERS}`;
    const { issues, discovery } = translate(text);
    expect(issues).toEqual([]);
    expect(discovery?.roots).toEqual({ listener: 'none', cluster: 'none' });
    expect(discovery?.fixed.listeners[0]?.needs).toEqual([
      { kind: 'route', name: 'r', source: { kind: 'file', path: '/rds.yaml' } },
    ]);
    expect(faults(text.replace('path_config_source: { path: /rds.yaml }', 'ads: {}'))).toEqual([
      expect.stringContaining('names ads as a source, but dynamic_resources.ads_config is missing'),
    ]);
  });
});

describe('any bootstrap', () => {
  it('is translated or refused, and never throws: damaged bytes of a real one too', () => {
    const { bootstrap } = readBootstrap({
      file: {
        name: 'envoy.yaml',
        text: `node: { id: one }\nstatic_resources:${listener('a', tls('{ name: cert }'))}${CLUSTERS}${SECRETS}`,
      },
    });
    const bytes = toBinary(BootstrapSchema, bootstrap);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (damage) => {
          const broken = Uint8Array.from(bytes);
          for (const [at, byte] of damage) broken[at] = byte;
          const text = readBootstrap({ file: { name: 'envoy.pb', bytes: broken } });
          for (const issue of translateBootstrap(text).issues) expect(describeIssue(issue)).not.toBe('');
        },
      ),
      { numRuns: 500 },
    );
  });
});
