import { type ClientRequest, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { ConnectionOptions } from 'node:tls';

/** A server of resources over HTTP, as its next connection reaches it. */
export interface HttpServer {
  readonly address: { readonly host: string; readonly port: number } | { readonly path: string };
  /** `host` of requests (Envoy: the cluster's name). */
  readonly authority: string;
  /** Absent: plain text. */
  readonly tls?: ConnectionOptions;
}

/** A request under way. */
export interface Exchange {
  /** Nothing is heard of it any more. */
  cancel(): void;
}

/** Longest answer in bytes: some hundred thousand resources; a longer one is no configuration of one proxy. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/**
 * Posts JSON; exactly one of the two is called, once, and not before this returns.
 * @param timeoutMs for the whole answer
 * @throws Error for certificates that cannot be read, and for an authority that no field can have
 */
export function post(
  { address, authority, tls }: HttpServer,
  path: string,
  json: string,
  timeoutMs: number,
  on: { done(status: number, body: string): void; failed(reason: string): void },
): Exchange {
  let over = false;
  const end = (what: () => void): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    sent.destroy();
    what();
  };
  const fail = (reason: string): void => end(() => on.failed(reason));
  const body = Buffer.from(json);
  const options = {
    ...('path' in address ? { socketPath: address.path } : address),
    method: 'POST',
    path,
    agent: false as const,
    headers: { host: authority, 'content-type': 'application/json', 'content-length': body.length },
  };
  const sent: ClientRequest = tls === undefined ? httpRequest(options) : httpsRequest({ ...options, ...tls });
  const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
  timer.unref();
  sent.on('error', (error) => fail(error.message));
  sent.on('response', (answer) => {
    const pieces: Buffer[] = [];
    let length = 0;
    answer.on('data', (piece: Buffer) => {
      length += piece.length;
      if (length > MAX_ANSWER_BYTES) fail(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
      else pieces.push(piece);
    });
    answer.on('error', (error) => fail(error.message));
    answer.on('close', () => fail('the answer broke off'));
    answer.on('end', () =>
      end(() => on.done(answer.statusCode ?? 0, Buffer.concat(pieces).toString('utf8'))),
    );
  });
  sent.end(body);
  return {
    cancel: () => end(() => {}),
  };
}
