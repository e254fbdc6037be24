import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServiceDefinition,
} from '@grpc/grpc-js';

/** Messages are bytes as they are: what a call means is not the proxy's matter, so no schema is needed. */
const bytes = (message: Buffer): Buffer => message;

const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});

/** The four kinds of methods. */
export const ECHO: ServiceDefinition = {
  unary: method('Unary', false, false),
  collect: method('Collect', true, false),
  spread: method('Spread', false, true),
  chat: method('Chat', true, true),
};

export type Handlers = {
  readonly unary: handleUnaryCall<Buffer, Buffer>;
  readonly collect: handleClientStreamingCall<Buffer, Buffer>;
  readonly spread: handleServerStreamingCall<Buffer, Buffer>;
  readonly chat: handleBidiStreamingCall<Buffer, Buffer>;
};

/** A running service. */
export interface EchoService {
  readonly port: number;
  /** Calls that were cancelled by their caller, or lost it. */
  readonly cancelled: string[];
  stop(): void;
}

/**
 * Serves `test.Echo` by grpc-js over HTTP/2 without TLS. `unary` gives the message back, `collect` all messages as one,
 * `spread` each octet as a message, `chat` each message as it comes. Metadata `x-…` come back in the head, and `x-…-bin` in the
 * trailers; `x-fail: <code>` fails a call with that status, `x-hang` never answers it.
 */
export async function serveEcho(handlers: Partial<Handlers> = {}): Promise<EchoService> {
  const cancelled: string[] = [];
  const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  const told = (name: string, call: { on(event: 'cancelled', then: () => void): unknown }): void => {
    call.on('cancelled', () => cancelled.push(name));
  };
  const failure = (metadata: Metadata): { code: number; details: string } | undefined => {
    const [code] = metadata.get('x-fail');
    return code === undefined ? undefined : { code: Number(code), details: 'as asked: 5 % zu spät' };
  };
  const echo: Handlers = {
    unary(call, reply) {
      told('unary', call);
      const failed = failure(call.metadata);
      if (failed !== undefined) return reply(failed);
      if (call.metadata.get('x-hang').length > 0) return;
      const { head, trailers } = echoed(call.metadata);
      call.sendMetadata(head);
      reply(null, call.request, trailers);
    },
    collect(call, reply) {
      told('collect', call);
      const parts: Buffer[] = [];
      call.on('data', (part: Buffer) => parts.push(part));
      call.on('end', () => reply(null, Buffer.concat(parts)));
    },
    spread(call) {
      told('spread', call);
      for (const octet of call.request) call.write(Buffer.of(octet));
      if (call.metadata.get('x-hang').length > 0) return;
      const failed = failure(call.metadata);
      if (failed === undefined) call.end();
      else call.emit('error', failed);
    },
    chat(call) {
      told('chat', call);
      call.on('data', (message: Buffer) => call.write(message));
      call.on('end', () => call.end());
      call.on('error', () => {});
    },
    ...handlers,
  };
  server.addService(ECHO, echo);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { port, cancelled, stop: () => server.forceShutdown() };
}

function echoed(metadata: Metadata): { readonly head: Metadata; readonly trailers: Metadata } {
  const [head, trailers] = [new Metadata(), new Metadata()];
  for (const name of Object.keys(metadata.getMap())) {
    if (!name.startsWith('x-')) continue;
    for (const value of metadata.get(name)) (name.endsWith('-bin') ? trailers : head).add(name, value);
  }
  return { head, trailers };
}

export { status };
