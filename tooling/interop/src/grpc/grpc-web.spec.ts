import { create, createFileRegistry, fromBinary, toBinary, type DescService } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient, type Client } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import {
  Metadata,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { cors } from '@tulle/filter-cors';
import { grpcWeb } from '@tulle/filter-grpc-web';
import { cluster, createProxy, httpListener, route } from '@tulle/proxy';
import { memoryLog } from '@tulle/testkit';
import { afterEach, describe, expect, it } from 'vitest';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
});

/** `message Text { string text = 1; }`, `service Words { rpc Say(Text) returns (Text); rpc Spell(Text) returns (stream Text); }` */
const registry = createFileRegistry(
  create(FileDescriptorProtoSchema, {
    name: 'words.proto',
    package: 'test',
    syntax: 'proto3',
    messageType: [
      {
        name: 'Text',
        field: [{ name: 'text', number: 1, type: Type.STRING, label: Label.OPTIONAL, jsonName: 'text' }],
      },
    ],
    service: [
      {
        name: 'Words',
        method: [
          { name: 'Say', inputType: '.test.Text', outputType: '.test.Text' },
          { name: 'Spell', inputType: '.test.Text', outputType: '.test.Text', serverStreaming: true },
        ],
      },
    ],
  }),
  () => undefined,
);
const Words = registry.getService('test.Words') as DescService;
const Text = registry.getMessage('test.Text') as NonNullable<ReturnType<typeof registry.getMessage>>;

const textOf = (bytes: Buffer): string => (fromBinary(Text, bytes) as unknown as { text: string }).text;
const bytesOf = (text: string): Buffer => Buffer.from(toBinary(Text, create(Text, { text })));

interface WordsClient {
  say(request: object, options?: object): Promise<{ readonly text: string }>;
  spell(request: object, options?: object): AsyncIterable<{ readonly text: string }>;
}

const bytes = (message: Buffer): Buffer => message;
const method = (name: string, responseStream: boolean) => ({
  path: `/test.Words/${name}`,
  requestStream: false,
  responseStream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});

/** A service of grpc-js, the proxy with CORS and gRPC-Web before it, and its address. */
async function words(): Promise<string> {
  const server = new Server();
  server.addService(
    { say: method('Say', false), spell: method('Spell', true) },
    {
      say(call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) {
        const text = textOf(call.request);
        if (text === 'secret') return reply({ code: 7, details: 'näh' });
        const trailers = new Metadata();
        trailers.set('x-length', String(text.length));
        reply(null, bytesOf(`${text}!`), trailers);
      },
      spell(call: ServerWritableStream<Buffer, Buffer>) {
        for (const letter of textOf(call.request)) call.write(bytesOf(letter));
        call.end();
      },
    },
  );
  const servicePort = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  open.push({ close: () => server.forceShutdown() });
  const proxy = createProxy({
    log: memoryLog(),
    overload: false,
    listeners: [
      httpListener({
        name: 'in',
        host: '127.0.0.1',
        port: 0,
        filters: [
          cors({
            allowOrigins: ['https://page.example'],
            allowHeaders: ['content-type', 'x-grpc-web', 'x-user-agent', 'grpc-timeout'],
            exposeHeaders: ['grpc-status', 'grpc-message'],
          }),
          grpcWeb({}),
        ],
        routes: [route('/test.Words', 'words')],
      }),
    ],
    clusters: [cluster('words', [`127.0.0.1:${servicePort}`], { pool: { protocol: 'http2' } })],
  });
  await proxy.start();
  open.push({ close: () => proxy.stop() });
  return `http://127.0.0.1:${(proxy.addresses()['in'] as { port: number }).port}`;
}

const clientOf = (baseUrl: string): WordsClient =>
  createClient(Words, createGrpcWebTransport({ baseUrl, useBinaryFormat: true })) as Client<DescService> &
    WordsClient;

describe('a client of gRPC-Web, over HTTP/1.1, and a service of gRPC', () => {
  it('talk: one message, several, metadata, deadlines', async () => {
    const client = clientOf(await words());
    let length: string | null = null;
    const said = await client.say(
      { text: 'hello' },
      { onTrailer: (trailers: Headers) => (length = trailers.get('x-length')), timeoutMs: 5_000 },
    );
    expect([said.text, length]).toEqual(['hello!', '5']);
    const letters: string[] = [];
    for await (const { text } of client.spell({ text: 'tulle' })) letters.push(text);
    expect(letters.join(' ')).toBe('t u l l e');
  });

  it('understand refusals, of the service and of the proxy', async () => {
    const baseUrl = await words();
    const refusal = async (client: WordsClient): Promise<[Code, string]> => {
      const error = ConnectError.from(
        await client.say({ text: 'secret' }).catch((reason: unknown) => reason),
      );
      return [error.code, error.rawMessage];
    };
    expect(await refusal(clientOf(baseUrl))).toEqual([Code.PermissionDenied, 'näh']);
    const [code, message] = await refusal(clientOf(`${baseUrl}/elsewhere`));
    expect([code, message.split(' ')[0]]).toEqual([Code.Unimplemented, 'TULLE_ROUTE_NOT_FOUND']);
  });

  it('talk in text, from a page of another origin', async () => {
    const baseUrl = await words();
    const url = `${baseUrl}/test.Words/Spell`;
    const preflight = await fetch(url, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://page.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,x-grpc-web',
      },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([
      204,
      'https://page.example',
    ]);
    const message = bytesOf('ab');
    const frame = Buffer.concat([Buffer.of(0, 0, 0, 0, message.length), message]);
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        origin: 'https://page.example',
        'content-type': 'application/grpc-web-text',
        'x-grpc-web': '1',
      },
      body: frame.toString('base64'),
    });
    expect(response.headers.get('content-type')).toBe('application/grpc-web-text+proto');
    expect(response.headers.get('access-control-expose-headers')).toContain('grpc-status');
    const text = await response.text();
    // Pieces end with their padding.
    const answer = Buffer.concat(
      (text.match(/[^=]+={0,2}/g) ?? []).map((piece) => Buffer.from(piece, 'base64')),
    );
    const frames: [flag: number, body: string][] = [];
    for (let at = 0; at < answer.length;) {
      const size = answer.readUInt32BE(at + 1);
      const body = answer.subarray(at + 5, at + 5 + size);
      frames.push([answer[at] as number, answer[at] === 0 ? textOf(body) : body.toString('latin1')]);
      at += 5 + size;
    }
    expect(frames.slice(0, 2)).toEqual([
      [0, 'a'],
      [0, 'b'],
    ]);
    expect(frames[2]?.[0]).toBe(0x80);
    expect(frames[2]?.[1]).toContain('grpc-status: 0\r\n');
  });
});
