import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Cluster, Listener, ProxyConfig } from '@tulle/model';
import { createResourceDecoder, type Decoded, type SourceOptions } from '../src/index.ts';
import type { TypeServer } from './type-server.ts';
import { endpointsAt, routesTo } from './fixtures.ts';
import {
  anyOf,
  apiSource,
  at,
  client,
  clients,
  cluster,
  directory,
  endpoints,
  file,
  fileSource,
  grpc,
  listener,
  portOf,
  routes,
  server,
  typed,
  warnings,
  write,
  useSources,
} from './sources-kit.ts';

useSources();

describe('files', () => {
  const roots = (): Partial<SourceOptions> => ({
    roots: { listener: file('lds.json'), cluster: file('cds.json') },
  });

  beforeEach(async () => {
    await write('lds.json', listener('in', 'r', fileSource('rds.json')));
    await write('cds.json', cluster('a', fileSource('eds.json')));
    await write('rds.json', routes('r', 'a'));
    await write('eds.json', endpoints('a', 1), endpoints('other', 7));
  });

  it('give a configuration, each kind its own', async () => {
    const { config } = await client(roots());
    const first = await config(({ listeners, endpoints: sets }) => listeners.length > 0 && sets.length > 0);
    expect(first.listeners.map(({ name }) => name)).toEqual(['in']);
    expect(first.routes.map(({ name }) => name)).toEqual(['r']);
    expect(first.endpoints.map(({ name }) => name)).toEqual(['a']);
  });

  it('are read again when they are replaced, and what is gone from them goes', async () => {
    const { config } = await client(roots());
    await config((one) => portOf(one) === 1);
    await write('eds.json', endpoints('a', 2), endpoints('other', 7));
    await config((one) => portOf(one) === 2);
    await write('cds.json', cluster('a', fileSource('eds.json')), cluster('other', fileSource('eds.json')));
    await config(({ clusters }) => clusters.length === 2);
    await write('cds.json', cluster('a', fileSource('eds.json')));
    await config(({ clusters }) => clusters.length === 1 && portOf(clients[0]!.configs.at(-1)!) === 2);
  });

  it('that are broken leave the last good one, and say why', async () => {
    const { config, xds } = await client(roots());
    await config((one) => portOf(one) === 1);
    await writeFile(join(directory, 'eds.json'), '{ "resources": [');
    await expect.poll(() => xds.state().lastError).toMatch(/eds\.json: .*JSON/);
    await write('cds.json', { ...cluster('a', fileSource('eds.json')), upstream_config: { name: 'x' } });
    await expect.poll(() => warnings.join('\n')).toMatch(/cluster \\"a\\": upstream_config: /);
    expect(portOf(clients[0]!.configs.at(-1)!)).toBe(1);
    await write('eds.json', endpoints('a', 3));
    await config((one) => portOf(one) === 3);
  });

  it('that come later are waited for', async () => {
    await rm(join(directory, 'eds.json'));
    const { config } = await client(roots(), { initialFetchTimeoutMs: 0 });
    await expect.poll(() => clients[0]!.xds.state().warming).toEqual(['cluster a']);
    await write('eds.json', endpoints('a', 4));
    await config((one) => portOf(one) === 4);
  });

  it('in a directory that is swapped by a symbolic link are seen', async () => {
    for (const [name, port] of [
      ['one', 5],
      ['two', 6],
    ] as const) {
      await mkdir(join(directory, name));
      await writeFile(
        join(directory, name, 'eds.json'),
        JSON.stringify({ resources: [endpoints('a', port)] }),
      );
    }
    await symlink('one', join(directory, '..data'));
    const watched = {
      path_config_source: {
        path: join(directory, '..data', 'eds.json'),
        watched_directory: { path: directory },
      },
    };
    await write('cds.json', cluster('a', watched));
    const { config } = await client(roots());
    await config((one) => portOf(one) === 5);
    await symlink('two', join(directory, '..new'));
    await rename(join(directory, '..new'), join(directory, '..data'));
    await config((one) => portOf(one) === 6);
  });
});

