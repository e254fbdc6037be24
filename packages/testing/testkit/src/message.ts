/** A message as a test reads it, by a parser of its own: small, strict, and independent of the engine's. */
export interface Message {
  /** Request line or status line. */
  readonly start: string;
  /** Lower-case names, in order, repeated ones apart. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly trailers: readonly (readonly [name: string, value: string])[];
  /** Bytes that it took, heads and framing included. */
  readonly bytes: number;
}

/** First value of a field. */
export function header(
  message: { readonly headers: readonly (readonly [string, string])[] },
  name: string,
): string | undefined {
  return message.headers.find(([other]) => other === name.toLowerCase())?.[1];
}

/** All values of a field. */
export function headerAll(
  message: { readonly headers: readonly (readonly [string, string])[] },
  name: string,
): string[] {
  return message.headers.filter(([other]) => other === name.toLowerCase()).map(([, value]) => value);
}

/**
 * Reads one message from the front of `text`.
 * @param kind how its end is found where framing alone does not say: `request`, `response`, or a response to HEAD
 * @param ended no more bytes come
 * @returns `undefined` when it is not whole yet
 * @throws Error when it is not valid HTTP/1.1
 */
export function readMessage(
  text: string,
  kind: 'request' | 'response' | 'head-response',
  ended: boolean,
): Message | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const lines = text.slice(0, headEnd).split('\r\n');
  const start = lines.shift() ?? '';
  if (
    kind === 'request'
      ? !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e]+ HTTP\/1\.[01]$/.test(start)
      : !/^HTTP\/1\.[01] [1-5]\d\d [\t\x20-\x7e\x80-\xff]*$/.test(start)
  ) {
    throw new Error(`no valid start line: ${JSON.stringify(start)}`);
  }
  const headers = fields(lines);
  const lengths = headerAll({ headers }, 'content-length');
  const codings = headerAll({ headers }, 'transfer-encoding');
  if (lengths.length > 1 || codings.length > 1 || (lengths.length === 1 && codings.length === 1))
    throw new Error(`framing fields contradict: ${JSON.stringify(lines)}`);
  if (kind === 'request' && headerAll({ headers }, 'host').length !== 1 && start.endsWith('1.1'))
    throw new Error(`a request has one Host: ${JSON.stringify(lines)}`);
  const bodyStart = headEnd + 4;
  const status = kind === 'request' ? 0 : Number(start.slice(9, 12));
  if (kind === 'head-response' || (kind === 'response' && (status < 200 || status === 204 || status === 304)))
    return { start, headers, body: '', trailers: [], bytes: bodyStart };
  if (codings.length === 1) {
    if (codings[0]?.toLowerCase() !== 'chunked')
      throw new Error(`unknown transfer coding ${JSON.stringify(codings[0])}`);
    const chunked = readChunked(text, bodyStart);
    return chunked === undefined ? undefined : { start, headers, ...chunked };
  }
  if (lengths.length === 1) {
    if (!/^\d+$/.test(lengths[0] as string)) throw new Error(`no length: ${JSON.stringify(lengths[0])}`);
    const end = bodyStart + Number(lengths[0]);
    return text.length < end
      ? undefined
      : { start, headers, body: text.slice(bodyStart, end), trailers: [], bytes: end };
  }
  if (kind === 'request') return { start, headers, body: '', trailers: [], bytes: bodyStart };
  return ended
    ? { start, headers, body: text.slice(bodyStart), trailers: [], bytes: text.length }
    : undefined;
}

function fields(lines: readonly string[]): [string, string][] {
  return lines.map((line) => {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*$/.exec(line);
    if (match === null) throw new Error(`no field line: ${JSON.stringify(line)}`);
    return [(match[1] as string).toLowerCase(), match[2] as string];
  });
}

function readChunked(text: string, from: number): Omit<Message, 'start' | 'headers'> | undefined {
  let at = from;
  let body = '';
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const line = text.slice(at, lineEnd);
    if (!/^[0-9a-fA-F]{1,16}$/.test(line)) throw new Error(`no chunk size: ${JSON.stringify(line)}`);
    const size = parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (text.length < at + size + 2) return undefined;
    if (text.slice(at + size, at + size + 2) !== '\r\n') throw new Error('a chunk does not end with CR LF');
    body += text.slice(at, at + size);
    at += size + 2;
  }
  const end = text.startsWith('\r\n', at) ? at : text.indexOf('\r\n\r\n', at);
  if (end < 0 || text.length < at + 2) return undefined;
  if (end === at) return { body, trailers: [], bytes: at + 2 };
  return { body, trailers: fields(text.slice(at, end).split('\r\n')), bytes: end + 4 };
}
