import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { create } from '@bufbuild/protobuf';
import { Client, credentials } from '@grpc/grpc-js';
import { isUnixAddress } from '@tulle/model';
import { ClientResourceStatus } from '@tulle/xds-proto/envoy/admin/v3/config_dump_shared';
import {
  ClientStatusDiscoveryService,
  ClientStatusRequestSchema,
  type ClientStatusResponse,
} from '@tulle/xds-proto/envoy/service/status/v3/csds';
import { grpcService } from '@tulle/xds-proto/grpc';
import { createXdsServer } from '@tulle/xds-server';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type EnvoyProxy, startEnvoyProxy } from '../src/envoy-proxy.ts';
import { BootstrapError } from '../src/load-bootstrap.ts';
import { writeCertificates } from './certificates.ts';

const directory = mkdtempSync(join(tmpdir(), 'tep-')); // short: sockets lie below it
const log = { debug() {}, info() {}, warn() {}, error() {} };
let service: Server;
let servicePort = 0;
const running: EnvoyProxy[] = [];

beforeAll(async () => {
  await writeCertificates(directory);
  service = createServer((req, res) => void res.end(`service ${req.url}\n`));
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  servicePort = (service.address() as AddressInfo).port;
});
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.stop(0);
});
afterAll(() => {
  service.closeAllConnections();
  service.close();
  rmSync(directory, { recursive: true, force: true });
});

const LISTENER = (port: number, more = ''): string => `
    - name: front
      address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
      filter_chains:
        - filters:
            - name: hcm
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: front
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes:
                        - { match: { path: "/hello" }, direct_response: { status: 200, body: { inline_string: GREETING } } }
                        - { match: { prefix: "/" }, route: { cluster: service } }
                http_filters:
                  - name: router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
${more}`;
const CLUSTER = (name: string, port: number): string => `
    - name: ${name}
      type: STATIC
      connect_timeout: 1s
      load_assignment: { cluster_name: ${name}, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } } ] } ] }
`;
const ADMIN = 'admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }\n';
const bootstrap = (greeting: string, more = ''): string =>
  `${ADMIN}static_resources:\n  listeners:${LISTENER(0, more).replace('GREETING', greeting)}  clusters:${CLUSTER('service', servicePort)}`;

async function start(
  text: string,
  options: Parameters<typeof startEnvoyProxy>[0] = {},
): Promise<{ proxy: EnvoyProxy; file: string }> {
  const file = join(directory, `bootstrap-${Math.random().toString(36).slice(2)}.yaml`);
  writeFileSync(file, text);
  const proxy = await startEnvoyProxy({
    configPath: file,
    runDir: join(directory, 'r'),
    log,
    say() {},
    logLevel: 'error',
    ...options,
  });
  running.push(proxy);
  return { proxy, file };
}

interface Said {
  readonly status: number;
  readonly body: string;
  readonly type: string;
}

/** Over a connection of its own, so that several engine processes get their share. */
async function ask(port: number, path: string, method = 'GET'): Promise<Said> {
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, path, method, agent: false }, (res) => {
      let body = '';
      res.setEncoding('utf8').on('data', (piece: string) => void (body += piece));
      res.on('end', () =>
        resolve({ status: res.statusCode ?? 0, body, type: res.headers['content-type'] ?? '' }),
      );
    });
    req.on('error', reject);
    req.end();
  });
}

function portOf(proxy: EnvoyProxy): number {
  const [first] = proxy.listening();
  if (first === undefined || isUnixAddress(first)) throw new Error('it does not listen');
  return first.port;
}

const adminOf = ({ admin }: EnvoyProxy): number =>
  admin === undefined || isUnixAddress(admin) ? 0 : admin.port;

