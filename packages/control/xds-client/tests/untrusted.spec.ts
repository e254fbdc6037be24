import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import { grpcService } from '@tulle/xds-proto/grpc';
import { expect, it } from 'vitest';
import { openAdsCall } from '../src/client/ads-call.ts';
import { deltaProtocol } from '../src/client/protocol.ts';

it('a call ends, at both ends, when the root of its server is believed no more', async () => {
  const server = new Server();
  const opened = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<void>();
  const { deltaAggregatedResources } = grpcService(AggregatedDiscoveryService);
  server.addService(
    { deltaAggregatedResources },
    {
      deltaAggregatedResources(call: { on(event: string, listener: () => void): void }) {
        call.on('error', () => undefined);
        call.on('cancelled', () => cancelled.resolve());
        opened.resolve();
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  let untrusted = (): void => undefined;
  let closed = 0;
  const reasons: string[] = [];
  openAdsCall(
    deltaProtocol,
    `127.0.0.1:${port}`,
    {
      credentials: credentials.createInsecure(),
      onUntrusted: (listener) => void (untrusted = listener),
      close: () => void (closed += 1),
    },
    {},
    { response() {}, ended: (reason) => void reasons.push(reason) },
  );
  await opened.promise;
  untrusted();
  untrusted();
  await cancelled.promise;
  expect(reasons).toEqual(['the root of the control plane is not believed any more']);
  expect(closed).toBe(1);
  server.forceShutdown();
});
