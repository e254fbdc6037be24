import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { memoryNetwork, realService, wallClock } from '@tulle/testkit';
import { expect, it } from 'vitest';
import { openWith, set } from '../tests/setup.ts';
import {
  ProcessingRequestSchema,
  ProcessingResponseSchema,
  type ProcessingRequest,
} from './gen/envoy/service/ext_proc/v3/external_processor_pb.js';

type Call = ServerDuplexStream<ProcessingRequest, Buffer>;

/** Answers as gRPC's own library does: capitals of bodies, a field for each head. */
async function serve(ended: string[]): Promise<{ readonly port: number; stop(): void }> {
  const server = new Server();
  const process = (call: Call): void => {
    call.on('data', ({ request: { case: part, value } }: ProcessingRequest) => {
      const common =
        part === 'requestBody' || part === 'responseBody'
          ? {
              bodyMutation: {
                mutation: {
                  case: 'body' as const,
                  value: Buffer.from(Buffer.from(value.body).toString().toUpperCase()),
                },
              },
            }
          : { headerMutation: { setHeaders: [set('x-by', call.metadata.get('x-token').join())] } };
      const response = { case: part, value: { response: common } } as never;
      call.write(
        Buffer.from(toBinary(ProcessingResponseSchema, create(ProcessingResponseSchema, { response }))),
      );
    });
    call.on('end', () => {
      ended.push('end');
      call.end();
    });
  };
  server.addService(
    {
      process: {
        path: '/envoy.service.ext_proc.v3.ExternalProcessor/Process',
        requestStream: true,
        responseStream: true,
        requestSerialize: (message: ProcessingRequest) =>
          Buffer.from(toBinary(ProcessingRequestSchema, message)),
        requestDeserialize: (bytes: Buffer) => fromBinary(ProcessingRequestSchema, bytes),
        responseSerialize: (bytes: Buffer) => bytes,
        responseDeserialize: (bytes: Buffer) => bytes,
      },
    },
    { process },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { port, stop: () => server.forceShutdown() };
}

it('a processor made with gRPC’s own library is talked to, call after call, over one connection', async () => {
  const ended: string[] = [];
  const { port, stop } = await serve(ended);
  try {
    const clock = wallClock();
    const network = memoryNetwork(clock);
    realService(network, '10.0.9.1:9000', port);
    const { proxy, upstream } = await openWith(clock, network, {
      config: {
        service: { cluster: 'proc', metadata: [{ name: 'x-token', value: 'secret' }] },
        messageTimeoutMs: 5_000,
        mode: { requestBody: 'streamed', responseBody: 'buffered' },
      },
    });
    for (let i = 0; i < 20; i++) {
      const response = await proxy.client().request({ method: 'POST', body: `body ${i}` });
      expect([response.status, response.body]).toEqual([200, `POST / BODY ${i}`]);
      expect([upstream.requests[i]?.header('x-by'), response.header('x-by')]).toEqual(['secret', 'secret']);
    }
    expect(proxy.meter.value('tulle_cluster_upstream_cx_total', { cluster: 'proc' })).toBe(1);
    await expect.poll(() => ended.length).toBe(20);
  } finally {
    stop();
  }
});
