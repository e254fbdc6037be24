import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  status,
  type ClientDuplexStream,
  type ClientReadableStream,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceError,
} from '@grpc/grpc-js';
import { retry } from '@tulle/filter-retry';
import { cluster, createProxy, httpListener, route, type Proxy } from '@tulle/proxy';
import { memoryLog, memoryTelemetry, type KeptRecord } from '@tulle/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { serveEcho, type EchoService, type Handlers } from './echo-service.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
});

interface Path {
  readonly client: Client;
  readonly service: EchoService;
  readonly records: readonly KeptRecord[];
  readonly proxy: Proxy;
  readonly port: number;
}

/** A client and a service of grpc-js with the engine between them, on real sockets. */
async function path(
  options: {
    handlers?: Partial<Handlers>;
    forward?: Parameters<typeof route>[2];
    listener?: Partial<Parameters<typeof httpListener>[0]>;
    cluster?: Parameters<typeof cluster>[2];
  } = {},
): Promise<Path> {
  const service = await serveEcho(options.handlers);
  open.push({ close: () => service.stop() });
  const telemetry = memoryTelemetry();
  const proxy = createProxy({
    log: memoryLog(),
    // Client and service run in this process too: the loop is late because of them.
    overload: false,
    telemetry: [telemetry],
    listeners: [
      httpListener({
        name: 'in',
        host: '127.0.0.1',
        port: 0,
        routes: [route('/test.Echo', 'echo', options.forward)],
        ...options.listener,
      }),
    ],
    clusters: [
      cluster('echo', [`127.0.0.1:${service.port}`], {
        pool: { protocol: 'http2' },
        limits: { maxRequests: 10_000 },
        ...options.cluster,
      }),
    ],
  });
  await proxy.start();
  open.push({ close: () => proxy.stop() });
  const { port } = proxy.addresses()['in'] as { port: number };
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
    'grpc.enable_retries': 0,
  });
  open.push({ close: () => client.close() });
  return { client, service, records: telemetry.records, proxy, port };
}

const bytes = (message: Buffer): Buffer => message;

interface Answer {
  readonly message: Buffer | undefined;
  readonly head: Metadata;
  readonly trailers: Metadata;
  readonly code: number;
  readonly details: string;
}

function metadataOf(fields: Readonly<Record<string, string | Buffer>>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(fields)) metadata.add(name, value);
  return metadata;
}

function unary(
  client: Client,
  message: Buffer,
  fields: Readonly<Record<string, string | Buffer>> = {},
  more: { deadline?: number; method?: string } = {},
): Promise<Answer> {
  return new Promise((resolve) => {
    let head = new Metadata();
    let reply: Buffer | undefined;
    const call = client.makeUnaryRequest(
      more.method ?? '/test.Echo/Unary',
      bytes,
      bytes,
      message,
      metadataOf(fields),
      more.deadline === undefined ? {} : { deadline: Date.now() + more.deadline },
      (_error: ServiceError | null, got?: Buffer) => (reply = got),
    );
    call.on('metadata', (got: Metadata) => (head = got));
    call.on('status', ({ code, details, metadata }) =>
      // The callback comes behind it.
      setImmediate(() => resolve({ message: reply, head, trailers: metadata, code, details })),
    );
  });
}

