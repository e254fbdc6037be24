import { strict as assert } from 'node:assert';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type Running, start } from '@tulle/processes';
import { createXdsServer, type ResourceInput, type XdsServer } from '@tulle/xds-server';
import { go } from '../go-programs.ts';
import { programs } from '../grpc/suite.ts';
import { tulleProcesses } from '../mixed/processes.ts';
import type { Case, Opened, Suite } from '../suite.ts';
import { until } from '../until.ts';

const TYPE = 'type.googleapis.com/';
const ADS = { ads: {} };
/** Calls of the soak, and changes while it runs. */
const CALLS = 3_000;
const CHANGES = 30;

interface Setting {
  readonly server: XdsServer;
  /** Ports of two servers of grpc-go. */
  readonly ports: readonly [number, number];
  /** Starts a client that finds `xds:///greeter` by the xDS server, from what `tulle xds bootstrap --for grpc` prints. */
  client(node: string, testCase: string, ...flags: readonly string[]): Promise<Running>;
}

async function open(): Promise<Opened<Setting>> {
  const directory = await mkdtemp(join(tmpdir(), 'tgx-'));
  const server = await createXdsServer({
    listen: { path: join(directory, 'xds.sock') },
    loadReportIntervalMs: 500,
  });
  const tulle = tulleProcesses(directory);
  const running: Running[] = [];
  const ports: number[] = [];
  for (let i = 0; i < 2; i++) {
    const port = await freePort();
    const origin = start(programs.path('server'), [`--port=${port}`], {
      env: { GRPC_GO_LOG_SEVERITY_LEVEL: 'info' },
    });
    running.push(origin);
    await origin.said(/ListenSocket created|interop server listening/i);
    ports.push(port);
  }
  return {
    context: {
      server,
      ports: ports as [number, number],
      async client(node, testCase, ...flags) {
        const file = join(directory, `${node}.json`);
        const args = ['--for', 'grpc', '--node', node, '--server', server.target];
        await writeFile(file, await tulle.run('xds', 'bootstrap', ...args));
        const client = start(
          programs.path('client'),
          ['--server_host=xds:///greeter', '--server_port=0', `--test_case=${testCase}`, ...flags],
          { env: { GRPC_XDS_BOOTSTRAP: file } },
        );
        running.push(client);
        return client;
      },
    },
    async close() {
      for (const one of running.toReversed()) await one.stop();
      await server.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** What a proxyless client needs: an API listener, its routes, a cluster and its endpoints. */
function greeter(
  ports: readonly number[],
  { routes = 'routes', cluster = 'greeter', policy = 'ROUND_ROBIN' } = {},
): ResourceInput[] {
  return [
    {
      '@type': `${TYPE}envoy.config.listener.v3.Listener`,
      name: 'greeter',
      api_listener: {
        api_listener: {
          '@type': `${TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
          rds: { config_source: ADS, route_config_name: routes },
          http_filters: [
            {
              name: 'router',
              typed_config: { '@type': `${TYPE}envoy.extensions.filters.http.router.v3.Router` },
            },
          ],
        },
      },
    },
    {
      '@type': `${TYPE}envoy.config.route.v3.RouteConfiguration`,
      name: routes,
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [{ match: { prefix: '' }, route: { cluster } }] },
      ],
    },
    {
      '@type': `${TYPE}envoy.config.cluster.v3.Cluster`,
      name: cluster,
      type: 'EDS',
      lb_policy: policy,
      eds_cluster_config: { eds_config: ADS },
      lrs_server: { self: {} },
    },
    {
      '@type': `${TYPE}envoy.config.endpoint.v3.ClusterLoadAssignment`,
      cluster_name: cluster,
      endpoints: ports.map((port, i) => ({
        locality: { zone: `zone-${i}` },
        load_balancing_weight: 1,
        lb_endpoints: [
          { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } },
        ],
      })),
    },
  ];
}

/**
 * A race within grpc-go: its config selector chooses a new cluster a moment before the balancer has it, and the call that comes
 * in between fails. Nothing that a server sends has a part in it.
 */
const OWN_RACE = /failed: .* unknown cluster selected for RPC/;
/** Such calls at most. */
const MAX_RACES = CHANGES;

/** @returns how many calls fell into {@link OWN_RACE} */
async function ends(client: Running): Promise<number> {
  const timer = setTimeout(() => void client.stop('SIGKILL'), 60_000);
  const { code, err } = await client.ended;
  clearTimeout(timer);
  // A soak tells of each call.
  const told = err.split('\n').filter((line) => !line.endsWith('succeeded'));
  const failed = told.filter((line) => / failed: /.test(line));
  const races = failed.filter((line) => OWN_RACE.test(line)).length;
  assert.equal(code, 0, told.join('\n').slice(0, 3_000));
  assert.equal(failed.length, races, failed.join('\n').slice(0, 3_000));
  return races;
}

const cases: readonly Case<Setting>[] = [
  ...['empty_unary', 'large_unary', 'ping_pong', 'server_streaming'].map((name): Case<Setting> => ({
    name: `${name} of a client that has its configuration by xDS`,
    async run({ server, ports, client }) {
      server.setSnapshot('*', greeter(ports));
      assert.equal(await ends(await client(name, name)), 0);
    },
  })),
  {
    name: `${CALLS} calls, none of which the server fails while endpoints, clusters and routes change ${CHANGES} times; their load is reported`,
    async run({ server, ports, client }) {
      const node = 'soak';
      server.setSnapshot(node, greeter(ports));
      const soak = await client(
        node,
        'rpc_soak',
        `--soak_iterations=${CALLS}`,
        `--soak_max_failures=${MAX_RACES}`,
        '--soak_min_time_ms_between_rpcs=4',
        '--soak_overall_timeout_seconds=50',
        '--soak_request_size=100',
        '--soak_response_size=100',
      );
      let over = false;
      void soak.ended.then(() => (over = true));
      await server.acked(node, { timeoutMs: 10_000 });
      let changes = 0;
      for (; changes < CHANGES && !over; changes++) {
        const cluster = `greeter-${Math.floor(changes / 3)}`;
        server.setSnapshot(
          node,
          greeter(changes % 2 === 0 ? [ports[0]] : [ports[1]], { cluster, routes: `r${changes % 5}` }),
        );
        await Promise.race([server.acked(node), soak.ended]);
        // It asks for a cluster when a route leads there, which is after it took the route.
        await until('the endpoints are taken', () =>
          assert(
            server
              .status(node)
              .resources.some((one) => one.name === cluster && one.typeUrl.endsWith('.Cluster')) || over,
          ),
        );
      }
      assert(!over, `the calls were over after ${changes} changes`);
      const races = await ends(soak);
      const loads = server.loadReports(node).flatMap(({ clusters }) => clusters);
      const succeeded = loads.reduce((sum, { total }) => sum + total.succeeded, 0);
      assert(succeeded > CALLS / 2 && loads.every(({ total }) => total.failed === 0), JSON.stringify(loads));
      return `${changes} changes, ${succeeded} calls in reports of ${loads.length} clusters, ${races} lost to a race within grpc-go`;
    },
  },
  {
    name: 'what it refuses is known with its reason, and it goes on by what it had',
    async run({ server, ports, client }) {
      const node = 'refusing';
      server.setSnapshot(node, greeter(ports));
      const soak = await client(
        node,
        'rpc_soak',
        '--soak_iterations=200',
        '--soak_max_failures=0',
        '--soak_min_time_ms_between_rpcs=20',
        '--soak_overall_timeout_seconds=50',
      );
      await server.acked(node, { timeoutMs: 10_000 });
      await until('its cluster is taken', () =>
        assert(
          server
            .status(node)
            .resources.some((one) => one.name === 'greeter' && one.typeUrl.endsWith('.Cluster')),
        ),
      );
      server.setSnapshot(node, greeter(ports, { policy: 'MAGLEV' }));
      const reason = await server.acked(node).then(
        () => assert.fail('it took a policy that gRPC does not have'),
        (error: Error) => error.message,
      );
      assert.match(reason, /refused "greeter": .*lbPolicy|refused "greeter": .*policy/i);
      assert.equal(await ends(soak), 0);
      return reason.slice(0, 120);
    },
  },
];

export const grpcXdsSuite: Suite<Setting> = {
  name: 'grpc-xds',
  about: "grpc-go's interop client as a proxyless client of resources as they are put",
  needs: [go, programs],
  open,
  cases,
};
