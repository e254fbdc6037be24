/**
 * A strict reader of HTTP/1.1 messages, written from RFC 9110 and 9112 alone: text and regular expressions, no speed, no
 * leniency. It shares nothing with the codec of the proxy, so that a mistake of one is not a mistake of both.
 */

/** A message that was read whole. */
export interface CheckedMessage {
  readonly startLine: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Latin1. */
  readonly body: string;
  readonly trailers: readonly (readonly [name: string, value: string])[];
  /** Position after the message. */
  readonly end: number;
  /** Where its body began. */
  readonly bodyStart: number;
}

export interface CheckedRequest extends CheckedMessage {
  readonly method: string;
  readonly target: string;
}

export interface CheckedResponse extends CheckedMessage {
  readonly status: number;
  /** Ends with the connection. */
  readonly untilClose: boolean;
}

export type Checked<M> =
  | { readonly kind: 'whole'; readonly message: M }
  /** Nothing is wrong so far. `head` once the head is whole. */
  | { readonly kind: 'partial'; readonly head?: Omit<M, 'body' | 'trailers' | 'end'> }
  | { readonly kind: 'invalid'; readonly why: string };

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const FIELD_LINE = new RegExp(
  `^(${TOKEN}):[ \\t]*((?:[\\x21-\\x7e\\x80-\\xff](?:[\\t\\x20-\\x7e\\x80-\\xff]*[\\x21-\\x7e\\x80-\\xff])?)?)[ \\t]*$`,
);
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([\\x21-\\x7e]+) HTTP/1\\.([01])$`);
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*)$/;
const QUOTED = '"(?:[\\t !#-\\[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"';
const CHUNK_LINE = new RegExp(
  `^([0-9A-Fa-f]{1,16})((?:[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|${QUOTED}))?)*)$`,
);
const TOKEN_LIST = new RegExp(`^[ \\t]*(?:${TOKEN})?(?:[ \\t]*,[ \\t]*(?:${TOKEN})?)*[ \\t]*$`);

// RFC 3986, and beside it what the URL standard of browsers leaves bare: [ ] | in a path; [ ] | \ ^ ` { } and % in a query
const PATH_CHARS = "(?:[-._~!$&'()*+,;=:@/0-9A-Za-z\\[\\]|]|%[0-9A-Fa-f]{2})*";
const QUERY_CHARS = "[-._~!$&'()*+,;=:@/?0-9A-Za-z\\[\\]|\\\\^`{}%]*";
const ORIGIN_FORM = new RegExp(`^/${PATH_CHARS}(?:\\?${QUERY_CHARS})?$`);
const HOST = "(?:\\[[0-9A-Fa-f:.]{2,45}\\]|(?:[-._~!$&'()*+;=0-9A-Za-z]|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5})?";
const HOST_ONLY = new RegExp(`^${HOST}$`);
const ABSOLUTE_FORM = new RegExp(`^(https?)://(${HOST})((?:/${PATH_CHARS})?(?:\\?${QUERY_CHARS})?)$`, 'i');

/** Names that RFC 9110 §6.5.1 keeps out of trailers: framing, routing, authentication, content. */
const NO_TRAILER =
  /^(?:transfer-encoding|content-(?:length|type|encoding|range)|host|connection|te|trailer|upgrade|keep-alive|authorization|proxy-authorization|set-cookie|cookie|cache-control|expect|max-forwards|range)$/;

/** Cuts the next line off; CR and LF may only stand together at its end. */
function takeLine(text: string, at: number): { line: string; next: number } | 'partial' | 'invalid' {
  const end = text.indexOf('\n', at);
  const part = end < 0 ? text.slice(at) : text.slice(at, end);
  const cr = part.indexOf('\r');
  if (end < 0) return cr >= 0 && cr < part.length - 1 ? 'invalid' : 'partial';
  if (cr < 0 || cr !== part.length - 1) return 'invalid';
  return { line: part.slice(0, -1), next: end + 1 };
}

