import { request as httpRequest } from 'node:http';
import type { Diagnostic } from '@tulle/resources';
import { CliError, EXIT } from '../cli/exit-codes.ts';

/** A problem as the API tells it (RFC 9457). */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly hint?: string;
  readonly issues?: readonly Diagnostic[];
  /** Of xDS resources: JSON pointer and what is wrong. */
  readonly faults?: readonly { readonly path: string; readonly message: string }[];
}

/** An answer: the body, or the problem. */
export type ApiAnswer<T> =
  | { readonly ok: true; readonly body: T }
  | { readonly ok: false; readonly problem: Problem };

/** The REST API of a control plane. */
export interface ApiClient {
  readonly address: string;
  /** @throws CliError 69 when it cannot be reached */
  call<T>(
    method: string,
    path: string,
    body?: { readonly type: string; readonly text: string },
  ): Promise<ApiAnswer<T>>;
  /** The same, where a problem ends the command. @throws CliError 1 with the problem's words */
  must<T>(method: string, path: string, body?: { readonly type: string; readonly text: string }): Promise<T>;
  /** A page that is text. @returns undefined where there is none (404) @throws CliError */
  text(path: string, method?: 'GET' | 'POST'): Promise<string | undefined>;
}

/** No answer of the API takes longer. */
const TIMEOUT_MS = 30_000;
/** Longer answers are cut off: the status of a thousand proxies is some MiB. */
const MAX_BODY_BYTES = 256 * 1024 * 1024;

/** Who is asked, for messages. */
export interface ApiParty {
  readonly who: string;
  /** What to do when it cannot be reached. */
  readonly hint: string;
}

const CONTROL_PLANE: ApiParty = {
  who: 'the control plane',
  hint: 'is it running? --api or TULLE_API say where it is',
};

/** @param url `http://:secret@host:port`, the secret as userinfo, or `unix:/path` */
export function apiClient(url: string, signal: AbortSignal, party: ApiParty = CONTROL_PLANE): ApiClient {
  const { address, secret, ...where } = target(url);
  const call = async <T>(
    method: string,
    path: string,
    body?: { readonly type: string; readonly text: string },
  ): Promise<ApiAnswer<T>> => {
    const { status, text } = await send({ address, secret, where, party }, method, path, body, signal);
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      throw new CliError(
        EXIT.failed,
        `${address} answered ${status} with something that is no JSON`,
        'is this the API of a Tulle control plane?',
      );
    }
    if (status < 300) return { ok: true, body: parsed as T };
    // An admin interface says `error` where the API says `detail`.
    const { error } = parsed as { readonly error?: unknown };
    const detail = typeof error === 'string' ? error : `${party.who} answered ${status}`;
    return { ok: false, problem: { code: '', detail, ...(parsed as object), status } };
  };
  return {
    address,
    call,
    async must<T>(method: string, path: string, body?: { readonly type: string; readonly text: string }) {
      const answer = await call<T>(method, path, body);
      if (!answer.ok) throw new CliError(EXIT.failed, answer.problem.detail, answer.problem.hint);
      return answer.body;
    },
    async text(path, method = 'GET') {
      const { status, text } = await send({ address, secret, where, party }, method, path, undefined, signal);
      if (status === 404) return undefined;
      if (status !== 200)
        throw new CliError(
          EXIT.failed,
          `${party.who} answered ${status} to ${path}: ${text.trim().slice(0, 200)}`,
        );
      return text;
    },
  };
}

/** How to reach an API; `address` is what may be shown. */
type Target = { readonly address: string; readonly secret: string } & (
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number }
);

function target(given: string): Target {
  if (given.startsWith('unix:')) return { address: given, secret: '', socketPath: given.slice(5) };
  const url = URL.parse(given);
  if (url?.protocol !== 'http:')
    throw new CliError(
      EXIT.usage,
      `${JSON.stringify(given.replace(/:\/\/[^@/]*@/, '://'))} is no address of the API`,
      'write http://:SECRET@127.0.0.1:PORT or unix:/path/to/socket',
    );
  return {
    address: `http://${url.host}`,
    secret: url.password,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port === '' ? 80 : url.port),
  };
}

async function send(
  {
    address,
    secret,
    where,
    party,
  }: {
    readonly address: string;
    readonly secret: string;
    readonly where: { readonly socketPath: string } | { readonly host: string; readonly port: number };
    readonly party: ApiParty;
  },
  method: string,
  path: string,
  body: { readonly type: string; readonly text: string } | undefined,
  signal: AbortSignal,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      if (signal.aborted) return reject(new CliError(EXIT.interrupted, 'interrupted'));
      reject(
        new CliError(
          EXIT.unreachable,
          `${party.who} at ${address} cannot be reached: ${error.code ?? error.message}`,
          party.hint,
          { cause: error },
        ),
      );
    };
    const headers = {
      host: 'localhost',
      ...(secret === '' ? {} : { authorization: `Bearer ${secret}` }),
      ...(body === undefined
        ? {}
        : { 'content-type': body.type, 'content-length': Buffer.byteLength(body.text) }),
    };
    const req = httpRequest(
      { ...where, method, path, headers, agent: false, signal, timeout: TIMEOUT_MS },
      (res) => {
        const pieces: Buffer[] = [];
        let size = 0;
        res.on('data', (piece: Buffer) => {
          size += piece.length;
          if (size > MAX_BODY_BYTES)
            res.destroy(new Error(`the answer is longer than ${MAX_BODY_BYTES} bytes`));
          else pieces.push(piece);
        });
        res.on('end', () => resolve({ status: res.statusCode ?? 0, text: Buffer.concat(pieces).toString() }));
        res.on('error', failed);
      },
    );
    req.on('timeout', () => req.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    req.on('error', failed);
    req.end(body?.text);
  });
}
