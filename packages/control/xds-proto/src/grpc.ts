import {
  type DescMessage,
  type DescService,
  type MessageShape,
  fromBinary,
  toBinary,
} from '@bufbuild/protobuf';

/** One method as `@grpc/grpc-js` wants it, in a server's definition and in a client's `make…Request` calls alike. */
export interface GrpcMethod<Request, Response> {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (message: Request) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (message: Response) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

export type GrpcService<Service extends DescService> = {
  readonly [Name in keyof Service['method']]: GrpcMethod<
    MessageShape<Service['method'][Name]['input']>,
    MessageShape<Service['method'][Name]['output']>
  >;
};

/**
 * The definition of a generated service for `@grpc/grpc-js`: pass it to `server.addService(definition, handlers)`, or
 * take a method's parts for `client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)`.
 * Method names are the generated ones (`deltaAggregatedResources`). Bytes that are no such message make the
 * deserializer throw, which grpc-js answers with INTERNAL.
 */
export function grpcService<Service extends DescService>(service: Service): GrpcService<Service> {
  const methods = service.methods.map((method) => [
    method.localName,
    {
      path: `/${service.typeName}/${method.name}`,
      requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
      responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
      requestSerialize: serialize(method.input),
      requestDeserialize: deserialize(method.input),
      responseSerialize: serialize(method.output),
      responseDeserialize: deserialize(method.output),
    },
  ]);
  return Object.fromEntries(methods) as GrpcService<Service>;
}

function serialize<Desc extends DescMessage>(desc: Desc): (message: MessageShape<Desc>) => Buffer {
  return (message) => {
    const bytes = toBinary(desc, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function deserialize<Desc extends DescMessage>(desc: Desc): (bytes: Buffer) => MessageShape<Desc> {
  return (bytes) => fromBinary(desc, bytes);
}
