import { connectTo } from './connect.ts';
import { checkResponse, type CheckedResponse } from './strict-check.ts';

/** Where the proxy under test listens. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** It speaks TLS; every piece that is sent becomes a record of its own. Default false. */
  readonly tls?: boolean;
}

/** What a client got for what it sent. */
export interface Exchange {
  readonly interim: readonly CheckedResponse[];
  readonly finals: readonly CheckedResponse[];
  /** Why the strict check refused what came back. */
  readonly invalid: string | undefined;
  /** Bytes behind the last whole response. */
  readonly rest: string;
  readonly closed: boolean;
  /** Nothing moved for a while, and the connection was still open. */
  readonly quiet: boolean;
}

/** No byte either way for so long: the proxy waits for more bytes, which is one way to refuse. */
export const WAITS_MS = 400;
/** No byte either way for so long, where an answer must come: long enough for a busy machine. */
export const FORGOT_MS = 5000;
/** After the expected answers, how long something more may still come. */
const LINGER_MS = 5;

/**
 * Sends pieces on a new connection and gathers what comes back, until `answers` final responses are there, the proxy
 * closes, or all is quiet for `quietMs`.
 */
export async function exchange(
  target: Target,
  pieces: readonly Buffer[],
  answers: number,
  quietMs: number,
  methods: readonly string[] = [],
): Promise<Exchange> {
  const socket = connectTo(target, 'http/1.1');
  let text = '';
  let closed = false;
  let wake = (): void => {};
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    wake();
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    closed = true;
    wake();
  });
  for (const piece of pieces) {
    if (closed) break;
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  let read = readAll(text, methods, closed);
  let quiet = false;
  while (
    !closed &&
    (read.finals.length < answers || read.finals.at(-1)?.status === 101) &&
    read.invalid === undefined &&
    !quiet
  ) {
    quiet = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(true), quietMs);
      wake = () => {
        clearTimeout(timer);
        resolve(false);
      };
    });
    read = readAll(text, methods, closed);
  }
  wake = () => {};
  if (!closed && !quiet) await new Promise((resolve) => setTimeout(resolve, LINGER_MS));
  const wasClosed = closed;
  socket.destroy();
  return { ...readAll(text, methods, wasClosed), closed: wasClosed, quiet };
}

function readAll(
  text: string,
  methods: readonly string[],
  closed: boolean,
): Pick<Exchange, 'interim' | 'finals' | 'invalid' | 'rest'> {
  const interim: CheckedResponse[] = [];
  const finals: CheckedResponse[] = [];
  let at = 0;
  while (at < text.length) {
    const checked = checkResponse(text, at, methods[finals.length] ?? 'GET', closed);
    if (checked.kind === 'invalid') return { interim, finals, invalid: checked.why, rest: text.slice(at) };
    if (checked.kind === 'partial') break;
    at = checked.message.end;
    if (checked.message.status >= 200 || checked.message.status === 101) finals.push(checked.message);
    else interim.push(checked.message);
    if (checked.message.status === 101) break;
  }
  return { interim, finals, invalid: undefined, rest: text.slice(at) };
}
