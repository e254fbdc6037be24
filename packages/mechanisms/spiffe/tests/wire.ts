import { once } from 'node:events';
import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { connect, TLSSocket } from 'node:tls';
import type { MeshTls } from '../src/mesh-tls.ts';
import { refusal, refusalOfError } from '../src/refusal.ts';
import type { PeerVerdict } from '../src/verifier.ts';

/** One accepted connection as its server saw it. */
export interface Seen {
  readonly verdict: PeerVerdict;
  readonly reused: boolean;
}

/** A server as the engine is one: raw sockets, wrapped, judged before a byte is read. Echoes to peers that pass. */
export interface EchoServer {
  readonly port: number;
  /** The next judged connection, in order. */
  next(): Promise<Seen>;
  /** Bytes of requests that were read from anybody. */
  readonly bytesBelieved: number;
  close(): Promise<void>;
}

export async function echoServer(mesh: MeshTls, expected?: readonly string[]): Promise<EchoServer> {
  const seen: Seen[] = [];
  const waiting: ((one: Seen) => void)[] = [];
  const sockets = new Set<Socket>();
  let bytes = 0;
  const tell = (one: Seen): void => {
    const waiter = waiting.shift();
    if (waiter === undefined) seen.push(one);
    else waiter(one);
  };
  const server: Server = createServer((raw) => {
    sockets.add(raw);
    raw.on('close', () => sockets.delete(raw));
    raw.on('error', () => undefined);
    const handshake = mesh.inbound({ alpn: ['http/1.1'], ...(expected === undefined ? {} : { expected }) });
    if (handshake === undefined) {
      tell({ verdict: refusal('no-identity', ''), reused: false });
      raw.destroy();
      return;
    }
    const socket = new TLSSocket(raw, handshake.options);
    let done = false;
    socket.on('error', (error: Error) => {
      if (!done) tell({ verdict: refusalOfError(error), reused: false });
      done = true;
      raw.destroy();
    });
    socket.on('secure', () => {
      done = true;
      const verdict = handshake.verify(socket);
      tell({ verdict, reused: socket.isSessionReused() });
      if (!verdict.ok) {
        socket.destroy();
        return;
      }
      socket.on('data', (data: Buffer) => {
        bytes += data.length;
        socket.write(data);
      });
      socket.on('end', () => socket.end());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    next: () => {
      const one = seen.shift();
      return one === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(one);
    },
    get bytesBelieved() {
      return bytes;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

export interface Dialled {
  readonly verdict: PeerVerdict;
  readonly reused: boolean;
  /** What came back of what was sent; undefined when the connection ended instead. */
  readonly echo: string | undefined;
}

/** Connects, judges, and only then says `ping`; waits for the echo or the end. */
export async function dial(
  mesh: MeshTls,
  port: number,
  request: Parameters<MeshTls['outbound']>[0] = {},
): Promise<Dialled> {
  const handshake = mesh.outbound({ alpn: ['http/1.1'], ...request });
  if (handshake === undefined) return { verdict: refusal('no-identity', ''), reused: false, echo: undefined };
  const socket = connect({ host: '127.0.0.1', port, ...handshake.options });
  return new Promise((resolve) => {
    let verdict: PeerVerdict | undefined;
    let reused = false;
    let echo: string | undefined;
    let failure: Error | undefined;
    socket.on('error', (error: Error) => (failure = error));
    socket.on('secureConnect', () => {
      verdict = handshake.verify(socket);
      reused = socket.isSessionReused();
      if (verdict.ok) socket.write('ping');
      else socket.destroy();
    });
    socket.on('data', (data: Buffer) => {
      echo = data.toString();
      socket.end();
    });
    socket.on('close', () =>
      resolve({ verdict: verdict ?? refusalOfError(failure ?? new Error('closed')), reused, echo }),
    );
  });
}

/** Writes plain bytes and waits for the end of the connection. */
export async function sayPlainly(port: number, text: string): Promise<void> {
  const socket = connectTcp(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(text);
  socket.resume();
  await once(socket, 'close');
}