describe.each(['delta', 'state-of-the-world'] as const)('a stream for each type, %s,', (api) => {
  const roots = { listener: grpc(api), cluster: grpc(api) } as const;
  const short = api === 'delta' ? 'delta' : 'world';

  async function full(): Promise<TypeServer> {
    const one = await server();
    one.putAny('listener', 'in', anyOf(listener('in', 'r', { resource_api_version: 'V3', self: {} })));
    one.putAny('cluster', 'a', anyOf(cluster('a', apiSource(api))));
    one.put('route', routesTo('r', 'a'));
    one.put('endpoint', endpointsAt('a', 1));
    return one;
  }

  it('gives a configuration, and every change', async () => {
    const one = await full();
    const { config } = await client({ roots, server: at(one.port) });
    await config((now) => now.routes.length === 1 && now.listeners.length === 1 && portOf(now) === 1);
    expect(one.opened.toSorted()).toEqual(
      ['cluster', 'endpoint', 'listener', 'route'].map((kind) => `${kind} ${short}`),
    );
    one.put('endpoint', endpointsAt('a', 2));
    await config((now) => portOf(now) === 2);
    one.put('route', routesTo('r'));
    await config((now) => now.routes[0]?.virtualHosts[0]?.routes[0]?.action.kind === 'forward');
    one.remove('listener', 'in');
    await config((now) => now.listeners.length === 0);
    expect(one.nacks).toEqual([]);
  });

  it('is opened again when it is lost; until then everything stays', async () => {
    const one = await full();
    const { config, configs, xds } = await client({ roots, server: at(one.port) });
    await config((now) => now.listeners.length === 1 && portOf(now) === 1);
    one.kill();
    await expect.poll(() => xds.state().connected).toBe(false);
    expect(configs.at(-1)?.listeners).toHaveLength(1);
    const two = await server(one.port, one);
    two.put('endpoint', endpointsAt('a', 9));
    await config((now) => portOf(now) === 9);
    await expect.poll(() => xds.state().connected).toBe(true);
    expect(configs.at(-1)?.listeners).toHaveLength(1);
  });

  it('is told what is refused, and why', async () => {
    const one = await full();
    const { config } = await client({ roots, server: at(one.port) });
    await config((now) => portOf(now) === 1);
    one.putAny('cluster', 'a', anyOf({ ...cluster('a', apiSource(api)), upstream_config: { name: 'x' } }));
    await expect.poll(() => one.nacks).toEqual([expect.stringMatching(/^cluster "a": upstream_config: /)]);
  });
});

describe('what is fixed', () => {
  const decoder = createResourceDecoder();
  const decoded = <Kind extends 'listener' | 'cluster'>(
    kind: Kind,
    json: JsonObject,
  ): Extract<Decoded<Kind>, { ok: true }> => {
    const result = decoder.decode(kind, anyOf(json), grpc('delta'));
    if (!result.ok) throw new Error(JSON.stringify(result.issues));
    return result;
  };
  const fixedOf = (
    listeners: readonly JsonObject[],
    clusters: readonly JsonObject[],
  ): NonNullable<SourceOptions['fixed']> => ({
    listeners: listeners.map((json): { resource: Listener } => decoded('listener', json)),
    clusters: clusters.map((json): { resource: Cluster } => decoded('cluster', json)),
  });

  it('is there before any server answers, as far as it needs none', async () => {
    const fixed = fixedOf([], [typed('envoy.config.cluster.v3.Cluster', { name: 'xds' })]);
    const { configs, xds } = await client({
      roots: { listener: grpc('delta'), cluster: grpc('delta') },
      fixed,
    });
    await xds.configured();
    expect(configs.at(-1)?.clusters.map(({ name }) => name)).toEqual(['xds']);
  });

  it('waits for what it needs, from where it says, and cannot be taken over', async () => {
    const one = await server();
    const fixed = fixedOf(
      [listener('in', 'r', fileSource('rds.json'))],
      [cluster('a', apiSource('delta')), cluster('b', apiSource('state-of-the-world'))],
    );
    const { config } = await client({
      roots: { listener: 'none', cluster: grpc('delta') },
      fixed,
      server: at(one.port),
    });
    await expect
      .poll(() => clients[0]!.xds.state().warming)
      .toEqual(['cluster a', 'cluster b', 'listener in']);
    await write('rds.json', routes('r', 'a'));
    one.put('endpoint', endpointsAt('a', 1));
    one.put('endpoint', endpointsAt('b', 2));
    await config((now) => portOf(now) === 1 && portOf(now, 'b') === 2 && now.listeners.length === 1);
    expect(new Set(one.opened)).toEqual(new Set(['cluster delta', 'endpoint delta', 'endpoint world']));
    one.putAny('cluster', 'a', anyOf(typed('envoy.config.cluster.v3.Cluster', { name: 'a' })));
    await expect.poll(() => one.nacks).toEqual(['cluster "a": has the name of a static one, which stays']);
    one.putAny('cluster', 'c', anyOf(typed('envoy.config.cluster.v3.Cluster', { name: 'c' })));
    const last = await config(({ clusters }) => clusters.length === 3);
    expect(last.clusters.find(({ name }) => name === 'a')?.discovery.kind).toBe('eds');
  });

  it('gives up waiting after initial_fetch_timeout', async () => {
    const fixed = fixedOf(
      [listener('in', 'r', { ...fileSource('none.json'), initial_fetch_timeout: '0.05s' })],
      [],
    );
    const { config } = await client({ roots: { listener: 'none', cluster: 'none' }, fixed });
    const without = await config(({ listeners }) => listeners.length === 1);
    expect(without.routes).toEqual([{ name: 'r', virtualHosts: [] }]);
  });
});

