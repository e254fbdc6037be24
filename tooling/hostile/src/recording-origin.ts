import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Recorder } from './http2/recorder.ts';
import { checkRequest, type CheckedRequest } from './strict-check.ts';

/** A valid request, and which one it was of all on all connections. */
export interface SeenRequest extends CheckedRequest {
  readonly arrival: number;
}

/** One connection that the proxy made, with every byte that came on it. */
export interface OriginConnection {
  readonly id: number;
  /** Latin1. */
  text: string;
  readonly requests: SeenRequest[];
  /** Why the strict check refused what came. */
  invalid: string | undefined;
  /** A scripted answer was given here; from this many requests on, a further one means that the proxy used it again. */
  scriptedAt: number | undefined;
  /** From here on the bytes are a tunnel's. */
  tunnelAt: number | undefined;
  closed: boolean;
}

/** What to answer to one request, instead of the usual. */
export interface Script {
  readonly pieces: readonly Buffer[];
  readonly close: boolean;
  readonly tunnel: boolean;
  /** Called when the last piece is written. */
  readonly done: () => void;
}

const NEXT_TURN = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * An origin that keeps every byte. It answers each valid request with its method and target, so that a client can tell
 * whose answer it got; requests of `/r/<mark>` get a scripted answer as soon as their head is there.
 */
export class RecordingOrigin implements Recorder {
  readonly connections: OriginConnection[] = [];
  readonly scripts: Map<string, Script> = new Map();
  readonly #server: net.Server = net.createServer((socket) => this.#serve(socket));
  #arrivals = 0;
  readonly #sockets: Set<net.Socket> = new Set();

  async start(port = 0): Promise<number> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Requests that carry `mark` in target or X-Mark, as they arrived. */
  seen(mark: string): SeenRequest[] {
    return this.connections
      .flatMap(({ requests }) => requests.filter((request) => markOf(request) === mark))
      .sort((one, other) => one.arrival - other.arrival);
  }

  #serve(socket: net.Socket): void {
    const record: OriginConnection = {
      id: this.connections.length,
      text: '',
      requests: [],
      invalid: undefined,
      scriptedAt: undefined,
      tunnelAt: undefined,
      closed: false,
    };
    this.connections.push(record);
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => {
      record.closed = true;
      this.#sockets.delete(socket);
    });
    let at = 0;
    let continued = false;
    let scripted = false;
    socket.on('data', (chunk: Buffer) => {
      record.text += chunk.toString('latin1');
      while (record.invalid === undefined && record.tunnelAt === undefined) {
        const checked = checkRequest(record.text, at);
        if (checked.kind === 'invalid') {
          record.invalid = checked.why;
          socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
          return;
        }
        const head = checked.kind === 'whole' ? checked.message : checked.head;
        if (head === undefined) return;
        const script = scripted ? undefined : this.scripts.get(/^\/r\/(.{6})/.exec(head.target)?.[1] ?? '');
        if (script !== undefined) {
          scripted = true;
          record.scriptedAt = record.requests.length + 1;
          void answer(socket, script);
        }
        if (checked.kind === 'partial') {
          if (
            !continued &&
            !scripted &&
            head.fields.some(
              ([name, value]) => name.toLowerCase() === 'expect' && value.toLowerCase() === '100-continue',
            )
          ) {
            continued = true;
            socket.write('HTTP/1.1 100 Continue\r\n\r\n');
          }
          return;
        }
        record.requests.push({ ...checked.message, arrival: this.#arrivals++ });
        at = checked.message.end;
        if (script?.tunnel === true) record.tunnelAt = at;
        if (!scripted) socket.write(usualAnswer(checked.message));
        if (
          !scripted &&
          checked.message.fields.some(
            ([name, value]) => name.toLowerCase() === 'connection' && /\bclose\b/i.test(value),
          )
        ) {
          socket.end();
          return;
        }
        continued = false;
        scripted = false;
      }
    });
  }
}

/** The mark that a request carries. */
export function markOf(request: Pick<CheckedRequest, 'target' | 'fields'>): string | undefined {
  return (
    request.fields.find(([name]) => name.toLowerCase() === 'x-mark')?.[1] ??
    /\/(?:t|r|smuggled)\/(.{6})/.exec(request.target)?.[1]
  );
}

function usualAnswer({ method, target }: CheckedRequest): string {
  const body = `${method} ${target}`;
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${method === 'HEAD' ? '' : body}`;
}

async function answer(socket: net.Socket, script: Script): Promise<void> {
  for (const piece of script.pieces) {
    if (socket.destroyed) break;
    socket.write(piece);
    await NEXT_TURN();
  }
  if (script.close) socket.end();
  script.done();
}
