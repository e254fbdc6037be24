import { Server, status } from '@grpc/grpc-js';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import { grpcService } from '@tulle/xds-proto/grpc';
import { expect, it } from 'vitest';
import { addAdsService } from '../src/index.ts';
import { listen, openRaw } from './raw-client.ts';

it('a stream whose client says nothing ends, so that nobody holds streams for nothing', async () => {
  const server = new Server();
  const ads = addAdsService(server, {
    provider: {
      open() {
        throw new Error('nobody said who it is');
      },
    },
    authenticate: () => ({ spiffeId: 'spiffe://m/ns/d/sa/a' }),
    firstRequestTimeoutMs: 30,
  });
  const stream = openRaw(
    await listen(server),
    grpcService(AggregatedDiscoveryService).deltaAggregatedResources,
  );
  await expect(stream.next()).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
  expect(ads.streams()).toEqual([]);
  stream.close();
  ads.close();
  server.forceShutdown();
});