function takeFields(
  text: string,
  start: number,
): { fields: [string, string][]; next: number } | 'partial' | { why: string } {
  const fields: [string, string][] = [];
  let at = start;
  for (;;) {
    const taken = takeLine(text, at);
    if (taken === 'partial') return 'partial';
    if (taken === 'invalid') return { why: 'a line does not end with CR LF' };
    at = taken.next;
    if (taken.line === '') return { fields, next: at };
    const match = FIELD_LINE.exec(taken.line);
    if (match === null) return { why: `not a field line: ${JSON.stringify(taken.line.slice(0, 80))}` };
    fields.push([match[1] as string, match[2] as string]);
  }
}

const valuesOf = (fields: readonly (readonly [string, string])[], name: string): string[] =>
  fields.filter(([it]) => it.toLowerCase() === name).map(([, value]) => value);

type Framing = { readonly chunked: boolean; readonly length: number | undefined } | { readonly why: string };

/** RFC 9112 §6.3 without the lenient branches. */
function framingOf(fields: readonly (readonly [string, string])[], minor: string): Framing {
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  if (lengths.length > 0 && codings.length > 0) return { why: 'Content-Length and Transfer-Encoding' };
  if (lengths.length > 1) return { why: 'Content-Length more than once' };
  if (codings.length > 1) return { why: 'Transfer-Encoding more than once' };
  if (codings.length === 1 && (codings[0]?.toLowerCase() !== 'chunked' || minor !== '1'))
    return { why: `Transfer-Encoding: ${codings[0]}` };
  const length = lengths[0];
  if (length !== undefined && (!/^[0-9]{1,16}$/.test(length) || Number(length) > Number.MAX_SAFE_INTEGER))
    return { why: `Content-Length: ${length}` };
  if (!valuesOf(fields, 'connection').every((it) => TOKEN_LIST.test(it)))
    return { why: 'Connection is no list of tokens' };
  return { chunked: codings.length === 1, length: length === undefined ? undefined : Number(length) };
}

type Body = { body: string; trailers: [string, string][]; end: number } | 'partial' | { why: string };

function takeLength(text: string, at: number, length: number): Body {
  return text.length - at < length
    ? 'partial'
    : { body: text.slice(at, at + length), trailers: [], end: at + length };
}

function takeChunks(text: string, start: number): Body {
  let at = start;
  let body = '';
  for (;;) {
    const line = takeLine(text, at);
    if (line === 'partial') return 'partial';
    const match = line === 'invalid' ? null : CHUNK_LINE.exec(line.line);
    if (line === 'invalid' || match === null)
      return { why: `not a chunk size: ${JSON.stringify(text.slice(at, at + 40))}` };
    const size = Number.parseInt(match[1] as string, 16);
    if (!Number.isSafeInteger(size)) return { why: 'a chunk size beyond 2^53' };
    at = line.next;
    if (size === 0) break;
    if (text.length - at < size) return 'partial';
    body += text.slice(at, at + size);
    at += size;
    const after = text.slice(at, at + 2);
    if (!'\r\n'.startsWith(after)) return { why: 'chunk data is not followed by CR LF' };
    if (after.length < 2) return 'partial';
    at += 2;
  }
  const tail = takeFields(text, at);
  if (tail === 'partial') return 'partial';
  if ('why' in tail) return { why: `trailers: ${tail.why}` };
  const forbidden = tail.fields.find(([name]) => NO_TRAILER.test(name.toLowerCase()));
  if (forbidden !== undefined) return { why: `trailer ${forbidden[0]}` };
  return { body, trailers: tail.fields, end: tail.next };
}

function targetFault(method: string, target: string, hosts: readonly string[]): string | undefined {
  if (method === 'CONNECT')
    return HOST_ONLY.test(target) && /:[0-9]+$/.test(target) ? undefined : 'CONNECT without host:port';
  if (target === '*') return method === 'OPTIONS' ? undefined : '* without OPTIONS';
  if (ORIGIN_FORM.test(target)) return undefined;
  const absolute = ABSOLUTE_FORM.exec(target);
  if (absolute === null) return `target ${target}`;
  const host = hosts[0];
  const fold = (it: string): string =>
    it.toLowerCase().replace(absolute[1]?.toLowerCase() === 'http' ? /:(?:80)?$/ : /:(?:443)?$/, '');
  return host === undefined || fold(host) === fold(absolute[2] as string)
    ? undefined
    : 'Host differs from the target';
}

