import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import {
  CheckRequestSchema,
  CheckResponseSchema,
  type CheckRequest,
} from '../src/gen/envoy/service/auth/v3/external_auth_pb.js';

export type Answer = MessageInitShape<typeof CheckResponseSchema> | Buffer | Error | 'silence';

/** A real authorization service on a port of its own, or at an address. */
export interface AuthServer {
  readonly address: string;
  /** What it answers from now on; a Buffer goes out as it stands. */
  answer: (request: CheckRequest) => Answer;
  readonly requests: CheckRequest[];
  /** Resolves with the first check whose caller went away. */
  readonly gone: Promise<void>;
  /** Resolves with the next request. */
  next(): Promise<void>;
  /** Closes every connection now. */
  stop(): void;
}

export async function authServer(
  answer: AuthServer['answer'],
  address = '127.0.0.1:0',
  credentials: ServerCredentials = ServerCredentials.createInsecure(),
): Promise<AuthServer> {
  const server = new Server({ 'grpc.max_send_message_length': -1 });
  const waiting: (() => void)[] = [];
  const { promise: gone, resolve: went } = Promise.withResolvers<void>();
  const handler = (call: ServerUnaryCall<CheckRequest, Buffer>, reply: sendUnaryData<Buffer>): void => {
    self.requests.push(call.request);
    call.on('cancelled', () => went());
    const given = self.answer(call.request);
    if (given instanceof Error) reply(given);
    else if (Buffer.isBuffer(given)) reply(null, given);
    else if (given !== 'silence')
      reply(null, Buffer.from(toBinary(CheckResponseSchema, create(CheckResponseSchema, given))));
    waiting.shift()?.();
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
    { check: handler as never },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(address, credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  const self: AuthServer = {
    address: address.startsWith('unix:') ? address : `127.0.0.1:${port}`,
    answer,
    requests: [],
    gone,
    next: () => new Promise((resolve) => waiting.push(resolve)),
    stop: () => server.forceShutdown(),
  };
  return self;
}
