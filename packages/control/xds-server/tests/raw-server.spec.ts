import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClusterDiscoveryService } from '@tulle/xds-proto/envoy/service/cluster/v3/cds';
import { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import {
  type DeltaDiscoveryResponse,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  ResourceSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { grpcService } from '@tulle/xds-proto/grpc';
import { createXdsServer, type ResourceInput, type XdsServer, type XdsServerEvent } from '../src/index.ts';
import { deltaRequest, openRaw, type RawDelta, type RawStream } from './raw-client.ts';

const PREFIX = 'type.googleapis.com/';
const CLUSTER = `${PREFIX}envoy.config.cluster.v3.Cluster`;
const ENDPOINT = `${PREFIX}envoy.config.endpoint.v3.ClusterLoadAssignment`;
const LISTENER = `${PREFIX}envoy.config.listener.v3.Listener`;
const ROUTE = `${PREFIX}envoy.config.route.v3.RouteConfiguration`;
const SECRET = `${PREFIX}envoy.extensions.transport_sockets.tls.v3.Secret`;
const ADS = { ads: {} };

const cluster = (name: string, more: object = {}): ResourceInput => ({ '@type': CLUSTER, name, ...more });
const eds = (name: string, more: object = {}): ResourceInput =>
  cluster(name, { type: 'EDS', eds_cluster_config: { eds_config: ADS }, ...more });
const endpoints = (name: string, port = 80): ResourceInput => ({
  '@type': ENDPOINT,
  cluster_name: name,
  endpoints: [
    {
      lb_endpoints: [
        { endpoint: { address: { socket_address: { address: '10.0.0.1', port_value: port } } } },
      ],
    },
  ],
});
const routes = (name: string, to: string): ResourceInput => ({
  '@type': ROUTE,
  name,
  virtual_hosts: [
    { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: to } }] },
  ],
});
/** What a proxyless gRPC client asks for. */
const apiListener = (name: string, routeName: string): ResourceInput => ({
  '@type': LISTENER,
  name,
  api_listener: {
    api_listener: {
      '@type': `${PREFIX}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      rds: { config_source: ADS, route_config_name: routeName },
    },
  },
});
const secret = (name: string): ResourceInput => ({
  '@type': SECRET,
  name,
  generic_secret: { secret: { inline_string: 'x' } },
});

const containing = (text: string): unknown => expect.stringContaining(text);
const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);

let server: XdsServer;
let events: XdsServerEvent[];
const opened: { close(): void }[] = [];

beforeEach(async () => {
  server = await createXdsServer();
  events = [];
  server.subscribe((event) => events.push(event));
});

afterEach(async () => {
  for (const stream of opened.splice(0)) stream.close();
  await server.close();
});

function delta(): RawDelta {
  const stream = openRaw(server.target, grpcService(AggregatedDiscoveryService).deltaAggregatedResources);
  opened.push(stream);
  return stream;
}

type Sotw = RawStream<DiscoveryRequest, DiscoveryResponse>;

function sotw(): Sotw {
  const stream = openRaw(server.target, grpcService(AggregatedDiscoveryService).streamAggregatedResources);
  opened.push(stream);
  return stream;
}

const ask = (stream: Sotw, fields: MessageInitShape<typeof DiscoveryRequestSchema>): void =>
  stream.send(create(DiscoveryRequestSchema, fields));
const named = ({ typeUrl, resources, removedResources }: DeltaDiscoveryResponse): unknown[] => [
  typeUrl.slice(typeUrl.lastIndexOf('.') + 1),
  resources.map(({ name }) => name),
  ...(removedResources.length > 0 ? [removedResources] : []),
];
const ack = (stream: RawDelta, { typeUrl, nonce }: DeltaDiscoveryResponse): void =>
  stream.send(deltaRequest({ typeUrl, responseNonce: nonce }));

/** Takes and acknowledges responses until nothing of these types is missing. */
async function takes(stream: RawDelta, count: number): Promise<unknown[]> {
  const got: unknown[] = [];
  for (let i = 0; i < count; i++) {
    const response = await stream.next();
    got.push(named(response));
    ack(stream, response);
  }
  return got;
}

describe('a client of raw resources', () => {
  it('gets them unchanged, by node, and the server knows when it has them', async () => {
    const message = create(ClusterSchema, { name: 'one', altStatName: 'unchanged' });
    server.setSnapshot('node', [message], { version: 'v1' });
    server.setSnapshot('*', [cluster('other')]);
    const stream = delta();
    stream.send(deltaRequest({ node: { id: 'node' }, typeUrl: CLUSTER }));
    const response = await stream.next();
    expect(response.systemVersionInfo).toBe('v1');
    expect(response.resources[0]?.resource).toMatchObject({
      typeUrl: CLUSTER,
      value: Buffer.from(toBinary(ClusterSchema, message)),
    });
    const acked = server.acked('node');
    ack(stream, response);
    expect(await acked).toMatchObject({ state: 'acked', version: 'v1', set: 'own', waitsFor: [] });
    expect(events.map(({ kind }) => kind)).toEqual(['connected', 'sent', 'acked']);

    server.put('node', cluster('two'));
    expect(await takes(stream, 1)).toEqual([['Cluster', ['two']]]);
    await server.acked('node');
    expect(server.delete('node', 'cluster', 'one')).toBe(true);
    expect(server.delete('node', 'clusters', 'one')).toBe(false);
    expect(await takes(stream, 1)).toEqual([['Cluster', [], ['one']]]);
    await server.acked('node');
  });

  it('gets what stands for every node, until it has a set of its own, and again after that', async () => {
    const stream = delta();
    stream.send(deltaRequest({ node: { id: 'node' }, typeUrl: CLUSTER }));
    await expect.poll(() => server.status('node').state).toBe('no set');
    server.setSnapshot('*', [cluster('common')]);
    expect(await takes(stream, 1)).toEqual([['Cluster', ['common']]]);
    await server.acked('*');
    server.setSnapshot('node', [cluster('own')]);
    expect(await takes(stream, 2)).toEqual([
      ['Cluster', ['own']],
      ['Cluster', [], ['common']],
    ]);
    server.clear('node');
    expect(await takes(stream, 2)).toEqual([
      ['Cluster', ['common']],
      ['Cluster', [], ['own']],
    ]);
    // Nothing stands for it now: it keeps what it has, and is told of the next set.
    server.clear('*');
    server.setSnapshot('*', [cluster('common'), cluster('more')]);
    expect(await takes(stream, 1)).toEqual([['Cluster', ['more']]]);
  });

  it('that refuses is told of, by event and to who waits, until it takes what is put next', async () => {
    server.setSnapshot('node', [cluster('bad')]);
    const stream = delta();
    stream.send(deltaRequest({ node: { id: 'node' }, typeUrl: CLUSTER }));
    const { nonce } = await stream.next();
    const waiting = server.acked('node');
    stream.send(
      deltaRequest({ typeUrl: CLUSTER, responseNonce: nonce, errorDetail: { message: 'no such type' } }),
    );
    await expect(waiting).rejects.toMatchObject({
      code: 'TULLE_XDS_NACKED',
      message: 'node refused "bad": no such type',
    });
    expect(events.at(-1)).toMatchObject({ kind: 'nacked', resources: ['bad'], message: 'no such type' });
    expect(server.status('node')).toMatchObject({
      state: 'nacked',
      resources: [{ name: 'bad', state: 'error', error: { message: 'no such type' } }],
    });
    server.setSnapshot('node', [cluster('bad', { alt_stat_name: 'better' })]);
    const mended = server.acked('node');
    expect(await takes(stream, 1)).toEqual([['Cluster', ['bad']]]);
    expect(await mended).toMatchObject({ state: 'acked' });
  });

  it('that refuses and asks no more is told of as well', async () => {
    server.setSnapshot('node', [apiListener('l', 'r'), routes('r', 'c'), cluster('c')]);
    const stream = delta();
    stream.send(deltaRequest({ node: { id: 'node' }, typeUrl: LISTENER, resourceNamesSubscribe: ['l'] }));
    await takes(stream, 1);
    stream.send(deltaRequest({ typeUrl: ROUTE, resourceNamesSubscribe: ['r'] }));
    const { nonce } = await stream.next();
    stream.send(
      deltaRequest({
        typeUrl: ROUTE,
        responseNonce: nonce,
        errorDetail: { message: 'no such path' },
        resourceNamesUnsubscribe: ['r'],
      }),
    );
    await expect(server.acked('node')).rejects.toThrow('node refused "route": no such path');
  });

  it('is waited for until it asked for all that its resources lead to', async () => {
    server.setSnapshot('node', [
      apiListener('greeter', 'r'),
      routes('r', 'c'),
      eds('c', { type: 'EDS' }),
      endpoints('c'),
    ]);
    await expect(server.acked('node', { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'TULLE_XDS_NOT_ACKED',
      message: containing('waits for a stream of node'),
    });
    const stream = delta();
    stream.send(
      deltaRequest({ node: { id: 'node' }, typeUrl: LISTENER, resourceNamesSubscribe: ['greeter'] }),
    );
    expect(await takes(stream, 1)).toEqual([['Listener', ['greeter']]]);
    await expect(server.acked('node', { timeoutMs: 50 })).rejects.toMatchObject({
      message: containing('the route "r", which it has not asked for'),
    });
    stream.send(deltaRequest({ typeUrl: ROUTE, resourceNamesSubscribe: ['r'] }));
    const acked = server.acked('node');
    expect(await takes(stream, 1)).toEqual([['RouteConfiguration', ['r']]]);
    expect((await acked).resources.map(({ name, state }) => [name, state])).toEqual([
      ['greeter', 'synced'],
      ['r', 'synced'],
    ]);
  });
});

describe('order', () => {
  it('is clusters, what makes them warm, listeners, routes; then what is gone, first what points', async () => {
    const first = [apiListener('l', 'r'), routes('r', 'a'), eds('a'), endpoints('a'), secret('s')];
    server.setSnapshot('node', first);
    const stream = delta();
    stream.send(deltaRequest({ node: { id: 'node' }, typeUrl: CLUSTER }));
    stream.send(deltaRequest({ typeUrl: LISTENER }));
    stream.send(deltaRequest({ typeUrl: ROUTE, resourceNamesSubscribe: ['r'] }));
    stream.send(deltaRequest({ typeUrl: ENDPOINT, resourceNamesSubscribe: ['a'] }));
    stream.send(deltaRequest({ typeUrl: SECRET, resourceNamesSubscribe: ['s', 't'] }));
    // The cluster is not answered, as Envoy does while it is not warm: endpoints and secrets come all the same.
    const unanswered = await stream.next();
    expect(named(unanswered)).toEqual(['Cluster', ['a']]);
    expect(await takes(stream, 2)).toEqual([
      ['ClusterLoadAssignment', ['a']],
      ['Secret', ['s'], ['t']],
    ]);
    ack(stream, unanswered);
    expect(await takes(stream, 2)).toEqual([
      ['Listener', ['l']],
      ['RouteConfiguration', ['r']],
    ]);
    await server.acked('node');

    server.setSnapshot('node', [apiListener('l', 'r'), routes('r', 'b'), cluster('b'), secret('s')]);
    expect(await takes(stream, 3)).toEqual([
      ['Cluster', ['b']],
      ['RouteConfiguration', ['r']],
      ['Cluster', [], ['a']],
    ]);
  });

  it('leaves a client what it uses until it has asked for all that it is led to', async () => {
    server.setSnapshot('node', [apiListener('l', 'r'), routes('r', 'a'), cluster('a')]);
    const stream = delta();
    const subscribe = (typeUrl: string, name: string, instead?: string): void =>
      stream.send(
        deltaRequest({
          typeUrl,
          resourceNamesSubscribe: [name],
          resourceNamesUnsubscribe: instead === undefined ? [] : [instead],
        }),
      );
    stream.send(deltaRequest({ node: { id: 'node' }, typeUrl: LISTENER, resourceNamesSubscribe: ['l'] }));
    await takes(stream, 1);
    subscribe(ROUTE, 'r');
    await takes(stream, 1);
    subscribe(CLUSTER, 'a');
    await takes(stream, 1);
    await server.acked('node');
    // As gRPC does: it answers, and asks for the next after.
    server.setSnapshot('node', [apiListener('l', 'q'), routes('q', 'b'), cluster('b')]);
    const got = await takes(stream, 1);
    subscribe(ROUTE, 'q', 'r');
    got.push(...(await takes(stream, 1)));
    subscribe(CLUSTER, 'b');
    got.push(...(await takes(stream, 2)));
    expect(got).toEqual([
      ['Listener', ['l']],
      ['RouteConfiguration', ['q']],
      ['Cluster', ['b']],
      ['Cluster', [], ['a']],
    ]);
    await server.acked('node');
  });

  it('sends endpoints again after their cluster changed, which a client waits for', async () => {
    server.setSnapshot('node', [eds('a'), endpoints('a')]);
    const stream = delta();
    stream.send(deltaRequest({ node: { id: 'node' }, typeUrl: CLUSTER }));
    stream.send(deltaRequest({ typeUrl: ENDPOINT, resourceNamesSubscribe: ['a'] }));
    await takes(stream, 2);
    await server.acked('node');
    server.put('node', eds('a', { connect_timeout: '1s' }));
    expect(await takes(stream, 2)).toEqual([
      ['Cluster', ['a']],
      ['ClusterLoadAssignment', ['a']],
    ]);
  });
});

describe('subscriptions', () => {
  it('of names and of all; a name that is given up under a wildcard is said once more', async () => {
    server.setSnapshot('node', [cluster('a'), cluster('b')]);
    const stream = delta();
    stream.send(
      deltaRequest({ node: { id: 'node' }, typeUrl: CLUSTER, resourceNamesSubscribe: ['*', 'a', 'none'] }),
    );
    expect(await takes(stream, 1)).toEqual([['Cluster', ['a', 'b'], ['none']]]);
    stream.send(deltaRequest({ typeUrl: CLUSTER, resourceNamesUnsubscribe: ['a'] }));
    expect(await takes(stream, 1)).toEqual([['Cluster', ['a']]]);
    stream.send(
      deltaRequest({ typeUrl: CLUSTER, resourceNamesUnsubscribe: ['*'], resourceNamesSubscribe: ['b'] }),
    );
    expect(await takes(stream, 1)).toEqual([['Cluster', ['b']]]);
    server.setSnapshot('node', [cluster('a', { alt_stat_name: 'x' }), cluster('b', { alt_stat_name: 'x' })]);
    expect(await takes(stream, 1)).toEqual([['Cluster', ['b']]]);
  });

  it('are taken up again after a reconnect without sending what the client has', async () => {
    server.setSnapshot('node', [cluster('a'), cluster('b')]);
    const stream = delta();
    stream.send(deltaRequest({ node: { id: 'node' }, typeUrl: CLUSTER }));
    const { resources } = await stream.next();
    stream.close();
    await expect.poll(() => server.status('node').state).toBe('disconnected');
    server.put('node', cluster('b', { alt_stat_name: 'new' }));
    const again = delta();
    again.send(
      deltaRequest({
        node: { id: 'node' },
        typeUrl: CLUSTER,
        initialResourceVersions: {
          ...Object.fromEntries(resources.map(({ name, version }) => [name, version])),
          gone: 'x',
        },
      }),
    );
    expect(await takes(again, 2)).toEqual([
      ['Cluster', ['b']],
      ['Cluster', [], ['gone']],
    ]);
    await server.acked('node');
  });

  it('over the service of one type need not name it, and may name no other', async () => {
    server.setSnapshot('node', [cluster('a')]);
    const { deltaClusters, streamClusters } = grpcService(ClusterDiscoveryService);
    const stream = openRaw(server.target, deltaClusters);
    opened.push(stream);
    stream.send(deltaRequest({ node: { id: 'node' } }));
    expect(await takes(stream, 1)).toEqual([['Cluster', ['a']]]);
    await server.acked('node');
    const other = openRaw(server.target, streamClusters);
    opened.push(other);
    ask(other, { node: { id: 'node' }, typeUrl: LISTENER });
    await expect(other.next()).rejects.toThrow(/This service has .*Cluster only, not .*Listener/);
  });
});

describe('the state of the world', () => {
  it('leaves out of clusters what is gone; of others says only what is new', async () => {
    server.setSnapshot('node', [eds('a'), cluster('b'), endpoints('a')], { version: 'v1' });
    const stream = sotw();
    ask(stream, { node: { id: 'node' }, typeUrl: CLUSTER });
    ask(stream, { typeUrl: ENDPOINT, resourceNames: ['a'] });
    const names = ({ typeUrl, resources }: DiscoveryResponse): unknown[] => [typeUrl, resources.length];
    const answer = ({ typeUrl, nonce, versionInfo }: DiscoveryResponse, resourceNames: string[] = []): void =>
      ask(stream, { typeUrl, responseNonce: nonce, versionInfo, resourceNames });
    const clusters = await stream.next();
    expect([names(clusters), clusters.versionInfo]).toEqual([[CLUSTER, 2], 'v1']);
    const set = await stream.next();
    expect(names(set)).toEqual([ENDPOINT, 1]);
    answer(clusters);
    answer(set, ['a']);
    await server.acked('node');
    server.setSnapshot('node', [eds('a'), endpoints('a')], { version: 'v2' });
    const less = await stream.next();
    expect([names(less), less.versionInfo]).toEqual([[CLUSTER, 1], 'v2']);
    const acked = server.acked('node');
    answer(less);
    await acked;
  });

  it('refused blames what was new in it', async () => {
    server.setSnapshot('node', [cluster('a')]);
    const stream = sotw();
    ask(stream, { node: { id: 'node' }, typeUrl: CLUSTER });
    const { nonce } = await stream.next();
    ask(stream, { typeUrl: CLUSTER, responseNonce: nonce });
    await server.acked('node');
    server.put('node', cluster('b'));
    const next = await stream.next();
    const acked = server.acked('node');
    ask(stream, { typeUrl: CLUSTER, responseNonce: next.nonce, errorDetail: { message: 'bad b' } });
    await expect(acked).rejects.toThrow('node refused "b": bad b');
  });
});

describe('what is put', () => {
  const refused = (run: () => unknown): readonly { path: string; message: string }[] => {
    try {
      run();
    } catch (error) {
      return (error as { issues: { path: string; message: string }[] }).issues;
    }
    return [];
  };

  it('is refused whole, with every fault and its place', () => {
    server.setSnapshot('node', [cluster('a')], { version: 'before' });
    const issues = refused(() =>
      server.setSnapshot('node', [
        cluster('b', { lb_polcy: 1, connectTimeout: 'soon', type: 'SOMETIMES' }),
        { '@type': `${PREFIX}envoy.no.such.Type` },
        cluster('c', { transport_socket: { typed_config: { '@type': SECRET, nam: 'x' } }, metadata: 7 }),
        cluster('c'),
        cluster(''),
        { name: 'x' },
        cluster('d', { load_assignment: { endpoints: {} }, type: 'EDS', cluster_type: { name: 'x' } }),
      ]),
    );
    expect(issues.map(({ path }) => path)).toEqual([
      '/resources/0/lb_polcy',
      '/resources/0/connectTimeout',
      '/resources/0/type',
      '/resources/1/@type',
      '/resources/2/transport_socket/typed_config/nam',
      '/resources/2/metadata',
      '/resources/4',
      '/resources/5/@type',
      '/resources/6/load_assignment/endpoints',
    ]);
    expect(issues.map(({ message }) => message)).toEqual([
      'is no field of envoy.config.cluster.v3.Cluster',
      containing('soon'),
      matching(/SOMETIMES.*it is one of STATIC, STRICT_DNS/),
      containing('envoy.no.such.Type" is no type that is known here'),
      'is no field of envoy.extensions.transport_sockets.tls.v3.Secret',
      'must be an object (envoy.config.core.v3.Metadata), but is a number',
      'has no name',
      containing('is missing'),
      'must be a list, but is an object',
    ]);
    expect(server.snapshot('node')?.version).toBe('before');
    expect(refused(() => server.setSnapshot('node', [cluster('a'), cluster('a')]))).toEqual([
      { path: '/resources/1', message: containing('each may be there once') },
    ]);
    expect(refused(() => server.put('node', { ...cluster('a'), name: 5 }))).toMatchObject([
      { path: '/name' },
    ]);
    expect(
      refused(() => server.put('node', cluster('d', { type: 'EDS', cluster_type: { name: 'x' } }))),
    ).toMatchObject([{ path: '', message: containing('oneof') }]);
  });

  it('names nothing that is not there, unless that is allowed', () => {
    const http = `${PREFIX}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`;
    const set = [
      {
        '@type': LISTENER,
        name: 'l',
        filter_chains: [
          {
            filters: [
              {
                name: 'http',
                typed_config: {
                  '@type': http,
                  rds: { config_source: ADS, route_config_name: 'r' },
                  http_filters: [{ name: 'ecds', config_discovery: { config_source: ADS } }],
                },
              },
            ],
            transport_socket: {
              name: 'tls',
              typed_config: {
                '@type': `${PREFIX}envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
                common_tls_context: { tls_certificate_sds_secret_configs: [{ name: 's', sds_config: ADS }] },
              },
            },
          },
        ],
      },
      routes('r2', 'c'),
      eds('d'),
      cluster('e', { type: 'EDS', eds_cluster_config: { eds_config: { path: '/x' } } }),
    ];
    expect(
      refused(() => server.setSnapshot('n', set)).map(({ path, message }) => `${path} ${message}`),
    ).toEqual([
      '/listener/l/filter_chains/0/filters/0/typed_config/rds/route_config_name names the route "r", which is not in the set',
      '/listener/l/filter_chains/0/filters/0/typed_config/http_filters/0/name names the extension "ecds", which is not in the set',
      '/listener/l/filter_chains/0/transport_socket/typed_config/common_tls_context/tls_certificate_sds_secret_configs/0/name names the secret "s", which is not in the set',
      '/route/r2/virtual_hosts/0/routes/0/route/cluster names the cluster "c", which is not in the set',
      '/cluster/d/eds_cluster_config names the endpoint "d", which is not in the set',
    ]);
    expect(server.setSnapshot('n', set, { missing: 'allow' }).version).toBeDefined();
    server.setSnapshot('m', [routes('r', 'c'), cluster('c')]);
    expect(refused(() => server.delete('m', 'cluster', 'c'))).toHaveLength(1);
    expect(server.delete('m', 'cluster', 'c', { missing: 'allow' })).toBe(true);
  });

  it('may be bytes of any type, with a name and a TTL beside them, and is shown as it was put', async () => {
    const typeUrl = `${PREFIX}example.Unknown`;
    const bytes = create(AnySchema, { typeUrl, value: Uint8Array.of(8, 1) });
    server.setSnapshot('n', [
      create(ResourceSchema, { name: 'thing', resource: bytes, ttl: { seconds: 5n } }),
      cluster('c', { lb_policy: 'RING_HASH' }),
    ]);
    expect(server.resource('n', 'example.Unknown', 'thing')).toMatchObject({ typeUrl, ttlMs: 5_000 });
    const stream = delta();
    stream.send(deltaRequest({ node: { id: 'n' }, typeUrl }));
    const [sent] = (await stream.next()).resources;
    expect([sent?.name, sent?.resource?.typeUrl, [...(sent?.resource?.value ?? [])]]).toEqual([
      'thing',
      typeUrl,
      [8, 1],
    ]);
    expect(server.resource('n', 'cluster', 'c')?.resource).toEqual(cluster('c', { lb_policy: 'RING_HASH' }));
    expect(refused(() => server.put('n', bytes))).toMatchObject([{ message: containing('no name') }]);
    expect(() => server.delete('n', 'klaster', 'c')).toThrow('"klaster" is no type of resources');
  });
});