/** Reads one request of `text` from `start`. */
export function checkRequest(text: string, start = 0): Checked<CheckedRequest> {
  const invalid = (why: string): Checked<CheckedRequest> => ({ kind: 'invalid', why });
  if (start >= text.length) return { kind: 'partial' };
  const first = takeLine(text, start);
  if (first === 'partial') return { kind: 'partial' };
  if (first === 'invalid') return invalid('the request line does not end with CR LF');
  const line = REQUEST_LINE.exec(first.line);
  if (line === null) return invalid(`request line ${JSON.stringify(first.line.slice(0, 80))}`);
  const [, method, target, minor] = line as unknown as [string, string, string, string];
  const head = takeFields(text, first.next);
  if (head === 'partial') return { kind: 'partial' };
  if ('why' in head) return invalid(head.why);
  const hosts = valuesOf(head.fields, 'host');
  if (hosts.length > 1) return invalid('Host more than once');
  if (hosts.length === 0 && minor === '1') return invalid('no Host');
  if (hosts.length === 1 && !HOST_ONLY.test(hosts[0] as string)) return invalid(`Host: ${hosts[0]}`);
  const fault = targetFault(method, target, hosts);
  if (fault !== undefined) return invalid(fault);
  const framing = framingOf(head.fields, minor);
  if ('why' in framing) return invalid(framing.why);
  const started = { method, target, startLine: first.line, fields: head.fields, bodyStart: head.next };
  const body = framing.chunked
    ? takeChunks(text, head.next)
    : takeLength(text, head.next, framing.length ?? 0);
  if (body === 'partial') return { kind: 'partial', head: started };
  if ('why' in body) return invalid(body.why);
  return { kind: 'whole', message: { ...started, ...body } };
}

/**
 * Reads one response of `text` from `start`: an interim one counts as one.
 * @param method of the request it answers
 * @param ended whether the connection is closed, so that a body without a length is whole
 */
export function checkResponse(
  text: string,
  start: number,
  method: string,
  ended: boolean,
): Checked<CheckedResponse> {
  const invalid = (why: string): Checked<CheckedResponse> => ({ kind: 'invalid', why });
  if (start >= text.length) return { kind: 'partial' };
  const first = takeLine(text, start);
  if (first === 'partial') return { kind: 'partial' };
  const line = first === 'invalid' ? null : STATUS_LINE.exec(first.line);
  if (first === 'invalid' || line === null)
    return invalid(`status line ${JSON.stringify(text.slice(start, start + 80))}`);
  const head = takeFields(text, first.next);
  if (head === 'partial') return { kind: 'partial' };
  if ('why' in head) return invalid(head.why);
  const framing = framingOf(head.fields, line[1] as string);
  if ('why' in framing) return invalid(framing.why);
  const status = Number(line[2]);
  const announced = framing.chunked || framing.length !== undefined;
  const tunnel = method === 'CONNECT' && status >= 200 && status < 300;
  if ((status < 200 || status === 204 || tunnel) && announced) return invalid(`framing fields in ${status}`);
  const bodiless = status < 200 || status === 204 || status === 304 || method === 'HEAD' || tunnel;
  const untilClose = !bodiless && !announced;
  const started = { status, untilClose, startLine: first.line, fields: head.fields, bodyStart: head.next };
  const body: Body = bodiless
    ? { body: '', trailers: [], end: head.next }
    : framing.chunked
      ? takeChunks(text, head.next)
      : framing.length !== undefined
        ? takeLength(text, head.next, framing.length)
        : ended
          ? { body: text.slice(head.next), trailers: [], end: text.length }
          : 'partial';
  if (body === 'partial') return { kind: 'partial', head: started };
  if ('why' in body) return invalid(body.why);
  return { kind: 'whole', message: { ...started, ...body } };
}
