import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type RunningControlPlane, startControlPlane } from '@tulle/app-control-plane';
import { dispatch } from '../src/cli/dispatch.ts';
import { COMMANDS } from '../src/commands.ts';
import { testIo } from './test-io.ts';
import { freePort } from './tulle-bench.ts';

const BIN = join(import.meta.dirname, '../bin/tulle.mjs');
const containing = (text: string): string => expect.stringContaining(text) as string;

let dir: string;
let mesh: RunningControlPlane;
const running: ChildProcess[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tx-'));
  mesh = await startControlPlane({
    stateDir: join(dir, 's'),
    trustDomain: 'test.local',
    rawXds: { path: join(dir, 'xds.sock') },
  });
});

afterEach(async () => {
  for (const one of running.splice(0)) {
    one.kill('SIGTERM');
    if (one.exitCode === null) await once(one, 'close');
  }
  await mesh.close();
  await rm(dir, { recursive: true });
});

async function tulle(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = testIo(dir, '', { TULLE_STATE_DIR: join(dir, 's') });
  const code = await dispatch(COMMANDS, ['xds', ...argv], io);
  return { code, ...io.written };
}

const PREFIX = 'type.googleapis.com/';
const listener = (port: string, body: string): string => `
'@type': ${PREFIX}envoy.config.listener.v3.Listener
name: edge
address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
filter_chains:
  - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          '@type': ${PREFIX}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: edge
          route_config:
            name: edge
            virtual_hosts:
              - name: all
                domains: ['*']
                routes: [{ match: { prefix: / }, direct_response: { status: 200, body: { inline_string: ${body} } } }]
          http_filters:
            - name: envoy.filters.http.router
              typed_config: { '@type': ${PREFIX}envoy.extensions.filters.http.router.v3.Router }
`;
const cluster = (name: string): string => `
'@type': ${PREFIX}envoy.config.cluster.v3.Cluster
name: ${name}
connect_timeout: 1s
`;

