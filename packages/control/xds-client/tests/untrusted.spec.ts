import { credentials, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import { grpcService } from '@tulle/xds-proto/grpc';
import { expect, it, vi } from 'vitest';
import { type AdsCall, openAdsCall } from '../src/client/ads-call.ts';
import { deltaProtocol } from '../src/client/protocol.ts';

it('a call is over when the root of its server is believed no more; its server hears of it when another call has had time to take its place', async () => {
  const server = new Server();
  const calls: { readonly cancelled: Promise<void>; ended: boolean }[] = [];
  let opened = Promise.withResolvers<void>();
  const { deltaAggregatedResources } = grpcService(AggregatedDiscoveryService);
  server.addService(
    { deltaAggregatedResources },
    {
      deltaAggregatedResources(call: ServerDuplexStream<unknown, unknown>) {
        const cancelled = Promise.withResolvers<void>();
        const seen = { cancelled: cancelled.promise, ended: false };
        call.on('error', () => undefined);
        call.on('end', () => (seen.ended = true));
        call.on('cancelled', () => cancelled.resolve());
        call.resume();
        calls.push(seen);
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
  const open = (): AdsCall =>
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
  open();
  await opened.promise;
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  untrusted();
  untrusted();
  expect(reasons).toEqual(['the root of the control plane is not believed any more']);
  expect(closed).toBe(1);
  opened = Promise.withResolvers();
  const next = open();
  await opened.promise;
  expect(calls[0]?.ended).toBe(false);
  vi.advanceTimersByTime(5_000);
  vi.useRealTimers();
  await calls[0]?.cancelled;
  expect(calls[1]?.ended).toBe(false);
  next.close();
  server.forceShutdown();
});
