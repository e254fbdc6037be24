import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import {
  ACK,
  block,
  CONTINUATION,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  HEADER_TABLE_SIZE,
  HEADERS,
  headers,
  PING,
  SETTINGS,
  settings,
} from './frames.ts';
import { FrameReader, type Frame } from './reader.ts';

/** What to do instead of the usual when the next request's head is whole. */
export interface Http2Script {
  /** Frames; a stream id of 1 stands for that of the request, 3 for one that the client never opened. */
  readonly reply: (streamId: number) => readonly Buffer[];
  readonly close: boolean;
  readonly done: () => void;
}

/** A connection that the proxy made. */
export interface ScriptedConnection {
  readonly socket: net.Socket;
  /** Heads of requests that came on it. */
  requests: number;
  /** The script ran here when so many had come. */
  scriptedAt: number | undefined;
  goaway: boolean;
}

const PREFACE_BYTES = 24;

/**
 * An HTTP/2 origin of a few frames that checks nothing. It answers each request with its method and path, which it finds
 * because the proxy is told to keep no table and writes what it does not keep plainly; the armed script once, instead.
 */
export class ScriptedOrigin {
  readonly connections: ScriptedConnection[] = [];
  readonly #server: net.Server = net.createServer((socket) => this.#serve(socket));
  #script: Http2Script | undefined = undefined;
  /** Instead of SETTINGS, for the next connection. */
  hello: Buffer | undefined = undefined;
  /** Called for every frame of every connection, before the usual is done; true: do not. */
  intercept: ((it: Frame, socket: net.Socket) => boolean) | undefined = undefined;

  async start(port = 0): Promise<number> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  arm(script: Http2Script): void {
    this.#script = script;
  }

  /** @returns whether it was still waiting for a request */
  disarm(): boolean {
    const waited = this.#script !== undefined;
    this.#script = undefined;
    return waited;
  }

  #serve(socket: net.Socket): void {
    const record: ScriptedConnection = { socket, requests: 0, scriptedAt: undefined, goaway: false };
    this.connections.push(record);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    const reader = new FrameReader();
    let preface = PREFACE_BYTES;
    let headBlock: Buffer = Buffer.alloc(0);
    socket.write(this.hello ?? settings([HEADER_TABLE_SIZE, 0]));
    this.hello = undefined;
    socket.on('data', (chunk: Buffer) => {
      const skipped = Math.min(preface, chunk.length);
      preface -= skipped;
      for (const it of reader.push(chunk.subarray(skipped))) {
        if (this.intercept?.(it, socket) === true) continue;
        if (it.type === SETTINGS && (it.flags & ACK) === 0) socket.write(frame(SETTINGS, ACK, 0));
        if (it.type === PING && (it.flags & ACK) === 0) socket.write(frame(PING, ACK, 0, it.payload));
        if (it.type !== HEADERS && it.type !== CONTINUATION) continue;
        headBlock = Buffer.concat([headBlock, it.payload]);
        if ((it.flags & END_HEADERS) === 0) continue;
        const path = /\/(?:probe|r|t)\/[0-9a-z/]+/.exec(headBlock.toString('latin1'))?.[0];
        headBlock = Buffer.alloc(0);
        if (path === undefined) continue;
        record.requests++;
        void this.#answer(record, it.streamId, path);
      }
    });
  }

  async #answer(record: ScriptedConnection, streamId: number, path: string): Promise<void> {
    const script = path.startsWith('/r/') ? this.#script : undefined;
    const { socket } = record;
    if (script === undefined) {
      const body = `GET ${path}`;
      socket.write(
        Buffer.concat([
          headers(
            streamId,
            [
              [':status', '200'],
              ['content-length', String(body.length)],
            ],
            0,
          ),
          data(streamId, body, END_STREAM),
        ]),
      );
      return;
    }
    this.#script = undefined;
    record.scriptedAt = record.requests;
    for (const piece of script.reply(streamId)) {
      if (socket.destroyed) break;
      socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (script.close) socket.end();
    script.done();
  }
}

/** HEADERS of a response. */
export const answer = (streamId: number, fields: readonly (readonly [string, string])[], flags = 0): Buffer =>
  frame(HEADERS, flags | END_HEADERS, streamId, block(fields));
