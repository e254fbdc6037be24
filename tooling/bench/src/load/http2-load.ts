import net from 'node:net';
import { grpcMessage } from '../wire/grpc-message.ts';
import { H2Connection } from '../wire/h2-connection.ts';
import { saysOk, type Fields } from '../wire/header-encoder.ts';
import { Tally, type Http2Round, type RoundResult } from './round.ts';

const COMMON: Fields = [
  [':scheme', 'http'],
  [':authority', 'shop.example'],
  ['user-agent', 'bench/1.0'],
  ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00'],
  ['x-request-id', '5f2c1f0e-9c1d-4d6e-8f57-0f6c2d3b4a59'],
];
const GET: Fields = [
  [':method', 'GET'],
  [':path', '/items/42?color=blue'],
  ...COMMON,
  ['accept', 'application/json'],
  ['accept-encoding', 'identity'],
  ['cookie', 'session=0123456789abcdef'],
];
const CALL: Fields = [
  [':method', 'POST'],
  [':path', '/shop.Orders/Get'],
  ...COMMON,
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
];

/** The fields of a request that are not pseudo-header fields, for a generator that is another program. */
export function plainFields(sends: Http2Round['sends']): Fields {
  return (sends === 'request' ? GET : CALL).filter(([name]) => !name.startsWith(':'));
}

interface Stream {
  begun: number;
  ok: boolean;
  /** Bytes of the message that is coming back. */
  received: number;
  ending: boolean;
}

/** One round of HTTP/2. Connections are the round's own. */
export function http2Load(round: Http2Round): Promise<RoundResult> {
  const tally = new Tally();
  const endAt = performance.now() + round.durationMs;
  return new Promise((resolve) => {
    let open = round.connections;
    for (let i = 0; i < round.connections; i++)
      connect(round, tally, endAt, () => {
        if (--open === 0) resolve(tally.result());
      });
  });
}

function connect(round: Http2Round, tally: Tally, endAt: number, ended: () => void): void {
  const { sends } = round;
  const message = grpcMessage(round.messageBytes);
  const streams = new Map<number, Stream>();
  const socket = net.connect(round.port, '127.0.0.1');
  socket.setNoDelay(true);
  let nextId = 1;
  let closed = false;
  const over = (error?: string): void => {
    if (closed) return;
    closed = true;
    if (error !== undefined) tally.failed(error);
    socket.destroy();
    ended();
  };
  const begin = (): void => {
    const id = nextId;
    nextId += 2;
    streams.set(id, { begun: performance.now(), ok: false, received: 0, ending: false });
    connection.sendHeaders(id, sends === 'request' ? GET : CALL, sends === 'request');
    if (sends !== 'request') connection.sendData(id, message, sends === 'grpc-unary');
  };
  const finished = (id: number, stream: Stream): void => {
    streams.delete(id);
    connection.forget(id);
    if (!stream.ok) over('a response was not 200');
    else if (sends !== 'messages') tally.latencies.push(performance.now() - stream.begun);
    else if (!stream.ending) over('a stream ended by itself');
    if (closed) return;
    if (performance.now() < endAt && sends !== 'messages') begin();
    else if (streams.size === 0) over();
  };
  const connection = new H2Connection(
    socket,
    {
      headers(id, endStream, block) {
        const stream = streams.get(id);
        if (stream === undefined) return;
        stream.ok ||= saysOk(block);
        if (endStream) finished(id, stream);
      },
      data(id, bytes, endStream) {
        const stream = streams.get(id);
        if (stream === undefined) return;
        if (sends === 'messages') returned(id, stream, bytes.length);
        if (endStream) finished(id, stream);
      },
      reset: (_id, code) => over(`a stream was reset with ${code}`),
    },
    { role: 'client' },
  );
  const returned = (id: number, stream: Stream, bytes: number): void => {
    stream.received += bytes;
    if (stream.received < message.length) return;
    stream.received -= message.length;
    const now = performance.now();
    tally.latencies.push(now - stream.begun);
    stream.begun = now;
    stream.ending = now >= endAt;
    connection.sendData(id, stream.ending ? Buffer.alloc(0) : message, stream.ending);
  };
  socket.on('connect', () => {
    for (let i = 0; i < round.streams; i++) begin();
    connection.flush();
  });
  socket.on('error', (error) => over(error.message));
  socket.on('close', () => over('the connection was closed'));
}
