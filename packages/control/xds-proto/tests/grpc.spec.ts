import { create } from '@bufbuild/protobuf';
import { Client, Server, ServerCredentials, credentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { grpcService } from '@tulle/xds-proto/grpc';
import { expect, it } from 'vitest';

it('serves and calls a delta ADS stream over grpc-js', async () => {
  const definition = grpcService(AggregatedDiscoveryService);
  const server = new Server();
  server.addService(definition, {
    deltaAggregatedResources(call: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>) {
      call.on('data', (request: DeltaDiscoveryRequest) => {
        call.write(
          create(DeltaDiscoveryResponseSchema, {
            nonce: '1',
            removedResources: request.resourceNamesSubscribe,
          }),
        );
      });
      call.on('end', () => call.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  try {
    const { path, requestSerialize, responseDeserialize } = definition.deltaAggregatedResources;
    const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    stream.write(create(DeltaDiscoveryRequestSchema, { node: { id: 'n' }, resourceNamesSubscribe: ['web'] }));
    stream.end();
    const responses: DeltaDiscoveryResponse[] = [];
    for await (const response of stream) responses.push(response as DeltaDiscoveryResponse);
    expect(responses.map(({ nonce, removedResources }) => [nonce, removedResources])).toEqual([
      ['1', ['web']],
    ]);
  } finally {
    client.close();
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  }
});
