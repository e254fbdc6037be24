import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, Server, type ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Cluster, ProxyConfig } from '@tulle/model';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import {
  ClientStatusDiscoveryService,
  ClientStatusRequestSchema,
  type ClientStatusResponse,
  ConfigStatus,
} from '@tulle/xds-proto/envoy/service/status/v3/csds';
import { grpcService } from '@tulle/xds-proto/grpc';
import { addAdsService, type AdsService, type Snapshot } from '../src/index.ts';
import { deltaRequest, listen, openRaw, type RawDelta } from './raw-client.ts';

const CLUSTER = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
const csds = grpcService(ClientStatusDiscoveryService);
const cluster = (name: string, connectTimeoutMs: number): Cluster => ({
  name,
  discovery: { kind: 'static', endpoints: [] },
  connectTimeoutMs,
});
const config = (...clusters: Cluster[]): ProxyConfig => ({
  version: '',
  listeners: [],
  routes: [],
  clusters,
  endpoints: [],
});

let server: Server;
let ads: AdsService;
let target: string;
let snapshot: Snapshot;
let announce: () => void;
let streams: RawDelta[];

beforeEach(async () => {
  server = new Server();
  streams = [];
  snapshot = { changeId: 'c1', config: config(cluster('a', 1), cluster('b', 1)) };
  ads = addAdsService(server, {
    provider: {
      open: () => ({
        current: () => snapshot,
        subscribe(listener) {
          announce = () => listener(snapshot);
          return () => {};
        },
        acked() {},
        closed() {},
      }),
    },
    authenticate: () => undefined,
    allowUnauthenticated: true,
    mayReadStatus: ({ metadata }) => metadata.get('authorization')[0] === 'Bearer secret',
  });
  target = await listen(server);
});

afterEach(() => {
  for (const stream of streams) stream.close();
  ads.close();
  server.forceShutdown();
});

function fetchStatus(
  request: MessageInitShape<typeof ClientStatusRequestSchema> = {},
  bearer = 'secret',
): Promise<ClientStatusResponse> {
  const client = new Client(target, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${bearer}`);
  const { path, requestSerialize, responseDeserialize } = csds.fetchClientStatus;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      create(ClientStatusRequestSchema, request),
      metadata,
      (error: ServiceError | null, response?: ClientStatusResponse) => {
        client.close();
        if (response) resolve(response);
        else reject(error ?? new Error('no answer'));
      },
    );
  });
}

async function connect(id: string): Promise<RawDelta> {
  const stream = openRaw(target, grpcService(AggregatedDiscoveryService).deltaAggregatedResources);
  streams.push(stream);
  stream.send(deltaRequest({ typeUrl: CLUSTER, node: { id } }));
  return stream;
}

/** Status by resource name of the only client. */
async function statuses(): Promise<Record<string, unknown>> {
  const { config: clients } = await fetchStatus({
    nodeMatchers: [{ nodeId: { matchPattern: { case: 'exact', value: 'one' } } }],
  });
  return Object.fromEntries(
    clients.flatMap(({ genericXdsConfigs }) =>
      genericXdsConfigs.map(({ name, configStatus, errorState }) => [
        name,
        errorState ? [configStatus, errorState.details] : configStatus,
      ]),
    ),
  );
}

describe('the status of clients', () => {
  it('says of each resource whether it is there, on its way, or refused and why', async () => {
    const stream = await connect('one');
    const first = await stream.next();
    expect(await statuses()).toEqual({ a: ConfigStatus.STALE, b: ConfigStatus.STALE });
    stream.send(deltaRequest({ typeUrl: CLUSTER, responseNonce: first.nonce }));
    await expect.poll(statuses).toEqual({ a: ConfigStatus.SYNCED, b: ConfigStatus.SYNCED });
    snapshot = { changeId: 'c2', config: config(cluster('a', 1), cluster('b', 2)) };
    announce();
    const second = await stream.next();
    stream.send(
      deltaRequest({ typeUrl: CLUSTER, responseNonce: second.nonce, errorDetail: { message: 'b is bad' } }),
    );
    await expect.poll(statuses).toEqual({
      a: ConfigStatus.SYNCED,
      b: [ConfigStatus.ERROR, 'b is bad'],
    });
    snapshot = { changeId: 'c3', config: config(cluster('b', 3)) };
    announce();
    await stream.next();
    expect(await statuses()).toEqual({ a: ConfigStatus.STALE, b: ConfigStatus.STALE });
  });

  it('is of those that are asked for, and holds no contents', async () => {
    await Promise.all([(await connect('one')).next(), (await connect('two')).next()]);
    expect((await fetchStatus()).config.map(({ node }) => node?.id ?? '').sort()).toEqual(['one', 'two']);
    const { config: matched } = await fetchStatus({
      nodeMatchers: [{ nodeId: { matchPattern: { case: 'prefix', value: 'TW' }, ignoreCase: true } }],
    });
    expect(matched.map(({ node }) => node?.id)).toEqual(['two']);
    expect(matched[0]?.genericXdsConfigs.map(({ xdsConfig }) => xdsConfig)).toEqual([undefined, undefined]);
    await expect(fetchStatus({ nodeMatchers: [{}] })).rejects.toThrow(/INVALID_ARGUMENT.*node_id/);
  });

  it('is for those alone who may read it', async () => {
    await expect(fetchStatus({}, 'guess')).rejects.toThrow(/PERMISSION_DENIED/);
  });

  it('is answered on a stream too, once for each request', async () => {
    const metadata = new Metadata();
    metadata.set('authorization', 'Bearer secret');
    const client = new Client(target, credentials.createInsecure());
    const { path, requestSerialize, responseDeserialize } = csds.streamClientStatus;
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
    const answers: ClientStatusResponse[] = [];
    call.on('data', (answer: ClientStatusResponse) => answers.push(answer));
    call.write(create(ClientStatusRequestSchema));
    call.write(create(ClientStatusRequestSchema));
    const ended = new Promise((resolve) => call.on('end', resolve));
    call.end();
    await ended;
    expect(answers).toHaveLength(2);
    client.close();
  });
});
