import { create } from '@bufbuild/protobuf';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { createXdsServer } from '@tulle/xds-server';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { grpcService } from '@tulle/xds-proto/grpc';
import { expect, it } from 'vitest';
import { namedCertificate } from '../certificate.ts';

const typeUrl = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';

/** Names of the first response. @throws ServiceError when the stream ends instead */
async function ask(target: string, channel: ReturnType<typeof credentials.createSsl>): Promise<string[]> {
  const { path, requestSerialize, responseDeserialize } =
    grpcService(AggregatedDiscoveryService).deltaAggregatedResources;
  const client = new Client(target, channel);
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  try {
    return await new Promise<string[]>((resolve, reject) => {
      call.on('data', ({ resources }: DeltaDiscoveryResponse) => resolve(resources.map(({ name }) => name)));
      call.on('error', (error: ServiceError) => reject(error));
      call.write(create(DeltaDiscoveryRequestSchema, { node: { id: 'n' }, typeUrl }));
    });
  } finally {
    call.cancel();
    client.close();
  }
}

it('an xDS server with TLS serves any address, and with roots of clients only those that show a certificate', async () => {
  const [own, mine, foreign] = await Promise.all(
    ['localhost', 'me', 'somebody'].map(async (name) => namedCertificate(name)),
  );
  const tls = { certificate: own?.certificate ?? '', key: own?.key ?? '' };
  const bytes = (text = ''): Buffer => Buffer.from(text);
  const root = bytes(own?.certificate);
  await using open = await createXdsServer({ listen: { host: '0.0.0.0' }, tls });
  open.setSnapshot('*', [{ '@type': typeUrl, name: 'a' }]);
  const at = (target: string): string => target.replace('0.0.0.0', 'localhost');
  expect(await ask(at(open.target), credentials.createSsl(root))).toEqual(['a']);
  await expect(ask(at(open.target), credentials.createSsl(bytes(foreign?.certificate)))).rejects.toThrow(
    /certificate/,
  );
  await using closed = await createXdsServer({ tls: { ...tls, clientRoots: mine?.certificate ?? '' } });
  closed.setSnapshot('*', [{ '@type': typeUrl, name: 'a' }]);
  const target = closed.target.replace('127.0.0.1', 'localhost');
  expect(await ask(target, credentials.createSsl(root, bytes(mine?.key), bytes(mine?.certificate)))).toEqual([
    'a',
  ]);
  for (const shown of [
    credentials.createSsl(root),
    credentials.createSsl(root, bytes(foreign?.key), bytes(foreign?.certificate)),
  ])
    await expect(ask(target, shown)).rejects.toMatchObject({ code: 14 });
});
