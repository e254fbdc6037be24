import type { FieldTable } from '@tulle/fields';
import {
  RequestDecoder,
  ResponseDecoder,
  type Http1Fault,
  type Http1Limits,
  type MessageHead,
  type RequestHead,
  type ResponseHead,
} from '../src/index.ts';

/** What a decoder said about one message, in plain data. */
export interface Told {
  head: Record<string, unknown> | undefined;
  interim: number[];
  body: string;
  trailers: [string, string][];
  complete: boolean;
  fault: string | undefined;
  status: number;
}

const fresh = (): Told => ({
  head: undefined,
  interim: [],
  body: '',
  trailers: [],
  complete: false,
  fault: undefined,
  status: 0,
});

const lines = (table: FieldTable): [string, string][] =>
  Array.from({ length: table.length }, (_, i) => [table.rawName(i), table.value(i)]);

const common = (head: MessageHead): Record<string, unknown> => ({
  version: `1.${head.minorVersion}`,
  bodyKind: head.bodyKind,
  contentLength: head.contentLength,
  keepAlive: head.keepAlive,
  upgrade: head.upgrade,
  connectionNames: [...head.connectionNames],
  fields: lines(head.fields),
});

class Tap {
  readonly messages: Told[] = [];
  now: Told | undefined = undefined;
  fresh(): Told {
    if (this.now === undefined) this.messages.push((this.now = fresh()));
    return this.now;
  }
  onData(chunk: Buffer, start: number, end: number): void {
    if (end <= start) throw new Error('empty data');
    this.fresh().body += chunk.toString('latin1', start, end);
  }
  onTrailers(trailers: FieldTable): void {
    this.fresh().trailers = lines(trailers);
  }
  onComplete(): void {
    this.fresh().complete = true;
    this.now = undefined;
  }
  onFault(fault: Http1Fault): void {
    const told = this.fresh();
    if (told.fault !== undefined) throw new Error('a second fault');
    told.fault = fault.rule;
    told.status = fault.status;
  }
}

class RequestTap extends Tap {
  onHead(head: RequestHead): void {
    this.fresh().head = {
      method: head.method,
      target: head.target,
      form: head.targetForm,
      path: head.path.slice(0, head.queryIndex),
      query: head.queryIndex < head.path.length ? head.path.slice(head.queryIndex + 1) : undefined,
      authority: head.authority,
      scheme: head.scheme,
      expectContinue: head.expectContinue,
      ...common(head),
    };
  }
}

class ResponseTap extends Tap {
  onHead(head: ResponseHead): void {
    this.fresh().head = { status: head.status, reason: head.reason, tunnel: head.tunnel, ...common(head) };
  }
  onInformational(head: ResponseHead): void {
    this.fresh().interim.push(head.status);
  }
}

/** Cuts `bytes` at `cuts`. Each piece lies at another offset of a larger buffer that is overwritten afterwards, as a shared read buffer is. */
export function* pieces(
  bytes: Buffer,
  cuts: readonly number[],
): Generator<{ chunk: Buffer; start: number; end: number }> {
  const shared = Buffer.alloc(bytes.length + 16);
  const edges = [...new Set([0, ...cuts.filter((cut) => cut > 0 && cut < bytes.length), bytes.length])].sort(
    (a, b) => a - b,
  );
  for (let i = 0; i + 1 < edges.length; i++) {
    const from = edges[i] as number;
    const to = edges[i + 1] as number;
    const offset = i % 5;
    shared.fill(0x0a);
    bytes.copy(shared, offset, from, to);
    yield { chunk: shared, start: offset, end: offset + to - from };
  }
}

/** Every cut: one byte at a time. */
export const everyByte = (bytes: Buffer): number[] => Array.from({ length: bytes.length }, (_, i) => i);

export interface ResponseTo {
  method: string;
  upgrade?: string;
}

function run(
  decoder: RequestDecoder | ResponseDecoder,
  tap: Tap,
  bytes: Buffer,
  cuts: readonly number[],
  next: () => boolean,
): Told[] {
  if (!next()) return tap.messages;
  for (const { chunk, start, end } of pieces(bytes, cuts)) {
    let at = start;
    for (;;) {
      const before = tap.messages.length + (tap.now === undefined ? 1 : 0);
      const taken = decoder.execute(chunk, at, end);
      at += taken;
      if (decoder.phase === 'failed') return tap.messages;
      if (at >= end && decoder.phase !== 'idle') break;
      if (decoder.phase === 'idle' && decoder instanceof ResponseDecoder) next();
      if (at >= end) break;
      if (
        taken === 0 &&
        tap.messages.length + (tap.now === undefined ? 1 : 0) === before &&
        decoder.phase !== 'tunnel'
      ) {
        throw new Error(`no progress in ${decoder.phase}`);
      }
    }
  }
  decoder.finish();
  return tap.messages;
}

/** What a request decoder says about `text`, cut at `cuts` and then ended. */
export function readRequests(
  text: string | Buffer,
  cuts: readonly number[] = [],
  limits: Partial<Http1Limits> = {},
): Told[] {
  const tap = new RequestTap();
  return run(new RequestDecoder(tap, limits), tap, bytesOf(text), cuts, () => true);
}

/** What a response decoder says, when each of `asked` waits for an answer. */
export function readResponses(
  text: string | Buffer,
  asked: readonly ResponseTo[] = [{ method: 'GET' }],
  cuts: readonly number[] = [],
  limits: Partial<Http1Limits> = {},
): Told[] {
  const tap = new ResponseTap();
  const decoder = new ResponseDecoder(tap, limits);
  let index = 0;
  return run(decoder, tap, bytesOf(text), cuts, () => {
    const to = asked[index++];
    if (to !== undefined) decoder.expect(to.method, to.upgrade);
    return true;
  });
}

export const bytesOf = (text: string | Buffer): Buffer =>
  typeof text === 'string' ? Buffer.from(text, 'latin1') : text;

/** Joins lines with CR LF; add '' twice for the empty line. */
export const crlf = (...parts: string[]): string => parts.join('\r\n');
