import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { Client, credentials, Server } from '@grpc/grpc-js';
import { create } from '@bufbuild/protobuf';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import { DeltaDiscoveryRequestSchema } from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { grpcService } from '@tulle/xds-proto/grpc';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { addAdsService } from '../src/index.ts';
import { listen } from './raw-client.ts';

const { path, requestSerialize, responseDeserialize } =
  grpcService(AggregatedDiscoveryService).deltaAggregatedResources;
const stops: (() => void)[] = [];
let opened: () => void;
let closed: (how: string) => void;
let target: string;
/** What lies between client and server. */
let near: Socket;
let far: Socket;

beforeEach(async () => {
  const server = new Server();
  const ads = addAdsService(server, {
    provider: {
      open() {
        opened();
        return {
          current: () => ({
            changeId: '1',
            config: { version: '1', listeners: [], routes: [], clusters: [], endpoints: [] },
          }),
          subscribe: () => () => {},
          acked: () => {},
          closed: (how) => closed(how),
        };
      },
    },
    authenticate: () => undefined,
    allowUnauthenticated: true,
  });
  const [host = '', port] = (await listen(server)).split(':');
  const wire = createServer((socket) => {
    near = socket;
    far = connect(Number(port), host);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.pipe(other);
      one.on('error', () => {}).on('close', () => other.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(wire, 'listening');
  target = `127.0.0.1:${(wire.address() as AddressInfo).port}`;
  stops.push(
    () => ads.close(),
    () => server.forceShutdown(),
    () => near.destroy(),
    () => void wire.close(),
  );
});
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

async function open() {
  const client = new Client(target, credentials.createInsecure());
  stops.push(() => client.close());
  const there = new Promise<void>((resolve) => (opened = resolve));
  const over = new Promise<string>((resolve) => (closed = resolve));
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  call.on('error', () => {}).on('data', () => {});
  call.write(create(DeltaDiscoveryRequestSchema, { node: { id: 'default.orders.orders-1' } }));
  await there;
  return { call, over };
}

it.each([
  ['with a FIN, as when a process is killed or a middlebox gives up', () => far.end()],
  ['with a reset', () => far.resetAndDestroy()],
  ['at once', () => far.destroy()],
  ['not, but which its client cancels', (call: { cancel(): void }) => call.cancel()],
])('a stream whose connection ends %s is lost: its client took no leave', async (_, cut) => {
  const { call, over } = await open();
  cut(call);
  expect(await over).toBe('lost');
});

it('a stream whose client ends its side ends as its client wants it, and is answered', async () => {
  const { call, over } = await open();
  const status = once(call, 'status');
  call.end();
  expect(await over).toBe('clean');
  expect((await status)[0]).toMatchObject({ code: 0 });
});
