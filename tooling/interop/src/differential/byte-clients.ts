import type { Socket } from 'node:net';
import { readMessage } from '@tulle/testkit';
import type { Exchange } from './configuration.ts';
import { type ClientCredentials, dial, spokenOf } from './http1-client.ts';
import type { Reply } from './reply.ts';

/** How long bytes may lead to nothing. */
const PATIENCE_MS = 3_000;

/** What is asked last: an area that asks raw has a route for it, which answers by itself. */
export const PROBE_PATH = '/probe';
const PROBE = `GET ${PROBE_PATH} HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n`;

/** What came back for some bytes. */
interface Heard {
  readonly text: string;
  readonly fate: 'closed' | 'silent' | 'enough';
}

/** Writes bytes and reads until the other side ends, enough has come, or nothing more comes. */
async function say(
  socket: Socket,
  { bytes = '', half, after }: Exchange,
  heard: (text: string) => string | undefined,
): Promise<Heard> {
  return new Promise((resolve) => {
    let text = '';
    const finish = (fate: Heard['fate']): void => {
      clearTimeout(deadline);
      socket.removeAllListeners('data').destroy();
      resolve({ text, fate });
    };
    const deadline = setTimeout(() => finish('silent'), PATIENCE_MS);
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
      const next = heard(text);
      if (next === 'enough') {
        if (after === 'reset') socket.resetAndDestroy();
        if (after !== 'wait') finish('enough');
      } else if (next !== undefined && half !== true) socket.write(next);
    });
    socket.on('end', () => finish('closed')).on('close', () => finish('closed'));
    if (bytes !== '') socket.write(Buffer.from(bytes, 'latin1'));
    if (half === true) socket.end();
  });
}

/** Writes bytes to what may take them for HTTP/1, and reads answers until the connection ends. */
export async function askRaw(port: number, exchange: Exchange, known: ClientCredentials): Promise<Reply> {
  const socket = await dialed(port, exchange, known);
  if (!('write' in socket)) return socket;
  const head = exchange.bytes?.startsWith('HEAD') === true;
  let probed = false;
  const { text, fate } = await say(socket, exchange, (so) => {
    if (probed || !/^HTTP\/1\.[01] [2-5].*\r\n\r\n/s.test(so)) return undefined;
    probed = true;
    return PROBE; // so that a connection that stays is answered once more, and ends
  });
  const statuses: string[] = [];
  let rest = text;
  let first: Reply | undefined;
  try {
    while (rest !== '') {
      const message = readMessage(rest, head ? 'head-response' : 'response', fate === 'closed');
      if (message === undefined) break;
      rest = rest.slice(message.bytes);
      const status = message.start.slice(9, 12);
      statuses.push(status);
      if (Number(status) >= 200)
        first ??= {
          outcome: 'answered',
          status: Number(status),
          headers: message.headers,
          body: message.body,
        };
    }
  } catch (error) {
    return { outcome: 'invalid', note: (error as Error).message };
  }
  if (first === undefined)
    return { outcome: fate === 'silent' ? 'nothing comes' : text === '' ? 'ended' : 'cut' };
  return {
    ...first,
    statuses,
    fate: fate === 'silent' ? 'silent' : 'closed',
    ...(rest === '' ? {} : { note: 'cut' }),
  };
}

/** Writes bytes, and reads as many as an echo has, or until the other side ends. */
export async function askTcp(port: number, exchange: Exchange, known: ClientCredentials): Promise<Reply> {
  const socket = await dialed(port, exchange, known);
  if (!('write' in socket)) return socket;
  const { bytes = '' } = exchange;
  const tls = spokenOf(socket);
  const { text, fate } = await say(socket, exchange, (so) =>
    exchange.half !== true && so.length >= bytes.length && so.endsWith(bytes) ? 'enough' : undefined,
  );
  return {
    outcome: text === '' ? (fate === 'silent' ? 'nothing comes' : 'ended') : 'answered',
    body: text,
    fate: fate === 'enough' ? 'open' : fate,
    ...(tls === undefined ? {} : { tls }),
  };
}

async function dialed(port: number, exchange: Exchange, known: ClientCredentials): Promise<Socket | Reply> {
  try {
    return await dial(port, exchange.tls, known);
  } catch (error) {
    const code = String((error as { code?: string }).code ?? error);
    // It was taken, and ended before this side looked.
    if (code === 'ECONNRESET' && exchange.tls === undefined)
      return exchange.protocol === 'tcp'
        ? { outcome: 'ended', body: '', fate: 'closed' }
        : { outcome: 'ended' };
    return { outcome: 'no connection', note: code };
  }
}
