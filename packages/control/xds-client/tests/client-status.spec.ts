import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { ClientResourceStatus } from '@tulle/xds-proto/envoy/admin/v3/config_dump_shared';
import { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import {
  type ClientConfig,
  ClientStatusDiscoveryService,
  ClientStatusRequestSchema,
  type ClientStatusResponse,
} from '@tulle/xds-proto/envoy/service/status/v3/csds';
import { grpcService } from '@tulle/xds-proto/grpc';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ClientStatusServer, serveClientStatus } from '../src/index.ts';
import { type TestClient, testClient } from './control-plane.ts';
import { edsCluster } from './fixtures.ts';
import { startTypeServer, type TypeServer } from './type-server.ts';

const csds = grpcService(ClientStatusDiscoveryService);

let server: TypeServer;
let client: TestClient;
let status: ClientStatusServer;

beforeEach(async () => {
  server = await startTypeServer();
  client = await testClient('', {
    targets: [],
    initialFetchTimeoutMs: 30,
    sources: {
      roots: { listener: 'none', cluster: { kind: 'grpc', server: { cluster: 'xds' }, api: 'delta' } },
      server: () => ({
        targets: [`127.0.0.1:${server.port}`],
        channel: () => ({ credentials: credentials.createInsecure() }),
      }),
    },
  });
  status = await serveClientStatus('127.0.0.1:0', () => client.xds.clientStatus());
});

afterEach(async () => {
  await status.close();
  await client.xds.stop();
  server.kill();
});

async function fetch(address: string): Promise<ClientConfig> {
  const caller = new Client(address, credentials.createInsecure());
  try {
    const { path, requestSerialize, responseDeserialize } = csds.fetchClientStatus;
    const response = await new Promise<ClientStatusResponse>((resolve, reject) => {
      caller.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(ClientStatusRequestSchema, {}),
        (error: ServiceError | null, answer) =>
          error ? reject(error) : resolve(answer as ClientStatusResponse),
      );
    });
    expect(response.config).toHaveLength(1);
    return response.config[0] as ClientConfig;
  } finally {
    caller.close();
  }
}

/** Name and state of each resource, and why it was refused. */
async function states(address: string = status.address): Promise<string[]> {
  const { genericXdsConfigs } = await fetch(address);
  return genericXdsConfigs.map(
    ({ typeUrl, name, clientStatus, errorState }) =>
      `${typeUrl.slice(typeUrl.lastIndexOf('.') + 1)} ${name} ${WORDS[clientStatus]}${errorState ? `: ${errorState.details}` : ''}`,
  );
}

const WORDS: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(ClientResourceStatus).map(([word, number]) => [number, word]),
);

const odd = anyPack(ClusterSchema, create(ClusterSchema, { name: 'b', upstreamConfig: { name: 'x' } }));

describe('a client', () => {
  it('says of each resource how it stands', async () => {
    server.put('cluster', { name: 'a', discovery: { kind: 'static', endpoints: [] } });
    server.putAny('cluster', 'b', odd);
    await expect.poll(() => client.xds.state().refused.length).toBe(1);
    expect(await states()).toEqual([
      'Cluster a ACKED',
      expect.stringMatching(/^Cluster b NACKED: upstream_config: /),
    ]);
    const { node, genericXdsConfigs } = await fetch(status.address);
    expect(node?.id).toBe('node-1');
    expect(genericXdsConfigs[0]?.versionInfo).not.toBe('');
    expect(genericXdsConfigs[0]?.lastUpdated).toBeDefined();
    expect(genericXdsConfigs[1]?.errorState?.lastUpdateAttempt).toBeDefined();
    server.put('cluster', { name: 'b', discovery: { kind: 'static', endpoints: [] } });
    await expect.poll(async () => states()).toEqual(['Cluster a ACKED', 'Cluster b ACKED']);
  });

  it('says what it waits for, and that it waits no more', async () => {
    server.putAny('endpoint', 'none', anyPack(ClusterSchema, create(ClusterSchema)));
    server.putAny(
      'cluster',
      'a',
      anyPack(
        ClusterSchema,
        create(ClusterSchema, {
          name: 'a',
          clusterDiscoveryType: { case: 'type', value: 3 },
          edsClusterConfig: { edsConfig: { configSourceSpecifier: { case: 'self', value: {} } } },
        }),
      ),
    );
    await expect.poll(async () => states()).toEqual(['Cluster a ACKED', 'ClusterLoadAssignment a REQUESTED']);
    expect(client.configs.at(-1)?.clusters).toHaveLength(1);
    server.put('endpoint', { name: 'a', endpoints: [] });
    await expect.poll(async () => states()).toEqual(['Cluster a ACKED', 'ClusterLoadAssignment a ACKED']);
  });

  it('says it on a Unix socket too', async () => {
    const path = join(tmpdir(), `tulle-csds-${process.pid}.sock`);
    const other = await serveClientStatus(`unix:${path}`, () => client.xds.clientStatus());
    try {
      server.put('cluster', { ...edsCluster('a'), discovery: { kind: 'static', endpoints: [] } });
      await expect.poll(async () => states(`unix:${path}`)).toEqual(['Cluster a ACKED']);
    } finally {
      await other.close();
      rmSync(path, { force: true });
    }
  });
});