describe('tulle xds', () => {
  it('puts, lists, gets and deletes; what it lists can be put again', async () => {
    await writeFile(join(dir, 'all.yaml'), `${cluster('a')}---${cluster('b')}`);
    expect(await tulle('put', '*', '-f', 'all.yaml', '--set-version', 'v1')).toEqual({
      code: 0,
      out: '*: 2 resources, version v1\n',
      err: '',
    });
    const table = await tulle('list', '*');
    expect(table.out).toMatch(/^TYPE +NAME +VERSION\ncluster +a +\S+\ncluster +b +\S+\n$/);
    expect(parse((await tulle('get', '*', 'cluster', 'a')).out)).toEqual({
      '@type': `${PREFIX}envoy.config.cluster.v3.Cluster`,
      name: 'a',
      connect_timeout: '1s',
    });
    await writeFile(join(dir, 'again.yaml'), (await tulle('list', '*', '-o', 'yaml')).out);
    expect(await tulle('put', 'web', '-f', 'again.yaml', '--replace')).toMatchObject({ code: 0 });
    expect((await tulle('list', 'web', '-o', 'name')).out).toBe('cluster/a\ncluster/b\n');
    expect(await tulle('delete', 'web', 'cluster', 'a')).toMatchObject({
      code: 0,
      out: 'web cluster a removed\n',
    });
    expect(await tulle('delete', 'web', 'cluster', 'a')).toMatchObject({ code: 1 });
    expect(await tulle('delete', 'web')).toMatchObject({ code: 0, out: 'web removed\n' });
    expect(await tulle('list', 'web')).toMatchObject({
      code: 1,
      err: containing('"web" has no set of its own'),
    });
    expect((await tulle('status')).out).toMatch(/^NODE +STATE .*\n\* +disconnected +v1 +own /);
  });

  it('says what is wrong with file, resource and place, and changes nothing', async () => {
    await writeFile(
      join(dir, 'bad.yaml'),
      `${cluster('a')}---${cluster('b')}conect_timeout: 1s\nlb_policy: FASTEST\n`,
    );
    const refused = await tulle('put', '*', '-f', 'bad.yaml');
    expect(refused.code).toBe(65);
    expect(refused.err).toContain('nothing was changed:');
    expect(refused.err).toContain(
      'bad.yaml, resource 2: /conect_timeout is no field of envoy.config.cluster.v3.Cluster',
    );
    expect(refused.err).toMatch(/bad\.yaml, resource 2: \/lb_policy .*FASTEST.* it is one of ROUND_ROBIN/);
    await writeFile(join(dir, 'broken.yaml'), 'a: [\n');
    expect(await tulle('put', '*', '-f', 'broken.yaml')).toMatchObject({
      code: 65,
      err: containing('broken.yaml:2:1'),
    });
    await writeFile(
      join(dir, 'eds.yaml'),
      `${cluster('e')}type: EDS\neds_cluster_config: { eds_config: { ads: {} } }\n`,
    );
    expect(await tulle('put', '*', '-f', 'eds.yaml')).toMatchObject({
      code: 1,
      err: containing('names the endpoint "e", which is not in the set'),
    });
    expect(await tulle('list', '*')).toMatchObject({ code: 1 });
    expect(await tulle('put', '*', '-f', 'eds.yaml', '--allow-missing')).toMatchObject({ code: 0 });
    expect(await tulle('status', 'nobody')).toMatchObject({ code: 0 });
  });

  it('prints a bootstrap with which tulle proxy serves what is put, and follows it', async () => {
    const port = await freePort();
    await writeFile(join(dir, 'edge.yaml'), listener(port, 'one'));
    await tulle('put', '*', '-f', 'edge.yaml');
    const printed = await tulle('bootstrap', '--for', 'tulle', '--node', 'edge-1');
    expect(printed).toMatchObject({ code: 0, err: '' });
    await writeFile(join(dir, 'bootstrap.yaml'), printed.out);
    const proxy = spawn(process.execPath, [BIN, 'proxy', '-c', 'bootstrap.yaml', '--concurrency', '1'], {
      cwd: dir,
      env: { ...process.env, TULLE_STATE_DIR: join(dir, 's'), TULLE_RUN_DIR: join(dir, 'r') },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    running.push(proxy);
    let said = '';
    proxy.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const { xds } = mesh;
    await xds?.acked('edge-1', { timeoutMs: 20_000 }).catch((error: unknown) => {
      throw new Error(said, { cause: error });
    });
    const answer = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text();
    await expect.poll(answer).toBe('one');
    await writeFile(join(dir, 'edge.yaml'), listener(port, 'two'));
    await tulle('put', '*', '-f', 'edge.yaml');
    await xds?.acked('edge-1');
    await expect.poll(answer).toBe('two');
    expect((await tulle('status', 'edge-1')).out).toMatch(/^TYPE .*\nlistener +edge +synced /);
    await writeFile(join(dir, 'edge.yaml'), `${listener(port, 'three')}udp_listener_config: {}\n`);
    await tulle('put', '*', '-f', 'edge.yaml');
    await expect(xds?.acked('edge-1')).rejects.toThrow('udp_listener_config');
    expect(await tulle('status', 'edge-1')).toMatchObject({
      code: 79,
      out: containing('udp_listener_config'),
    });
    expect(await tulle('status')).toMatchObject({ code: 79, out: containing('nacked') });
    expect(await answer()).toBe('two');
  }, 60_000);

  it('prints bootstraps for gRPC, and for an Envoy of the mesh', async () => {
    expect(JSON.parse((await tulle('bootstrap', '--for', 'grpc', '--node', 'n')).out)).toEqual({
      xds_servers: [
        {
          server_uri: `unix://${join(dir, 'xds.sock')}`,
          channel_creds: [{ type: 'insecure' }],
          server_features: ['xds_v3'],
        },
      ],
      node: { id: 'n', cluster: 'tulle' },
    });
    const mine = ['bootstrap', '--for', 'envoy', '--sds', 'unix:/run/agent.sock', '--node', 'one'];
    const joined = await tulle(...mine, '--upstream', 'web=9001');
    expect(await tulle(...mine, '--upstream', 'web=0')).toMatchObject({ code: 64 });
    const { xds } = JSON.parse(await readFile(join(dir, 's/control-plane.json'), 'utf8')) as { xds: string };
    const { node, static_resources: resources } = parse(joined.out) as {
      node: object;
      static_resources: { clusters: object[] };
    };
    expect(node).toEqual({
      id: 'spiffe://test.local/ns/default/sa/envoy~one',
      cluster: 'envoy',
      metadata: {
        workload: 'envoy',
        namespace: 'default',
        instance: 'one',
        ports: [],
        upstreams: [{ service: 'web', localPort: 9001, address: '127.0.0.1' }],
        certificate: { sdsCluster: 'tulle-agent', roots: true },
      },
    });
    expect(resources.clusters).toMatchObject([
      { name: 'tulle-agent' },
      {
        name: 'tulle-control-plane',
        load_assignment: {
          endpoints: [
            {
              lb_endpoints: [
                { endpoint: { address: { socket_address: { port_value: Number(xds.split(':')[1]) } } } },
              ],
            },
          ],
        },
      },
    ]);
    expect(await tulle('bootstrap', '--for', 'grpc', '--sds', 'unix:/x')).toMatchObject({ code: 64 });
    expect(await tulle('bootstrap', '--for', 'envoy', '--server', 'nowhere')).toMatchObject({ code: 64 });
  });
});
