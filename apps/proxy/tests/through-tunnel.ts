import { type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from 'node:http';
import { connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { bodyOf, type Expectation, fieldsOf } from './corpus.ts';

/** What a proxy answered. */
export interface Answered {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

/** Asks once through a CONNECT over a connection to a proxy, which it closes. Where the tunnel is refused: with what. */
export async function askThroughTunnel(proxy: Duplex, one: Expectation): Promise<Answered> {
  const { to, http2 = false } = one.tunnel ?? { to: '' };
  const opened = http2 ? await openHttp2(proxy, to) : await openHttp1(proxy, to);
  try {
    return 'status' in opened ? opened : await askOver(opened, one);
  } finally {
    proxy.destroy();
  }
}

async function askOver(tunnel: Duplex, one: Expectation): Promise<Answered> {
  const body = bodyOf(one);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpRequest({
      method: one.method ?? 'GET',
      path: one.path ?? '/',
      headers: { ...fieldsOf(one), ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) },
      createConnection: () => tunnel,
    });
    request.on('response', resolve).on('error', reject).end(body);
  });
  let text = '';
  for await (const piece of response.setEncoding('latin1')) text += String(piece);
  return { status: response.statusCode ?? 0, body: text, headers: response.headers };
}

async function openHttp1(proxy: Duplex, to: string): Promise<Duplex | Answered> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      method: 'CONNECT',
      path: to,
      headers: { host: to },
      createConnection: () => proxy,
    });
    // Node tells of any answer to CONNECT so.
    request.on('connect', ({ statusCode = 0, headers }, socket) =>
      resolve(statusCode === 200 ? socket : { status: statusCode, body: '', headers }),
    );
    request.on('error', reject).end();
  });
}

async function openHttp2(proxy: Duplex, to: string): Promise<Duplex | Answered> {
  const session = connect('http://proxy.example', { createConnection: () => proxy });
  const stream = session.request({ ':method': 'CONNECT', ':authority': to });
  return new Promise((resolve, reject) => {
    stream.on('response', (headers) => {
      const status = Number(headers[':status']);
      resolve(status === 200 ? stream : { status, body: '', headers });
    });
    stream.on('error', reject);
  });
}
