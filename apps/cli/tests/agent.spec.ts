import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { Client, credentials } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { tulleBench, type Running } from './tulle-bench.ts';

/** The secret `default` as it goes over the wire: `FetchSecrets` with `DiscoveryRequest.resource_names` (field 3). */
async function fetchSecret(socket: string): Promise<string> {
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  const request = Buffer.concat([Buffer.from([0x1a, 7]), Buffer.from('default')]);
  try {
    return await new Promise((resolve, reject) =>
      client.makeUnaryRequest(
        '/envoy.service.secret.v3.SecretDiscoveryService/FetchSecrets',
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes.toString('latin1'),
        request,
        (error, text) => (text === undefined ? reject(error as Error) : resolve(text)),
      ),
    );
  } finally {
    client.close();
  }
}

const serialIn = (secret: string): string => {
  const [pem = ''] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(secret) ?? [];
  return new X509Certificate(pem).serialNumber;
};

describe('tulle agent', () => {
  const bench = tulleBench();
  const socketOf = async (agent: Running): Promise<string> =>
    (await agent.said(/SDS and Workload API unix:(\S+),/))[1] ?? '';
  const end = async (agent: Running): Promise<number | null> => {
    agent.process.kill('SIGTERM');
    return (await agent.ended).code;
  };

  it('serves key and certificate on a socket of its user, and the same after a restart without a CA', async () => {
    const first = bench.start('agent', '--name', 'web');
    const socket = await socketOf(first);
    expect((statSync(socket).mode & 0o777).toString(8)).toBe('600');
    const secret = await fetchSecret(socket);
    expect(secret).toMatch(/-----BEGIN (?:EC )?PRIVATE KEY-----/);
    const again = await bench.tulle('agent', '--name', 'web');
    expect([again.code, again.err]).toEqual([
      1,
      expect.stringMatching(/default\.web\.agent is running already, in process \d+/),
    ]);
    const { out } = await bench.tulle('agent', 'status', 'web', '-o', 'json');
    expect(JSON.parse(out)).toMatchObject([
      { spiffeId: 'spiffe://test.local/ns/default/sa/web', socket, sds: [], workloadApi: 0 },
    ]);
    expect(out).not.toMatch(/PRIVATE KEY/);
    expect(await end(first)).toBe(0);
    expect(statSync(socket, { throwIfNoEntry: false })).toBeUndefined();

    await bench.mesh.close();
    const second = bench.start('agent', '--name', 'web', '--socket', 'a.sock');
    const kept = await socketOf(second);
    expect(kept).toMatch(/\/a\.sock$/);
    expect(serialIn(await fetchSecret(kept))).toBe(serialIn(secret));
    expect(await end(second)).toBe(0);
  });

  it('writes a bootstrap for Envoy, with the same ports each time', async () => {
    const args = ['agent', '--name', 'web', '--port', '8080', '--upstream', 'orders=0'];
    const bootstraps: string[] = [];
    for (const file of ['one.json', 'two.json']) {
      const agent = bench.start(...args, '--envoy-bootstrap', file);
      await agent.said(
        /wrote \S+\.json: inbound 127\.0\.0\.1:\d+, orders at 127\.0\.0\.1:\d+, Envoy's admin \S+\n/,
      );
      bootstraps.push(readFileSync(join(bench.dir, file), 'utf8'));
      await end(agent);
    }
    expect(bootstraps[1]).toBe(bootstraps[0]);
    const { node, static_resources: fixed } = JSON.parse(bootstraps[0] ?? '') as {
      readonly node: { readonly id: string; readonly metadata: object };
      readonly static_resources: { readonly clusters: readonly { readonly name: string }[] };
    };
    expect(node.id).toMatch(/^spiffe:\/\/test\.local\/ns\/default\/sa\/web~web-/);
    expect(node.metadata).toMatchObject({
      workload: 'web',
      ports: [{ port: 8080 }],
      upstreams: [{ service: 'orders' }],
      certificate: { sdsCluster: 'tulle-agent', roots: true },
    });
    expect(fixed.clusters.map(({ name }) => name)).toEqual(['tulle-agent', 'tulle-control-plane']);
  });

  it("writes a bootstrap for a program with gRPC's own xDS, whose files it keeps, and tells the program of it", async () => {
    writeFileSync(
      join(bench.dir, 'grpc.mjs'),
      "import { readFileSync } from 'node:fs'; process.stdout.write(readFileSync(process.env.GRPC_XDS_BOOTSTRAP));",
    );
    const { out, code } = await bench.tulle(
      ...['agent', '--name', 'orders', '--port', '50051', '--grpc-bootstrap', 'xds.json', '--quiet'],
      ...['--', process.execPath, 'grpc.mjs'],
    );
    expect(code).toBe(0);
    const {
      node,
      xds_servers: servers,
      certificate_providers: providers,
    } = JSON.parse(out) as {
      readonly node: { readonly id: string; readonly metadata: object };
      readonly xds_servers: readonly { readonly server_uri: string }[];
      readonly certificate_providers: {
        readonly tulle: { readonly config: { readonly certificate_file: string } };
      };
    };
    expect(node.id).toMatch(/^spiffe:\/\/test\.local\/ns\/default\/sa\/orders~orders-/);
    expect(node.metadata).toMatchObject({
      ports: [{ port: 50_051, inboundPort: 50_051, appProtocol: 'grpc' }],
      certificate: { provider: 'tulle' },
    });
    expect(servers[0]?.server_uri).toMatch(/^unix:\/.*\/xds\.sock$/);
    const chain = readFileSync(providers.tulle.config.certificate_file, 'utf8');
    expect(new X509Certificate(chain).subjectAltName).toBe('URI:spiffe://test.local/ns/default/sa/orders');
  });

  it('runs a program that finds the socket, and ends as it ends', async () => {
    writeFileSync(
      join(bench.dir, 'program.mjs'),
      "import { statSync } from 'node:fs'; const path = process.env.SPIFFE_ENDPOINT_SOCKET.slice('unix://'.length); process.exit(statSync(path).isSocket() ? 7 : 1);",
    );
    const { code } = await bench.tulle('agent', '--name', 'job', '--', process.execPath, 'program.mjs');
    expect(code).toBe(7);
  });

  it.each([
    [
      ['--name', 'web', '--port', '80'],
      64,
      /--port is for an Envoy or a gRPC program.*\n.*--envoy-bootstrap FILE or --grpc-bootstrap FILE/,
    ],
    [
      ['--name', 'web', '--grpc-bootstrap', 'x', '--upstream', 'a=1'],
      64,
      /--upstream is for an Envoy; .*xds:\/\/\//,
    ],
    [['--name', 'web', '--grpc-bootstrap', 'x', '--envoy-bootstrap', 'y'], 64, /a workload has one seat/],
    [['--name', 'web', '--admin', '10.0.0.1:80'], 64, /no loopback address/],
    [['--name', 'web', 'program'], 64, /unexpected argument/i],
    [['status', 'nobody'], 69, /no agent of nobody runs/],
    [['--name', 'web', '--', 'no-such-program'], 1, /no-such-program/],
  ])('says what is wrong with %j', async (args, code, words) => {
    const ended = await bench.tulle('agent', ...args);
    expect(ended.err).toMatch(words);
    expect(ended.code).toBe(code);
  });
});
