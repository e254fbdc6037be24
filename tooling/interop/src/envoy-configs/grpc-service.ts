import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { Server, ServerCredentials, type UntypedHandleCall } from '@grpc/grpc-js';

/** A service that one of the configurations names, by gRPC's own library. */
export interface GrpcService {
  readonly port: number;
  close(): void;
}

/** Serves one method at a port of its own; the handler reads messages of the schema and writes bytes. */
export async function serveMethod<Request extends DescMessage>(
  path: string,
  isStream: boolean,
  request: Request,
  handler: UntypedHandleCall,
): Promise<GrpcService> {
  const server = new Server();
  server.addService(
    {
      method: {
        path,
        requestStream: isStream,
        responseStream: isStream,
        requestSerialize: (message: MessageShape<Request>) => Buffer.from(toBinary(request, message)),
        requestDeserialize: (bytes: Buffer) => fromBinary(request, bytes),
        responseSerialize: (bytes: Buffer) => bytes,
        responseDeserialize: (bytes: Buffer) => bytes,
      },
    },
    { method: handler },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { port, close: () => server.forceShutdown() };
}
