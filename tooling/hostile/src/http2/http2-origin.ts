import { once } from 'node:events';
import * as http2 from 'node:http2';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { markOf } from '../recording-origin.ts';
import { FrameReader } from './reader.ts';
import { GOAWAY, RST_STREAM } from './frames.ts';
import { relay } from './relay.ts';
import type { Recorder, RecordedRequest } from './recorder.ts';

/** Error codes by which `node:http2` (nghttp2) says that what came was no HTTP/2: all but these are the peer's fault. */
const NO_FAULT: ReadonlySet<number> = new Set([
  http2.constants.NGHTTP2_NO_ERROR,
  http2.constants.NGHTTP2_CANCEL,
  http2.constants.NGHTTP2_REFUSED_STREAM,
]);

/**
 * An HTTP/2 origin that keeps what arrives. `node:http2` with its strict checks reads it, in memory behind the socket, so
 * that also the resets and GOAWAY by which it refuses something are seen; the head of each request is checked again here.
 */
export class Http2Origin implements Recorder {
  readonly requests: RecordedRequest[] = [];
  readonly faults: string[] = [];
  readonly #net: net.Server = net.createServer((socket) => this.#accept(socket));
  readonly #http2: http2.Http2Server = http2.createServer();
  readonly #sockets: Set<net.Socket> = new Set();
  /** RST_STREAM frames that came. */
  resetsSeen = 0;

  constructor() {
    this.#http2.on('stream', (stream, _headers, _flags, raw: string[]) => this.#serve(stream, raw));
    this.#http2.on('sessionError', () => {});
  }

  async start(port = 0): Promise<number> {
    this.#net.listen(port, '127.0.0.1');
    await once(this.#net, 'listening');
    return (this.#net.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#net.close();
    await once(this.#net, 'close');
  }

  seen(mark: string): RecordedRequest[] {
    return this.requests.filter((request) => markOf(request) === mark);
  }

  #accept(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    const toClient = new FrameReader();
    const toServer = new FrameReader();
    let preface = 24;
    const behind = relay(
      socket,
      (chunk) => {
        const skipped = Math.min(preface, chunk.length);
        preface -= skipped;
        for (const { type } of toServer.push(chunk.subarray(skipped)))
          if (type === RST_STREAM) this.resetsSeen++;
      },
      (chunk) => {
        for (const { type, payload } of toClient.push(chunk)) {
          const code =
            type === RST_STREAM ? payload.readUInt32BE(0) : type === GOAWAY ? payload.readUInt32BE(4) : 0;
          if (!NO_FAULT.has(code))
            this.faults.push(
              `node:http2 sent ${type === GOAWAY ? 'GOAWAY' : 'RST_STREAM'} with code ${code}`,
            );
        }
      },
    );
    socket.on('close', () => this.#sockets.delete(socket));
    this.#http2.emit('connection', behind);
  }

  #serve(stream: http2.ServerHttp2Stream, raw: readonly string[]): void {
    const fields: [string, string][] = [];
    for (let i = 0; i < raw.length; i += 2) fields.push([raw[i] as string, raw[i + 1] as string]);
    const wrong = faultOf(fields);
    if (wrong !== undefined) this.faults.push(`${wrong}: ${JSON.stringify(fields).slice(0, 300)}`);
    const valueOf = (name: string): string => fields.find(([field]) => field === name)?.[1] ?? '';
    const request = {
      startLine: `${valueOf(':method')} ${valueOf(':path')} HTTP/2`,
      method: valueOf(':method'),
      target: valueOf(':path'),
      fields: [...fields.filter(([name]) => !name.startsWith(':')), ['host', valueOf(':authority')] as const],
      body: '',
      trailers: [] as [string, string][],
    };
    stream.setEncoding('latin1');
    stream.on('data', (text: string) => (request.body += text));
    stream.on('trailers', (_trailers, _flags, rawTrailers: string[]) => {
      for (let i = 0; i < rawTrailers.length; i += 2)
        request.trailers.push([rawTrailers[i] as string, rawTrailers[i + 1] as string]);
      if (request.trailers.some(([name]) => name.startsWith(':') || ONE_HOP.test(name)))
        this.faults.push(`a trailer of the framing: ${JSON.stringify(request.trailers)}`);
    });
    stream.on('error', () => {});
    stream.on('end', () => {
      if (stream.aborted) return;
      this.requests.push(request);
      if (stream.destroyed) return;
      const answer = `${request.method} ${request.target}`;
      stream.respond(
        { ':status': 200, 'content-length': answer.length },
        { endStream: request.method === 'HEAD' },
      );
      if (request.method !== 'HEAD') stream.end(answer);
    });
  }
}

const ONE_HOP = /^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade)$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const PSEUDO = [':method', ':scheme', ':path', ':authority', ':protocol'];

/** What RFC 9113 §8.2 and §8.3 forbid about the head of a request; written from them alone. */
export function faultOf(fields: readonly (readonly [string, string])[]): string | undefined {
  const regular = fields.findIndex(([name]) => !name.startsWith(':'));
  const names = fields.map(([name]) => name);
  if (regular >= 0 && names.slice(regular).some((name) => name.startsWith(':')))
    return 'a pseudo-header behind a field';
  for (const [name, value] of fields) {
    if (name.startsWith(':') ? !PSEUDO.includes(name) : !NAME.test(name))
      return `the name ${JSON.stringify(name)}`;
    if (!VALUE.test(value)) return `the value of ${name}`;
    if (ONE_HOP.test(name)) return `${name}, which is one hop's`;
    if (name === 'te' && value !== 'trailers') return 'te that is not trailers';
  }
  const once = (name: string): number => names.filter((other) => other === name).length;
  const valueOf = (name: string): string | undefined => fields.find(([other]) => other === name)?.[1];
  for (const name of [...PSEUDO, 'host', 'content-length'])
    if (once(name) > 1) return `${name} more than once`;
  if (once(':method') === 0) return 'no :method';
  const connect = valueOf(':method') === 'CONNECT' && once(':protocol') === 0;
  if (!connect && (once(':scheme') === 0 || !/^(?:\/[!-~]*|\*)$/.test(valueOf(':path') ?? '')))
    return 'no :scheme or no sound :path';
  const authority = valueOf(':authority') ?? valueOf('host');
  if (authority === undefined || authority === '' || /[\s@/?#,\\<>]/.test(authority))
    return 'no sound authority';
  if (once('host') === 1 && once(':authority') === 1 && valueOf('host') !== valueOf(':authority'))
    return 'host that differs';
  if (!/^\d*$/.test(valueOf('content-length') ?? '')) return 'content-length that is no number';
  return undefined;
}