function gather(call: ClientReadableStream<Buffer> | ClientDuplexStream<Buffer, Buffer>): Promise<{
  readonly messages: Buffer[];
  readonly code: number;
  readonly details: string;
}> {
  return new Promise((resolve) => {
    const messages: Buffer[] = [];
    call.on('data', (message: Buffer) => messages.push(message));
    call.on('error', () => {});
    call.on('status', ({ code, details }: { code: number; details: string }) =>
      setImmediate(() => resolve({ messages, code, details })),
    );
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('calls of grpc-js through the engine', () => {
  it('of one message each way bring metadata along, text and bytes, in head and trailers', async () => {
    const { client, records } = await path();
    const octets = Buffer.from([0, 1, 255, 254, 13, 10]);
    const answer = await unary(client, Buffer.from('hello'), {
      'x-text': 'some words',
      'x-octets-bin': octets,
    });
    expect(answer).toMatchObject({ code: status.OK, message: Buffer.from('hello') });
    expect(answer.head.get('x-text')).toEqual(['some words']);
    expect(answer.trailers.get('x-octets-bin')).toEqual([octets]);
    await until(() => records.length === 1);
    expect(records[0]).toMatchObject({ status: 200, grpcStatus: 0, protocol: 'HTTP/2', code: '' });
  });

  it('keep status and message of a service that refuses', async () => {
    const { client, records } = await path();
    for (const code of [1, 2, 5, 8, 13, 14, 16]) {
      const answer = await unary(client, Buffer.from('x'), { 'x-fail': String(code) });
      expect([answer.code, answer.details]).toEqual([code, 'as asked: 5 % zu spät']);
    }
    await until(() => records.length === 7);
    expect(records.map(({ grpcStatus }) => grpcStatus)).toEqual([1, 2, 5, 8, 13, 14, 16]);
    expect(records.map(({ attempts }) => attempts[0]?.grpcStatus)).toEqual([1, 2, 5, 8, 13, 14, 16]);
  });

  it('stream from the client, from the service, and both ways', async () => {
    const { client } = await path();
    const collected = await new Promise<Buffer>((resolve, reject) => {
      const call = client.makeClientStreamRequest(
        '/test.Echo/Collect',
        bytes,
        bytes,
        (error: ServiceError | null, got?: Buffer) =>
          error === null ? resolve(got as Buffer) : reject(error),
      );
      for (const part of ['a', 'b', 'c']) call.write(Buffer.from(part));
      call.end();
    });
    expect(collected.toString()).toBe('abc');

    const spread = await gather(
      client.makeServerStreamRequest('/test.Echo/Spread', bytes, bytes, Buffer.from('xyz')),
    );
    expect([spread.messages.map(String), spread.code]).toEqual([['x', 'y', 'z'], 0]);

    const chat = client.makeBidiStreamRequest('/test.Echo/Chat', bytes, bytes);
    const answered: string[] = [];
    for (const word of ['one', 'two', 'three']) {
      // Each is answered before the next is asked: nothing waits for more.
      chat.write(Buffer.from(word));
      answered.push(await new Promise((resolve) => chat.once('data', (got: Buffer) => resolve(String(got)))));
    }
    const ended = gather(chat);
    chat.end();
    expect([answered, (await ended).code]).toEqual([['one', 'two', 'three'], 0]);
  });

  it('carry messages of many megabytes whole', async () => {
    const { client } = await path();
    const message = Buffer.alloc(12 * 1024 * 1024);
    for (let i = 0; i < message.length; i += 997) message[i] = i & 0xff;
    const answer = await unary(client, message);
    expect(answer.code).toBe(0);
    expect(answer.message?.equals(message)).toBe(true);
  });

  it('run side by side, a thousand streams, and none is mistaken for another', async () => {
    const { client, records } = await path({ listener: { http2: { maxConcurrentStreams: 2_000 } } });
    const calls = Array.from({ length: 1_000 }, () =>
      client.makeBidiStreamRequest('/test.Echo/Chat', bytes, bytes),
    );
    const gathered = calls.map(gather);
    for (const [index, call] of calls.entries()) call.write(Buffer.from(`first ${index}`));
    await Promise.all(
      calls.map((call) => new Promise<void>((resolve) => call.once('data', () => resolve()))),
    );
    // All are open at this moment.
    for (const [index, call] of calls.entries()) {
      call.write(Buffer.from(`second ${index}`));
      call.end();
    }
    for (const [index, one] of (await Promise.all(gathered)).entries())
      expect([one.messages.map(String), one.code]).toEqual([[`first ${index}`, `second ${index}`], 0]);
    await until(() => records.length === 1_000);
    expect(records.every(({ grpcStatus }) => grpcStatus === 0)).toBe(true);
  });
});

describe('what ends a call', () => {
  it('is its deadline, of which the service is told, and the proxy keeps it where nobody else does', async () => {
    const deadlines: number[] = [];
    const { client, records, service } = await path({
      handlers: {
        unary(call, reply) {
          deadlines.push(Number(call.getDeadline()) - Date.now());
          call.on('cancelled', () => service.cancelled.push('unary'));
          void reply;
        },
      },
    });
    const answer = await unary(client, Buffer.from('x'), {}, { deadline: 300 });
    expect(answer.code).toBe(status.DEADLINE_EXCEEDED);
    expect(deadlines[0]).toBeGreaterThan(100);
    expect(deadlines[0]).toBeLessThanOrEqual(305);
    await until(() => service.cancelled.length === 1 && records.length === 1);
    expect([1, 4]).toContain(records[0]?.grpcStatus);

    // A caller that says so and does not keep it itself: the service and the proxy do, whoever is first.
    const kept = await unary(client, Buffer.from('x'), { 'grpc-timeout': '200m' });
    expect(kept.code).toBe(status.DEADLINE_EXCEEDED);
    await until(() => service.cancelled.length === 2 && records.length === 2);
    expect(records[1]?.grpcStatus).toBe(4);
  });

  it('is its caller, and the service hears of it at once, whatever kind of call it is', async () => {
    const { client, records, service } = await path();
    const hanging = client.makeUnaryRequest(
      '/test.Echo/Unary',
      bytes,
      bytes,
      Buffer.from('x'),
      metadataOf({ 'x-hang': 'yes' }),
      () => {},
    );
    const chat = client.makeBidiStreamRequest('/test.Echo/Chat', bytes, bytes);
    chat.on('error', () => {});
    chat.write(Buffer.from('hi'));
    await new Promise((resolve) => chat.once('data', resolve));
    const spread = client.makeServerStreamRequest(
      '/test.Echo/Spread',
      bytes,
      bytes,
      Buffer.from('xyz'),
      metadataOf({ 'x-hang': 'yes' }),
    );
    spread.on('error', () => {});
    await new Promise((resolve) => spread.once('data', resolve));
    const began = performance.now();
    for (const call of [hanging, chat, spread]) call.cancel();
    await until(() => service.cancelled.length === 3 && records.length === 3);
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(records.map(({ grpcStatus, code }) => [grpcStatus, code])).toEqual(
      Array.from({ length: 3 }, () => [1, 'TULLE_DOWNSTREAM_CLOSED']),
    );
  });

  it('is the proxy, with a status of gRPC', async () => {
    const { client, records, service } = await path();
    const lost = await unary(client, Buffer.from('x'), {}, { method: '/test.Other/Unary' });
    expect([lost.code, lost.details.split(' ')[0]]).toEqual([status.UNIMPLEMENTED, 'TULLE_ROUTE_NOT_FOUND']);
    service.stop();
    const down = await unary(client, Buffer.from('x'));
    expect([down.code, down.details.split(' ')[0]]).toEqual([status.UNAVAILABLE, 'TULLE_UPSTREAM_CONNECT']);
    await until(() => records.length === 2);
    expect(records.map(({ grpcStatus }) => grpcStatus)).toEqual([12, 14]);
  });

  it('is the service going away in the middle of an answer, and its caller is told why', async () => {
    const { client, service, records } = await path();
    const call = client.makeServerStreamRequest(
      '/test.Echo/Spread',
      bytes,
      bytes,
      Buffer.from('x'),
      metadataOf({ 'x-hang': 'yes' }),
    );
    const gathered = gather(call);
    await new Promise((resolve) => call.once('data', resolve));
    service.stop();
    const { messages, code, details } = await gathered;
    expect([messages.map(String), code]).toEqual([['x'], status.UNAVAILABLE]);
    expect(details).toMatch(/^TULLE_UPSTREAM_RESET_AFTER_START: /);
    await until(() => records.length === 1);
    expect(records[0]).toMatchObject({ grpcStatus: 14, code: 'TULLE_UPSTREAM_RESET_AFTER_START' });
  });
});

describe('a call that is refused', () => {
  const flaky = (failures: number, code: number): { handlers: Partial<Handlers>; calls: string[] } => {
    const calls: string[] = [];
    return {
      calls,
      handlers: {
        unary(call, reply) {
          calls.push(String(call.request));
          if (calls.length <= failures) reply({ code, details: 'not now' });
          else reply(null, call.request);
        },
      },
    };
  };

  it('is made again where its status is named, with its message', async () => {
    const { handlers, calls } = flaky(2, status.UNAVAILABLE);
    const { client, records } = await path({
      handlers,
      listener: { filters: [retry({ retries: 3, on: ['unavailable'], backoffBaseMs: 1 })] },
    });
    expect(await unary(client, Buffer.from('pay'))).toMatchObject({ code: 0, message: Buffer.from('pay') });
    expect(calls).toEqual(['pay', 'pay', 'pay']);
    await until(() => records.length === 1);
    expect(records[0]?.attempts.map(({ grpcStatus }) => grpcStatus)).toEqual([14, 14, -1]);
  });

  it('is not made again after other statuses, nor by default', async () => {
    const { handlers, calls } = flaky(9, status.INTERNAL);
    const { client } = await path({
      handlers,
      listener: { filters: [retry({ retries: 3, on: ['unavailable'], backoffBaseMs: 1 })] },
    });
    expect((await unary(client, Buffer.from('pay'))).code).toBe(status.INTERNAL);
    expect(calls).toHaveLength(1);
    const other = flaky(9, status.UNAVAILABLE);
    const byDefault = await path({ handlers: other.handlers, listener: { filters: [retry({})] } });
    expect((await unary(byDefault.client, Buffer.from('pay'))).code).toBe(status.UNAVAILABLE);
    expect(other.calls).toHaveLength(1);
  });
});

it('a health check asks a service of grpc-js, and believes it', async () => {
  let serving = 1;
  const server = new Server();
  server.addService(
    {
      check: {
        path: '/grpc.health.v1.Health/Check',
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      },
    },
    {
      check: (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) =>
        call.request.toString('latin1') === '\n\u0009test.Echo'
          ? reply(null, Buffer.of(0x08, serving))
          : reply({ code: 5, details: 'no such service' }),
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  open.push({ close: () => server.forceShutdown() });
  const telemetry = memoryTelemetry();
  const check = (name: string, service: string): ReturnType<typeof cluster> =>
    cluster(name, [`127.0.0.1:${port}`], {
      pool: { protocol: 'http2' },
      healthCheck: {
        kind: 'grpc',
        service,
        intervalMs: 50,
        noTrafficIntervalMs: 50,
        timeoutMs: 5_000,
        unhealthyThreshold: 3,
        healthyThreshold: 1,
      },
    });
  const proxy = createProxy({
    log: memoryLog(),
    telemetry: [telemetry],
    overload: false,
    listeners: [],
    clusters: [check('known', 'test.Echo'), check('unknown', 'test.Other')],
  });
  await proxy.start();
  open.push({ close: () => proxy.stop() });
  const healthy = (name: string): number | undefined =>
    telemetry.meter.value('tulle_cluster_health_check_healthy', { cluster: name });
  await until(() => healthy('known') === 1);
  serving = 2;
  await until(() => healthy('known') === 0);
  serving = 1;
  await until(() => healthy('known') === 1);
  expect(healthy('unknown')).toBe(0);
});
