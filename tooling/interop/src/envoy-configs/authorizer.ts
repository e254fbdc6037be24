import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import {
  type CheckRequest,
  CheckRequestSchema,
  CheckResponseSchema,
} from '@tulle/xds-proto/envoy/service/auth/v3/external_auth';

/** gRPC's code for a refusal. */
const PERMISSION_DENIED = 7;

/** An authorization service over gRPC: lets connections pass that come from this machine, unless it is called `deny`. */
export async function startAuthorizer(): Promise<{ readonly port: number; close(): void }> {
  const server = new Server();
  const check = (call: ServerUnaryCall<CheckRequest, Buffer>, reply: sendUnaryData<Buffer>): void => {
    const address = call.request.attributes?.source?.address?.address;
    const here = address?.case === 'socketAddress' && address.value.address === '127.0.0.1';
    const code = here && call.getHost() !== 'deny' ? 0 : PERMISSION_DENIED;
    reply(
      null,
      Buffer.from(toBinary(CheckResponseSchema, create(CheckResponseSchema, { status: { code } }))),
    );
  };
  server.addService(
    {
      check: {
        path: '/envoy.service.auth.v3.Authorization/Check',
        requestStream: false,
        responseStream: false,
        requestSerialize: (message: CheckRequest) => Buffer.from(toBinary(CheckRequestSchema, message)),
        requestDeserialize: (bytes: Buffer) => fromBinary(CheckRequestSchema, bytes),
        responseSerialize: (bytes: Buffer) => bytes,
        responseDeserialize: (bytes: Buffer) => bytes,
      },
    },
    { check: check as never },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { port, close: () => server.forceShutdown() };
}
