import { connect, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { type Message, readMessage } from '@tulle/testkit';
import type { ClientTls, Exchange } from './configuration.ts';
import { LISTENER_ADDRESS } from './loopback.ts';
import type { Reply } from './reply.ts';

/** How long the client waits for an answer, or for a connection to show whether it stays. */
const PATIENCE_MS = 8_000;

/** What the client knows of certificates. */
export interface ClientCredentials {
  readonly ca: string;
  pair(name: string): { readonly cert: string; readonly key: string };
}

/** A connection to a listener. @throws Error when it is refused */
export async function dial(
  port: number,
  tls: ClientTls | undefined,
  known: ClientCredentials,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket =
      tls === undefined
        ? connect({ host: LISTENER_ADDRESS, port, allowHalfOpen: true })
        : connectTls({
            host: LISTENER_ADDRESS,
            port,
            ca: known.ca,
            rejectUnauthorized: false,
            ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
            ...(tls.certificate === undefined ? {} : known.pair(tls.certificate)),
            ...(tls.alpn === undefined ? {} : { ALPNProtocols: [...tls.alpn] }),
            ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
          });
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      socket.removeAllListeners('error').on('error', () => undefined);
      socket.setNoDelay(true);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** What came of a handshake. */
export function spokenOf(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const { subject } = socket.getPeerCertificate();
  return `${String(subject?.CN ?? 'nobody')}, ${socket.getProtocol() ?? 'no version'}, ${socket.alpnProtocol || 'no protocol'}`;
}

/** A request as text. */
export function textOf(exchange: Exchange): string {
  const {
    method = 'GET',
    path = '/',
    host = 'one.test',
    headers = [],
    body,
    chunked,
    trailers = [],
  } = exchange;
  const head = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  if (body !== undefined)
    head.push(chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`);
  const start = `${head.join('\r\n')}\r\n\r\n`;
  if (body === undefined) return start;
  if (!chunked) return start + body;
  const chunk = body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`;
  return `${start}${chunk}0\r\n${trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

/** Sends one request over a connection of its own, reads what comes, and finds out whether the connection stays. */
export async function askHttp1(port: number, exchange: Exchange, known: ClientCredentials): Promise<Reply> {
  let socket: Socket;
  try {
    socket = await dial(port, exchange.tls, known);
  } catch (error) {
    return { outcome: 'no connection', note: String((error as { code?: string }).code ?? error) };
  }
  const head = exchange.method === 'HEAD';
  const tls = spokenOf(socket);
  return new Promise((resolve) => {
    let text = '';
    let ended = false;
    let final: Message | undefined;
    let probed = false;
    /** What is not sent yet, and what sends it. */
    const held: { rest?: Buffer | undefined; timer?: NodeJS.Timeout } = {};
    const interim: number[] = [];
    const deadline = setTimeout(
      () => finish(final === undefined ? 'nothing comes' : 'answered', 'silent'),
      PATIENCE_MS,
    );
    const finish = (outcome: Reply['outcome'], fate: Reply['fate'], note?: string): void => {
      clearTimeout(deadline);
      clearTimeout(held.timer);
      socket.removeAllListeners('data').destroy();
      resolve({
        outcome,
        ...(final === undefined
          ? {}
          : {
              status: Number(final.start.slice(9, 12)),
              headers: final.headers,
              body: final.body,
              trailers: final.trailers,
              interim,
            }),
        ...(fate === undefined ? {} : { fate }),
        ...(note === undefined ? {} : { note }),
        ...(tls === undefined ? {} : { tls }),
      });
    };
    const look = (): void => {
      try {
        while (final === undefined) {
          const message = readMessage(text, head ? 'head-response' : 'response', ended);
          if (message === undefined) break;
          text = text.slice(message.bytes);
          const status = Number(message.start.slice(9, 12));
          if (status >= 200 || status === 101) final = message;
          else interim.push(status);
        }
      } catch (error) {
        return finish('invalid', undefined, (error as Error).message);
      }
      if (final === undefined) {
        if (ended) finish(text === '' ? 'ended' : 'cut', undefined);
        return;
      }
      if (text !== '') return finish('answered', 'open');
      if (ended) return finish('answered', 'closed');
      if (probed) return;
      probed = true;
      if (held.rest !== undefined) socket.write(held.rest);
      clearTimeout(held.timer);
      // What is no HTTP is answered by any proxy that still listens, and reaches no filter and no origin.
      const closes = final.headers.some(([name, value]) => name === 'connection' && /close/i.test(value));
      if (!closes && final.start.slice(9, 12) !== '101') socket.write('NO HTTP\r\n\r\n');
    };
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
      look();
    });
    const over = (): void => {
      if (ended) return;
      ended = true;
      look();
    };
    socket.on('end', over).on('close', over);
    const request = Buffer.from(textOf(exchange), 'latin1');
    const { pauseMs, body = '' } = exchange;
    const sent = request.length - (pauseMs === undefined ? 0 : Math.ceil(body.length / 2));
    socket.write(request.subarray(0, sent));
    if (sent === request.length) return;
    held.rest = request.subarray(sent);
    held.timer = setTimeout(() => {
      socket.write(request.subarray(sent));
      held.rest = undefined;
    }, pauseMs);
  });
}
