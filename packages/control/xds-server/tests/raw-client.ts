import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import type { GrpcMethod } from '@tulle/xds-proto/grpc';

/** A gRPC server on a port of loopback. */
export async function listen(server: Server): Promise<string> {
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return `127.0.0.1:${port}`;
}

/** A stream that a test speaks word by word, as another implementation would. */
export interface RawStream<Request, Response> {
  send(request: Request): void;
  /** The next response that was not taken yet. @throws Error when the stream ends instead */
  next(): Promise<Response>;
  close(): void;
}

export function openRaw<Request, Response>(
  target: string,
  { path, requestSerialize, responseDeserialize }: GrpcMethod<Request, Response>,
): RawStream<Request, Response> {
  const client = new Client(target, credentials.createInsecure());
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const arrived: Response[] = [];
  let failed: Error | undefined;
  let wake = (): void => {};
  call.on('data', (response: Response) => {
    arrived.push(response);
    wake();
  });
  call.on('error', (error) => {
    failed = error;
    wake();
  });
  return {
    send: (request) => void call.write(request),
    async next() {
      while (arrived.length === 0) {
        if (failed) throw failed;
        await new Promise<void>((resolve) => (wake = resolve));
      }
      return arrived.shift() as Response;
    },
    close() {
      call.cancel();
      client.close();
    },
  };
}

export function deltaRequest(
  fields: MessageInitShape<typeof DeltaDiscoveryRequestSchema>,
): DeltaDiscoveryRequest {
  return create(DeltaDiscoveryRequestSchema, fields);
}

export type RawDelta = RawStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