async function until<T>(probe: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  const deadlineMs = performance.now() + 15_000;
  for (;;) {
    const value = await probe().catch((error: unknown) => error as T);
    if (good(value)) return value;
    if (performance.now() > deadlineMs) throw new Error(`still ${JSON.stringify(value)} after 15 s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('a proxy of two engine processes', () => {
  it('serves, and its admin interface has one view in Envoy’s shapes', async () => {
    const { proxy } = await start(bootstrap('hi'), { workers: 2 });
    const port = portOf(proxy);
    const admin = adminOf(proxy);
    for (let i = 0; i < 8; i++)
      expect(await ask(port, `/n${i}`)).toMatchObject({ status: 200, body: `service /n${i}\n` });

    expect(await ask(admin, '/ready')).toMatchObject({ status: 200, body: 'LIVE\n' });
    expect((await ask(admin, '/listeners')).body).toBe(`front::127.0.0.1:${port}\n`);
    expect(JSON.parse((await ask(admin, '/listeners?format=json')).body)).toEqual({
      listener_statuses: [
        { name: 'front', local_address: { socket_address: { address: '127.0.0.1', port_value: port } } },
      ],
    });
    const info = JSON.parse((await ask(admin, '/server_info')).body) as Record<
      string,
      Record<string, unknown>
    >;
    expect(info).toMatchObject({ state: 'LIVE', command_line_options: { concurrency: 2 } });

    const clusters = (await ask(admin, '/clusters')).body;
    expect(clusters).toContain(`service::127.0.0.1:${servicePort}::rq_total::8\n`);
    expect(clusters).toContain('service::added_via_api::false\n');
    expect(clusters).toContain(`service::127.0.0.1:${servicePort}::health_flags::healthy\n`);
    const json = JSON.parse((await ask(admin, '/clusters?format=json')).body) as {
      cluster_statuses: readonly { name: string; host_statuses: readonly { stats: readonly unknown[] }[] }[];
    };
    expect(json.cluster_statuses[0]?.host_statuses[0]?.stats).toContainEqual({
      name: 'rq_total',
      value: '8',
    });

    const stats = (await ask(admin, '/stats')).body;
    expect(stats).toMatch(/^cluster\.service\.upstream_rq_2xx: 8$/m);
    expect(stats).toMatch(/^cluster\.service\.membership_total: 1$/m);
    expect(stats).toMatch(/^http\.front\.downstream_rq_2xx: 8$/m);
    expect(stats).toMatch(new RegExp(`^listener\\.127\\.0\\.0\\.1_${port}\\.downstream_cx_total: 8$`, 'm'));
    expect(stats).toMatch(/^server\.live: 1$/m);
    expect(stats).toMatch(/^cluster\.service\.upstream_rq_time: P0\(nan,.*\) P25\(nan,/m);
    expect((await ask(admin, '/stats?filter=upstream_rq_2xx$&usedonly')).body).toBe(
      'cluster.service.upstream_rq_2xx: 8\n',
    );
    expect((await ask(admin, '/stats/prometheus')).body).toContain(
      'envoy_cluster_upstream_rq_xx{envoy_cluster_name="service",envoy_response_code_class="2"} 8\n',
    );
    expect(await ask(admin, '/stats?filter=(')).toMatchObject({
      status: 400,
      body: expect.stringMatching(/^Invalid re2 regex/) as string,
    });

    expect(await ask(admin, '/quitquitquit')).toMatchObject({ status: 405 });
    expect(await ask(admin, '/nothing')).toMatchObject({
      status: 404,
      body: expect.stringMatching(/^invalid path/) as string,
    });
    expect(await ask(admin, '/logging?level=warning', 'POST')).toMatchObject({ status: 200 });
    expect(await ask(admin, '/healthcheck/fail', 'POST')).toMatchObject({ body: 'OK\n' });
    expect(await ask(admin, '/ready')).toMatchObject({ status: 503, body: 'DRAINING\n' });
    expect(await ask(admin, '/healthcheck/ok', 'POST')).toMatchObject({ body: 'OK\n' });
    expect(await ask(admin, '/ready')).toMatchObject({ status: 200 });
    expect(await ask(admin, '/drain_listeners', 'POST')).toMatchObject({ status: 200, body: 'OK\n' });
    expect(await ask(admin, '/ready')).toMatchObject({ status: 503 });
    expect(await ask(admin, '/quitquitquit', 'POST')).toMatchObject({ status: 200 });
    await proxy.quit;
  }, 60_000);

  it('shows what it was given, by part and mask, and no secret', async () => {
    const key = '-----BEGIN PRIVATE KEY-----\\nverysecret\\n-----END PRIVATE KEY-----';
    const { proxy } = await start(
      `${bootstrap('hi')}  secrets: [ { name: s, tls_certificate: { certificate_chain: { inline_string: chain }, private_key: { inline_string: "${key}" } } } ]\n`,
    );
    const admin = adminOf(proxy);
    const dump = await ask(admin, '/config_dump?include_eds');
    expect(dump.type).toBe('application/json');
    const { configs } = JSON.parse(dump.body) as { configs: readonly Record<string, unknown>[] };
    expect(configs.map((one) => String(one['@type']).split('.').at(-1))).toEqual([
      'BootstrapConfigDump',
      'ClustersConfigDump',
      'EndpointsConfigDump',
      'ListenersConfigDump',
      'ScopedRoutesConfigDump',
      'RoutesConfigDump',
      'SecretsConfigDump',
    ]);
    expect(dump.body).not.toContain('verysecret');
    expect(dump.body).toContain('[redacted]');
    const part = JSON.parse(
      (await ask(admin, '/config_dump?resource=static_clusters&mask=cluster.name')).body,
    ) as unknown;
    expect(part).toEqual({
      configs: [
        {
          '@type': 'type.googleapis.com/envoy.admin.v3.ClustersConfigDump.StaticCluster',
          cluster: { '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster', name: 'service' },
        },
      ],
    });
    expect(await ask(admin, '/config_dump?resource=nothing')).toMatchObject({ status: 404 });
  }, 60_000);
});

describe('what changes while it runs', () => {
  it('a bootstrap that is read again is in use at once; one that cannot be used changes nothing and says why', async () => {
    const { proxy, file } = await start(bootstrap('one'));
    expect(await ask(portOf(proxy), '/hello')).toMatchObject({ body: 'one' });
    writeFileSync(file, bootstrap('two'));
    await proxy.reload();
    expect(await ask(portOf(proxy), '/hello')).toMatchObject({ body: 'two' });
    writeFileSync(
      file,
      bootstrap('three').replace('type: STATIC', 'type: STATIC\n      track_timeout_budgets: true'),
    );
    await expect(proxy.reload()).rejects.toThrow(/static_resources\.clusters\[0\].track_timeout_budgets/);
    writeFileSync(file, bootstrap('four').replace('prefix: "/"', 'safe_regex: { regex: "(" }'));
    await expect(proxy.reload()).rejects.toBeInstanceOf(BootstrapError);
    expect(await ask(portOf(proxy), '/hello')).toMatchObject({ body: 'two' });
  }, 60_000);

  it('a certificate of a file of secrets is shown from the next connection on', async () => {
    const secrets = join(directory, 'sds-live.yaml');
    const secretsFor = (certificates: string): string => `resources:
  - "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
    name: live
    tls_certificate: { certificate_chain: { filename: ${certificates}/server.pem }, private_key: { filename: ${certificates}/server-key.pem } }
`;
    writeFileSync(secrets, secretsFor(directory));
    const refused = Promise.withResolvers<void>();
    const { proxy } = await start(
      `node: { id: one, cluster: c }\n` +
        bootstrap(
          'hi',
          `
          transport_socket:
            name: tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context: { tls_certificate_sds_secret_configs: [ { name: live, sds_config: { path_config_source: { path: ${secrets} } } } ] }
`,
        ),
      { log: { ...log, warn: () => refused.resolve() } },
    );
    const shown = async (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port: portOf(proxy), rejectUnauthorized: false }, () => {
          resolve(socket.getPeerCertificate().fingerprint256);
          socket.destroy();
        });
        socket.on('error', reject);
      });
    const before = await shown();
    const other = mkdtempSync(join(directory, 'c-'));
    await writeCertificates(other);
    writeFileSync(`${secrets}.new`, secretsFor(other));
    renameSync(`${secrets}.new`, secrets);
    const after = await until(shown, (now) => now !== before);
    // A broken file keeps what was good.
    writeFileSync(secrets, 'resources: [');
    await refused.promise;
    expect(await shown()).toBe(after);
  }, 60_000);
});

describe('what is discovered', () => {
  const listener = {
    '@type': 'type.googleapis.com/envoy.config.listener.v3.Listener',
    name: 'discovered',
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [
      {
        filters: [
          {
            name: 'hcm',
            typed_config: {
              '@type':
                'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              stat_prefix: 'discovered',
              rds: { route_config_name: 'routes', config_source: { ads: {}, resource_api_version: 'V3' } },
              http_filters: [
                {
                  name: 'router',
                  typed_config: {
                    '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
                  },
                },
              ],
            },
          },
        ],
      },
    ],
  };
  const routes = (body: string): Record<string, unknown> => ({
    '@type': 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
    name: 'routes',
    virtual_hosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [{ match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: body } } }],
      },
    ],
  });

  it.each(['GRPC', 'DELTA_GRPC'])(
    'by ADS (%s) from a static cluster serves beside what is static',
    async (api) => {
      await using server = await createXdsServer();
      server.setSnapshot('one', [listener, routes('first')]);
      const { proxy } = await start(
        `node: { id: one, cluster: c }
dynamic_resources:
  ads_config: { api_type: ${api}, transport_api_version: V3, grpc_services: [ { envoy_grpc: { cluster_name: xds } } ] }
  lds_config: { ads: {}, resource_api_version: V3 }
  cds_config: { ads: {}, resource_api_version: V3 }
${bootstrap('static')}${CLUSTER('xds', Number(server.target.split(':')[1]))}`,
      );
      const admin = adminOf(proxy);
      await server.acked('one');
      expect(
        await until(
          async () => ask(admin, '/ready'),
          ({ status }) => status === 200,
        ),
      ).toMatchObject({ body: 'LIVE\n' });
      const lines = (await ask(admin, '/listeners')).body.trim().split('\n').toSorted();
      expect(lines.map((line) => line.split('::')[0])).toEqual(['discovered', 'front']);
      const [discovered = 0, front = 0] = lines.map((line) => Number(line.split(':').at(-1)));
      expect(await ask(front, '/hello')).toMatchObject({ body: 'static' });
      expect(await ask(discovered, '/')).toMatchObject({ body: 'first' });
      server.setSnapshot('one', [listener, routes('second')]);
      await server.acked('one');
      expect(await ask(discovered, '/')).toMatchObject({ body: 'second' });
      const dump = (await ask(admin, '/config_dump?resource=dynamic_listeners')).body;
      expect(dump).toContain('"name": "discovered"');
      expect((await ask(admin, '/stats?filter=connected_state')).body).toBe(
        'control_plane.connected_state: 1\n',
      );
    },
    60_000,
  );

  it('says over CSDS how each resource stands', async () => {
    await using server = await createXdsServer();
    server.setSnapshot('one', [listener, routes('first')]);
    const said: string[] = [];
    await start(
      `node: { id: one, cluster: c }
dynamic_resources:
  ads_config: { api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [ { envoy_grpc: { cluster_name: xds } } ] }
  lds_config: { ads: {}, resource_api_version: V3 }
${bootstrap('static')}${CLUSTER('xds', Number(server.target.split(':')[1]))}`,
      { clientStatusAddress: '127.0.0.1:0', say: (line) => void said.push(line) },
    );
    await server.acked('one');
    const [, address = ''] = /CSDS\) at (\S+)/.exec(said.join('\n')) ?? [];
    const { path, requestSerialize, responseDeserialize } = grpcService(
      ClientStatusDiscoveryService,
    ).fetchClientStatus;
    const client = new Client(address, credentials.createInsecure());
    const answer = await new Promise<ClientStatusResponse>((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(ClientStatusRequestSchema),
        (error, response) => (error ? reject(error) : resolve(response as ClientStatusResponse)),
      );
    });
    client.close();
    expect(answer.config[0]?.node?.id).toBe('one');
    const states = answer.config[0]?.genericXdsConfigs.map(({ name, clientStatus }) => [name, clientStatus]);
    expect(states).toContainEqual(['discovered', ClientResourceStatus.ACKED]);
    expect(states).toContainEqual(['routes', ClientResourceStatus.ACKED]);
  }, 60_000);

  it('secrets by SDS from a server of their own: a static listener waits for its certificate', async () => {
    await using server = await createXdsServer();
    const text = `node: { id: one, cluster: c }\n${bootstrap(
      'hi',
      `
          transport_socket:
            name: tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                tls_certificate_sds_secret_configs:
                  - name: live
                    sds_config:
                      resource_api_version: V3
                      api_config_source: { api_type: GRPC, transport_api_version: V3, grpc_services: [ { envoy_grpc: { cluster_name: sds } } ] }
`,
    )}${CLUSTER('sds', Number(server.target.split(':')[1]))}`;
    const { proxy } = await start(text);
    expect(proxy.listening()).toEqual([]);
    const file = (name: string): { filename: string } => ({ filename: join(directory, name) });
    server.setSnapshot('one', [
      {
        '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
        name: 'live',
        tls_certificate: { certificate_chain: file('server.pem'), private_key: file('server-key.pem') },
      },
    ]);
    await server.acked('one');
    const { port } = await until(
      async () => Promise.resolve({ port: portOf(proxy) }),
      (value) => !(value instanceof Error),
    );
    const said = await new Promise<boolean>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().subject.CN === 'corpus');
        socket.destroy();
      });
      socket.on('error', reject);
    });
    expect(said).toBe(true);
  }, 60_000);

  it('from a file, for a listener that is static, is in use when the file is there and as it changes', async () => {
    const file = join(directory, 'rds.yaml');
    const write = (body: string): void => {
      writeFileSync(`${file}.new`, JSON.stringify({ version_info: body, resources: [routes(body)] }));
      renameSync(`${file}.new`, file);
    };
    write('first');
    const { '@type': _, ...inline } = listener;
    const text = JSON.stringify({
      admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
      node: { id: 'one', cluster: 'c' },
      static_resources: { listeners: [inline] },
    }).replace('"ads":{}', `"path_config_source":{"path":${JSON.stringify(file)}}`);
    const { proxy } = await start(text);
    await until(
      async () => ask(portOf(proxy), '/'),
      ({ body }) => body === 'first',
    );
    write('second');
    await until(
      async () => ask(portOf(proxy), '/'),
      ({ body }) => body === 'second',
    );
  }, 60_000);
});

describe('a start that fails', () => {
  it('leaves nothing running, and says what is wrong where it stands', async () => {
    await expect(start(bootstrap('x').replace('cluster: service', 'cluster: other'))).rejects.toThrow(
      /bootstrap-\w+\.yaml:4:7: static_resources\.listeners\[0\]: .* names the cluster "other"/,
    );
    await expect(
      start(bootstrap('x').replace('port_value: 0', `port_value: ${servicePort}`)),
    ).rejects.toThrow(/admin: cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
    await expect(
      start(
        bootstrap('x').replace(
          'address: 127.0.0.1, port_value: 0 } }\n      filter',
          `address: 127.0.0.1, port_value: ${servicePort} } }\n      filter`,
        ),
      ),
    ).rejects.toThrow(/cannot listen on 127\.0\.0\.1:\d+/);
  }, 60_000);

  it('two of one base id do not run at a time', async () => {
    const { proxy } = await start(bootstrap('x'), { baseId: 7 });
    expect(proxy.baseId).toBe(7);
    await expect(start(bootstrap('x'), { baseId: 7 })).rejects.toThrow(/envoy-7/);
    const { proxy: other } = await start(bootstrap('x'));
    expect(other.baseId).toBe(0);
  }, 60_000);
});
