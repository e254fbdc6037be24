/**
 * Prints what the codec costs a proxy: CPU microseconds of one proxied request, decode and encode of both messages, windows and stream
 * states included, sockets not; bytes allocated for it; and the memory of an idle stream and of a connection at rest. A client, the pipe and an
 * origin stand back to back in one process; only the pipe is timed.
 * Run: `node --expose-gc packages/mechanisms/http2/bench/codec.ts [seconds per line]`
 */
import { ByteWriter, FieldTable } from '@tulle/fields';
import { RequestHead, ResponseHead } from '@tulle/http1';
import {
  ClientSession,
  type FrameOutput,
  type Http2Events,
  type Http2Stream,
  ServerSession,
} from '../src/index.ts';
import { Pipe } from './pipe.ts';

const SECONDS = Number(process.argv[2] ?? 2);
const CONNECTIONS = 8;

/** CPU microseconds of this thread: on a busy machine, time that passes says little. */
function since(began: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(began);
  return user + system;
}

/** Output that hands over what gathered, without copying. */
class Gathered implements FrameOutput {
  bytes = 0;
  readonly #writer: ByteWriter = new ByteWriter(65_536);
  writer(): ByteWriter {
    return this.#writer;
  }
  get queuedBytes(): number {
    return this.#writer.length;
  }
  piece(chunk: Buffer, start: number, end: number): boolean {
    this.#writer.bytes(chunk, start, end);
    return false;
  }
  /** Valid until the next frame is written. */
  take(): Buffer {
    const bytes = this.#writer.view();
    this.bytes += bytes.length;
    this.#writer.clear();
    return bytes;
  }
}

function events<U>(on: Partial<Http2Events<U>>): Http2Events<U> {
  return {
    requestHead: () => undefined,
    onHead() {},
    onHeadFault() {},
    onInformational() {},
    onData() {},
    onEnd() {},
    onReset(_stream, code, cause) {
      throw new Error(`a stream was reset: ${code} by ${cause}`);
    },
    onClosed() {},
    onDrain() {},
    onSettings() {},
    onSettingsAck() {},
    onGoaway() {},
    onPong() {},
    onStreamFault() {},
    onFault(fault) {
      throw new Error(`the connection ended: ${fault.rule}`);
    },
    ...on,
  };
}

const hex = (digits: number): string =>
  Array.from({ length: digits }, () => Math.floor(Math.random() * 16).toString(16)).join('');

/** What an origin answers with. */
interface Shape {
  readonly name: string;
  readonly streams: number;
  readonly bodyBytes: number;
  readonly fields: (table: FieldTable) => void;
}

const PLAIN = (table: FieldTable): void => {
  table.add('user-agent', 'h2load nghttp2/1.52.0');
  table.add('accept', '*/*');
};
const USUAL = (table: FieldTable): void => {
  table.add('user-agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36');
  table.add('accept', 'application/json');
  table.add('accept-encoding', 'gzip, deflate, br');
  table.add('accept-language', 'en');
  table.add('x-request-id', `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`);
  table.add('traceparent', `00-${hex(32)}-${hex(16)}-01`);
};

const SHAPES: readonly Shape[] = [
  { name: '16 streams each, 3 fields, 64 bytes', streams: 16, bodyBytes: 64, fields: PLAIN },
  { name: '16 streams each, 6 fields, 2 of them new, 64 bytes', streams: 16, bodyBytes: 64, fields: USUAL },
  { name: '1 stream each, 3 fields, 64 bytes', streams: 1, bodyBytes: 64, fields: PLAIN },
  { name: '4 streams each, 3 fields, 64 KiB', streams: 4, bodyBytes: 65_536, fields: PLAIN },
];