describe.each(['delta', 'state-of-the-world'] as const)('secrets, %s,', (api) => {
  const socket = 'envoy.extensions.transport_sockets.tls.v3';
  const tlsCluster = (name: string, ...secrets: readonly string[]): JsonObject =>
    typed('envoy.config.cluster.v3.Cluster', {
      name,
      transport_socket: {
        name: 'tls',
        typed_config: typed(`${socket}.UpstreamTlsContext`, {
          common_tls_context: {
            tls_certificate_sds_secret_configs: secrets.map((secret) => ({
              name: secret,
              sds_config: apiSource(api),
            })),
            combined_validation_context: {
              default_validation_context: {
                match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: 'a.example' } }],
              },
              validation_context_sds_secret_config: { name: 'roots', sds_config: fileSource('roots.json') },
            },
          },
        }),
      },
    });
  const certificate = (name: string, text: string): JsonObject =>
    typed(`${socket}.Secret`, {
      name,
      tls_certificate: {
        certificate_chain: { inline_string: text },
        private_key: { inline_string: `${text} key` },
      },
    });
  const roots = (name: string, text: string): JsonObject =>
    typed(`${socket}.Secret`, { name, validation_context: { trusted_ca: { inline_string: text } } });

  it('are put where they are named, and follow every change; without them nothing speaks TLS', async () => {
    const one = await server();
    one.putAny('cluster', 'a', anyOf(tlsCluster('a', 'mine')));
    one.putAny('cluster', 'b', anyOf(typed('envoy.config.cluster.v3.Cluster', { name: 'b' })));
    const { config } = await client({
      roots: { listener: 'none', cluster: grpc(api) },
      server: at(one.port),
    });
    const without = await config(({ clusters }) => clusters.length > 0);
    expect(without.clusters.map(({ name }) => name)).toEqual(['b']);
    await write('roots.json', roots('roots', 'R1'));
    one.putAny('secret', 'mine', anyOf(certificate('mine', 'C1')));
    const tlsOf = (now: ProxyConfig): Cluster['tls'] => now.clusters.find(({ name }) => name === 'a')?.tls;
    const first = tlsOf(await config((now) => tlsOf(now) !== undefined));
    expect(first).toMatchObject({
      certificate: { kind: 'inline', certificatePem: 'C1', keyPem: 'C1 key' },
      trust: { kind: 'inline', caPem: 'R1' },
    });
    expect(JSON.stringify(first)).toContain('a.example');
    one.putAny('secret', 'mine', anyOf(certificate('mine', 'C2')));
    await config((now) => JSON.stringify(tlsOf(now) ?? {}).includes('C2 key'));
    await write('roots.json', roots('roots', 'R2'));
    await config((now) => JSON.stringify(tlsOf(now) ?? {}).includes('R2'));
    expect(one.nacks).toEqual([]);
  });

  it('that do not fit are refused, and the last good one stays', async () => {
    const one = await server();
    await write('roots.json', roots('roots', 'R1'));
    one.putAny('cluster', 'a', anyOf(tlsCluster('a', 'mine')));
    one.putAny('secret', 'mine', anyOf(certificate('mine', 'C1')));
    const { config, configs } = await client({
      roots: { listener: 'none', cluster: grpc(api) },
      server: at(one.port),
    });
    await config(({ clusters }) => clusters.length === 1);
    one.putAny('secret', 'mine', anyOf(roots('mine', 'R9')));
    await expect
      .poll(() => one.nacks.at(-1))
      .toMatch(/secret "mine": cluster "a": .*holds no tls_certificate/);
    one.putAny('secret', 'mine', anyOf(typed(`${socket}.Secret`, { name: 'mine', tls_certificate: {} })));
    await expect
      .poll(() => one.nacks.at(-1))
      .toBe(
        'secret "mine": tls_certificate.certificate_chain: is missing; tls_certificate.private_key: is missing',
      );
    expect(JSON.stringify(configs.at(-1)?.clusters)).toContain('C1 key');
    one.putAny('secret', 'mine', anyOf(certificate('mine', 'C3')));
    await config(({ clusters }) => JSON.stringify(clusters).includes('C3 key'));
  });
});

