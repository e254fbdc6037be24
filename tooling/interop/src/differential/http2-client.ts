import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import type { Exchange, Field } from './configuration.ts';
import { type ClientCredentials, dial, spokenOf } from './http1-client.ts';
import type { Reply } from './reply.ts';

const PATIENCE_MS = 8_000;

/** Sends one request over an HTTP/2 connection of its own. */
export async function askHttp2(port: number, exchange: Exchange, known: ClientCredentials): Promise<Reply> {
  let session: ClientHttp2Session;
  let spoken: string | undefined;
  try {
    const tls = exchange.tls === undefined ? undefined : { alpn: ['h2'], ...exchange.tls };
    const socket = await dial(port, tls, known);
    spoken = spokenOf(socket);
    session = connect(`http${tls === undefined ? '' : 's'}://127.0.0.1:${port}`, {
      createConnection: () => socket,
    });
  } catch (error) {
    return { outcome: 'no connection', note: String((error as { code?: string }).code ?? error) };
  }
  session.on('error', () => undefined);
  const {
    method = 'GET',
    path = '/',
    host = 'one.test',
    headers = [],
    body,
    trailers,
    tls,
    pauseMs,
  } = exchange;
  const fields: Record<string, string | string[]> = {};
  for (const [name, value] of headers) {
    const before = fields[name.toLowerCase()];
    fields[name.toLowerCase()] = before === undefined ? value : [before, value].flat();
  }
  return new Promise((resolve) => {
    const stream = session.request(
      { ':method': method, ':path': path, ':authority': host, ':scheme': tls ? 'https' : 'http', ...fields },
      { endStream: body === undefined, waitForTrailers: trailers !== undefined },
    );
    let answer: IncomingHttpHeaders | undefined;
    let raw: Field[] = [];
    let text = '';
    let after: Field[] = [];
    const interim: number[] = [];
    const finish = (outcome: Reply['outcome'], fate: Reply['fate'], note?: string): void => {
      clearTimeout(deadline);
      session.destroy();
      resolve({
        outcome,
        ...(answer === undefined
          ? {}
          : { status: Number(answer[':status']), headers: raw, body: text, trailers: after, interim }),
        ...(fate === undefined ? {} : { fate }),
        ...(note === undefined ? {} : { note }),
        ...(spoken === undefined ? {} : { tls: spoken }),
      });
    };
    const deadline = setTimeout(
      () => finish(answer === undefined ? 'nothing comes' : 'cut', 'silent'),
      PATIENCE_MS,
    );
    stream.on('headers', (block: IncomingHttpHeaders) => interim.push(Number(block[':status'])));
    stream.on('response', (block: IncomingHttpHeaders, _flags: number, list?: readonly string[]) => {
      answer = block;
      raw = fieldsOf(list ?? []);
    });
    stream.on('trailers', (_: IncomingHttpHeaders, _flags: number, list?: readonly string[]) => {
      after = fieldsOf(list ?? []);
    });
    stream.on('data', (piece: Buffer) => void (text += piece.toString('latin1')));
    stream.on('wantTrailers', () =>
      stream.sendTrailers(Object.fromEntries((trailers ?? []).map(([name, value]) => [name, value]))),
    );
    let failed: string | undefined;
    stream.on('error', (error: Error & { readonly code?: string }) => {
      failed = error.code ?? error.message;
    });
    stream.on('close', () => {
      const code = stream.rstCode;
      const fine = code === constants.NGHTTP2_NO_ERROR || code === undefined;
      const note = fine ? failed : `stream ended with code ${code}`;
      const outcome = answer === undefined ? 'ended' : fine && failed === undefined ? 'answered' : 'cut';
      if (session.closed || session.destroyed) return finish(outcome, 'closed', note);
      session.ping((error) => finish(outcome, error === null ? 'open' : 'closed', note));
    });
    if (body === undefined) return;
    const bytes = Buffer.from(body, 'latin1');
    if (pauseMs === undefined) return void stream.end(bytes);
    const half = Math.floor(bytes.length / 2);
    stream.write(bytes.subarray(0, half));
    setTimeout(() => stream.destroyed || stream.end(bytes.subarray(half)), pauseMs).unref();
  });
}

function fieldsOf(list: readonly string[]): Field[] {
  const fields: Field[] = [];
  for (let i = 0; i < list.length; i += 2)
    if (!(list[i] ?? '').startsWith(':')) fields.push([(list[i] ?? '').toLowerCase(), list[i + 1] ?? '']);
  return fields;
}