function measure(shape: Shape): void {
  const upOut = new Gathered();
  const pipe = new Pipe(upOut);
  const originOut = new Gathered();
  const body = Buffer.alloc(shape.bodyBytes, 'x');
  const answer = new FieldTable();
  answer.add('content-type', 'text/plain');
  answer.add('server', 'origin');
  answer.add('date', 'Thu, 01 Jan 1970 00:00:00 GMT');
  const originHeads: RequestHead[] = [];
  const origin: ServerSession<RequestHead> = new ServerSession<RequestHead>(
    events<RequestHead>({
      requestHead: (stream) => (stream.user = originHeads.pop() ?? new RequestHead()),
      onHead(stream) {
        originHeads.push(stream.user);
        origin.writeHead(stream, 200, answer, body.length, false);
        origin.writeData(stream, body, 0, body.length, true, true);
      },
    }),
    originOut,
    { outputBytes: 1e9, maxOutputBytes: 2e9 },
  );
  origin.start();
  const downOuts: Gathered[] = [];
  const clientOuts: Gathered[] = [];
  const head = new ResponseHead();
  const clients: ClientSession<undefined>[] = [];
  let done = 0;
  for (let i = 0; i < CONNECTIONS; i++) {
    const out = new Gathered();
    const client: ClientSession<undefined> = new ClientSession<undefined>(
      events<undefined>({
        onData(stream: Http2Stream<undefined>, _chunk, start, end) {
          client.consume(stream, end - start);
        },
        onClosed() {
          done++;
        },
      }),
      out,
    );
    client.start();
    clients.push(client);
    clientOuts.push(out);
    downOuts.push(new Gathered());
  }
  const servers = downOuts.map((out) => pipe.serve(out));
  const tables = Array.from({ length: 64 }, () => {
    const table = new FieldTable();
    shape.fields(table);
    return table;
  });
  let turn = 0;
  let spentUs = 0;
  let requests = 0;
  /** Carries what everybody has to say; only the pipe's part is timed. */
  const round = (): void => {
    let began = process.threadCpuUsage();
    for (let i = 0; i < CONNECTIONS; i++) {
      const bytes = (clientOuts[i] as Gathered).take();
      (servers[i] as ServerSession<unknown>).receive(bytes, 0, bytes.length, 0);
    }
    spentUs += since(began);
    const up = upOut.take();
    origin.receive(up, 0, up.length, 0);
    const down = originOut.take();
    began = process.threadCpuUsage();
    for (let at = 0; at < down.length; at += 65_536)
      pipe.upstream.receive(down, at, Math.min(down.length, at + 65_536), 0);
    spentUs += since(began);
    for (let i = 0; i < CONNECTIONS; i++) {
      const bytes = (downOuts[i] as Gathered).take();
      const client = clients[i] as ClientSession<undefined>;
      client.receive(bytes, 0, bytes.length, 0);
    }
  };
  const batch = (): void => {
    for (const client of clients) {
      for (let n = 0; n < shape.streams; n++) {
        const stream = client.open(undefined, head);
        const table = tables[turn++ & 63] as FieldTable;
        client.writeRequestHead(stream, 'GET', 'http', '127.0.0.1:8080', '/', table, -1, true);
      }
    }
    requests += CONNECTIONS * shape.streams;
    while (done < requests) {
      round();
      pipe.upstream.pump();
      for (const server of servers) server.pump();
    }
  };
  for (let i = 0; i < 4; i++) round();
  const run = (seconds: number): void => {
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) batch();
  };
  run(Math.min(1, SECONDS));
  spentUs = 0;
  let from = requests;
  run(SECONDS);
  const us = spentUs / (requests - from);
  globalThis.gc?.();
  from = requests;
  const before = process.memoryUsage();
  for (let i = 0; i < 40; i++) batch();
  const after = process.memoryUsage();
  const bytes = (after.heapUsed + after.external - before.heapUsed - before.external) / (requests - from);
  process.stdout.write(
    `${shape.name}: ${us.toFixed(2)} µs/request; client, pipe and origin together allocate ${Math.round(bytes)} bytes\n`,
  );
}

/** Serves one request on each of many connections, and leaves them. */
function idleConnections(): void {
  const serverOut = new Gathered();
  const scratch = new RequestHead();
  const head = new ResponseHead();
  const fields = new FieldTable();
  PLAIN(fields);
  const kept: ServerSession<undefined>[] = [];
  const serve = (): void => {
    const clientOut = new Gathered();
    const client = new ClientSession<undefined>(events<undefined>({}), clientOut);
    const server: ServerSession<undefined> = new ServerSession<undefined>(
      events<undefined>({
        requestHead: () => scratch,
        onHead: (stream) => void server.writeHead(stream, 204, fields, -1, true),
      }),
      serverOut,
    );
    client.start();
    server.start();
    client.writeRequestHead(client.open(undefined, head), 'GET', 'http', 'a.example', '/', fields, -1, true);
    for (let i = 0; i < 2; i++) {
      const up = clientOut.take();
      server.receive(up, 0, up.length, 0);
      const down = serverOut.take();
      client.receive(down, 0, down.length, 0);
    }
    if (client.openStreams !== 0) throw new Error('a request was not answered');
    kept.push(server);
  };
  for (let i = 0; i < 100; i++) serve();
  const before = heldBytes();
  for (let i = 0; i < 2000; i++) serve();
  process.stdout.write(
    `a connection at rest after one request: ${Math.round((heldBytes() - before) / 2000)} bytes, its compression tables included\n`,
  );
}

function heldBytes(): number {
  // twice: buffers are let go by the second
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Opens streams and leaves them, on the server's side and on the client's. */
function idleStreams(): void {
  const count = 10_000;
  const clientOut = new Gathered();
  const serverOut = new Gathered();
  const client = new ClientSession<undefined>(events<undefined>({}), clientOut, {
    maxConcurrentStreams: count,
  });
  const server: ServerSession<undefined> = new ServerSession<undefined>(
    events<undefined>({ requestHead: () => scratch }),
    serverOut,
    { maxConcurrentStreams: count },
  );
  const scratch = new RequestHead();
  const head = new ResponseHead();
  client.start();
  server.start();
  const carry = (): void => {
    const up = clientOut.take();
    server.receive(up, 0, up.length, 0);
    const down = serverOut.take();
    client.receive(down, 0, down.length, 0);
  };
  carry();
  carry();
  const fields = new FieldTable();
  PLAIN(fields);
  const before = heldBytes();
  while (client.openStreams < count) {
    for (let i = 0; i < 100; i++)
      client.writeRequestHead(
        client.open(undefined, head),
        'POST',
        'http',
        'a.example',
        '/',
        fields,
        -1,
        false,
      );
    carry();
  }
  const both = (heldBytes() - before) / count;
  if (server.openStreams !== count) throw new Error(`the server has ${server.openStreams} streams`);
  process.stdout.write(`an idle stream: ${Math.round(both / 2)} bytes a side, without its heads\n`);
}

if (globalThis.gc === undefined) process.stdout.write('memory: run with --expose-gc\n');
else {
  idleStreams();
  idleConnections();
}
for (const shape of SHAPES) measure(shape);