it('listens in plain text for nobody but this machine, and on a socket for its user alone', async () => {
  await expect(createXdsServer({ listen: { host: '0.0.0.0' } })).rejects.toMatchObject({
    code: 'TULLE_CONFIG_INVALID',
    message: containing('"0.0.0.0" is not'),
  });
  const directory = await mkdtemp(join(tmpdir(), 'tulle-raw-'));
  try {
    const path = join(directory, 'xds.sock');
    writeFileSync(path, '');
    await expect(createXdsServer({ listen: { path } })).rejects.toThrow('exists and is no socket');
    rmSync(path);
    // What a killed process leaves behind is no hindrance, one that listens is.
    const killed = spawnSync(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ]);
    expect([killed.signal, existsSync(path)]).toEqual(['SIGKILL', true]);
    await using one = await createXdsServer({ listen: { path } });
    await expect(createXdsServer({ listen: { path } })).rejects.toThrow('another process listens');
    expect(one.target).toBe(`unix:${path}`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    one.setSnapshot('*', [cluster('a')]);
    const stream = openRaw(one.target, grpcService(AggregatedDiscoveryService).deltaAggregatedResources);
    opened.push(stream);
    stream.send(deltaRequest({ node: { id: 'n' }, typeUrl: CLUSTER }));
    expect(named(await stream.next())).toEqual(['Cluster', ['a']]);
    stream.close();
  } finally {
    await rm(directory, { recursive: true });
  }
});