describe('names that say their authority', () => {
  const name = (type: string, id: string): string => `xdstp://example/envoy.config.${type}/${id}`;
  const LISTENERS = name('listener.v3.Listener', 'edge/');
  const ROUTES = name('route.v3.RouteConfiguration', 'shop?env=prod&zone=a');
  const ENDPOINTS = name('endpoint.v3.ClusterLoadAssignment', 'a');

  it('come from there: a whole directory of listeners, and routes and endpoints by name', async () => {
    const one = await server();
    const { config_source: _, ...rds } = {
      config_source: 0,
      route_config_name: name('route.v3.RouteConfiguration', 'shop?zone=a&env=prod'),
    };
    const json = JSON.parse(
      JSON.stringify(listener('in', 'r', {})).replace(/"rds":\{[^}]*\{\}\}/, `"rds":${JSON.stringify(rds)}`),
    ) as JsonObject;
    one.putAny('listener', `${LISTENERS}in`, anyOf(json));
    one.putAny('listener', 'xdstp://example/envoy.config.listener.v3.Listener/other/out', anyOf(json));
    one.putAny('route', ROUTES, anyOf(routes('r', 'a')));
    one.putAny('endpoint', ENDPOINTS, anyOf(endpoints(ENDPOINTS, 4)));
    one.putAny(
      'cluster',
      'a',
      anyOf(
        typed('envoy.config.cluster.v3.Cluster', {
          name: 'a',
          type: 'EDS',
          eds_cluster_config: { service_name: ENDPOINTS },
        }),
      ),
    );
    const { config } = await client(
      {
        roots: {
          listener: { collection: `${LISTENERS}*`, source: grpc('delta') },
          cluster: grpc('delta'),
        },
        server: at(one.port),
      },
      { decode: { authorities: new Map([['example', grpc('delta')]]) } },
    );
    const got = await config(
      (now) => now.routes.length === 1 && now.endpoints.length === 1 && now.listeners.length === 1,
    );
    expect(got.listeners.map((item) => item.name)).toEqual([`${LISTENERS}in`]);
    expect(got.routes.map((item) => item.name)).toEqual([ROUTES]);
    expect(one.nacks).toEqual([]);
  });

  it('are refused where nobody knows the authority', async () => {
    const one = await server();
    one.putAny(
      'cluster',
      'a',
      anyOf(
        typed('envoy.config.cluster.v3.Cluster', {
          name: 'a',
          type: 'EDS',
          eds_cluster_config: { service_name: ENDPOINTS },
        }),
      ),
    );
    await client({ roots: { listener: 'none', cluster: grpc('delta') }, server: at(one.port) });
    await expect
      .poll(() => one.nacks)
      .toEqual([
        'cluster "a": eds_cluster_config.eds_config: names no source, and the name has an authority that nobody knows: "example"',
      ]);
  });
});

describe('without sources', () => {
  it('a resource that names another one than ADS is refused with the path', () => {
    const decoded = createResourceDecoder().decode('cluster', anyOf(cluster('a', apiSource('delta'))));
    expect(decoded).toEqual({
      ok: false,
      issues: [
        {
          path: 'eds_cluster_config.eds_config',
          message: 'must be ads: this proxy discovers everything over one stream',
        },
      ],
    });
  });
});
