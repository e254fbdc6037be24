import { ByteWriter, FieldTable } from '@tulle/fields';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readRequests, readResponses, type Told } from '../tests/transcript.ts';
import {
  BODY_CHUNKED,
  BODY_CLOSE,
  BODY_LENGTH,
  BODY_NONE,
  CONNECTION_CLOSE,
  CONNECTION_PERSIST,
  KNOWN_METHODS,
  writeChunk,
  writeLastChunk,
  writeRequestHead,
  writeResponseHead,
  type BodyKind,
  type OutgoingFraming,
} from './index.ts';

const oneOf = (chars: string): fc.Arbitrary<string> => fc.constantFrom(...Array.from(chars));
const text = (chars: string, minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.array(oneOf(chars), { minLength, maxLength }).map((parts) => parts.join(''));
const ALNUM = 'abcdefghijklmnopqrstuvwxyz0123456789';
const visible = Array.from({ length: 255 }, (_, i) => String.fromCharCode(i + 1))
  .filter((char) => char === '\t' || (char >= ' ' && char !== '\x7f'))
  .join('');

const name = fc
  .oneof(text(`${ALNUM}-_.!`, 1, 50), fc.constantFrom('accept', 'cookie', 'x-request-id', 'etag', 'te-x'))
  .filter(
    (it) =>
      !['host', 'te', 'upgrade', 'connection', 'keep-alive', 'expect', 'trailer', 'http2-settings'].includes(
        it,
      ),
  );
const value = text(visible, 0, 40).map((it) => it.replace(/^[\t ]+|[\t ]+$/g, ''));
const fields = fc.array(fc.tuple(name, value), { maxLength: 12 });
const trailers = fc.array(
  fc.tuple(
    text(ALNUM, 3, 20).map((it) => `x-${it}`),
    value,
  ),
  { maxLength: 3 },
);
const target = fc
  .tuple(text(`${ALNUM}/-._~!$&'()*+,;=:@`, 0, 40), fc.option(text(`${ALNUM}/?-._~!$&'()*+,;=:@`, 0, 30)))
  .map(([path, query]) => `/${path}${query === null ? '' : `?${query}`}`);
const bodies = fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 5 });
const cuts = fc.array(fc.nat(1200), { maxLength: 12 });

const tableOf = (lines: readonly (readonly [string, string])[]): FieldTable => {
  const table = new FieldTable();
  for (const line of lines) table.add(...line);
  return table;
};

function writeBody(out: ByteWriter, kind: BodyKind, chunks: readonly Uint8Array[], tail: FieldTable): void {
  if (kind === BODY_NONE) return;
  for (const chunk of chunks) {
    if (kind === BODY_CHUNKED) writeChunk(out, chunk);
    else out.bytes(chunk);
  }
  if (kind === BODY_CHUNKED) writeLastChunk(out, tail);
}

const joined = (chunks: readonly Uint8Array[]): string => Buffer.concat(chunks).toString('latin1');
const withoutFraming = (told: Told | undefined): [string, string][] =>
  ((told?.head?.fields ?? []) as [string, string][]).filter(
    ([it]) => !['Host', 'Content-Length', 'Transfer-Encoding', 'Connection'].includes(it),
  );

/**
 * The same said of the same bytes. A line without an end is judged when it ends: cut off before that, it is truncated
 * in one split and may be refused for what is in it in another.
 */
function agree(one: Told[], other: Told[]): void {
  const faults = [one.at(-1), other.at(-1)];
  if (faults.some((told) => told?.fault === 'truncated')) {
    for (const told of faults)
      if (told?.fault !== undefined) Object.assign(told, { fault: 'refused', status: 0 });
  }
  expect(one).toEqual(other);
}

describe('the codec', () => {
  it('reads back the requests that it wrote, pipelined, under any split', () => {
    const message = fc.record({
      method: fc.constantFrom(...KNOWN_METHODS.filter((it) => it !== 'CONNECT' && it !== 'TRACE')),
      target,
      fields,
      chunks: bodies,
      trailers,
      kind: fc.constantFrom<BodyKind>(BODY_NONE, BODY_LENGTH, BODY_CHUNKED),
    });
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 3 }), cuts, (messages, at) => {
        const out = new ByteWriter(16);
        for (const it of messages) {
          const framing: OutgoingFraming = {
            bodyKind: it.kind,
            contentLength: joined(it.chunks).length,
            connection: CONNECTION_PERSIST,
            upgrade: undefined,
          };
          expect(
            writeRequestHead(out, it.method, it.target, 'a.example', tableOf(it.fields), framing),
          ).toBeUndefined();
          writeBody(out, it.kind, it.chunks, tableOf(it.trailers));
        }
        const told = readRequests(out.detach(), at);
        expect(told).toHaveLength(messages.length);
        for (const [index, it] of messages.entries()) {
          expect(told[index]).toMatchObject({
            complete: true,
            fault: undefined,
            head: { method: it.method, target: it.target, bodyKind: it.kind },
          });
          expect(told[index]?.body).toBe(it.kind === BODY_NONE ? '' : joined(it.chunks));
          expect(told[index]?.trailers).toEqual(it.kind === BODY_CHUNKED ? it.trailers : []);
          expect(withoutFraming(told[index])).toEqual(it.fields);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('reads back the response that it wrote, under any split', () => {
    const message = fc.record({
      status: fc.integer({ min: 200, max: 599 }).filter((it) => it !== 204 && it !== 304),
      fields,
      chunks: bodies,
      trailers,
      reason: text(visible, 0, 20).map((it) => it.trim()),
      kind: fc.constantFrom<BodyKind>(BODY_CLOSE, BODY_LENGTH, BODY_CHUNKED),
    });
    fc.assert(
      fc.property(message, cuts, (it, at) => {
        const out = new ByteWriter(16);
        const framing: OutgoingFraming = {
          bodyKind: it.kind,
          contentLength: it.kind === BODY_LENGTH ? joined(it.chunks).length : -1,
          connection: it.kind === BODY_CLOSE ? CONNECTION_CLOSE : CONNECTION_PERSIST,
          upgrade: undefined,
        };
        expect(
          writeResponseHead(
            out,
            { method: 'GET', minorVersion: 1 },
            it.status,
            it.reason,
            tableOf(it.fields),
            framing,
          ),
        ).toBeUndefined();
        writeBody(out, it.kind, it.chunks, tableOf(it.trailers));
        const told = readResponses(out.detach(), [{ method: 'GET' }], at);
        expect(told).toHaveLength(1);
        expect(told[0]).toMatchObject({
          complete: true,
          fault: undefined,
          body: joined(it.chunks),
          head: { status: it.status, bodyKind: it.kind },
        });
        expect(withoutFraming(told[0])).toEqual(it.fields);
      }),
      { numRuns: 300 },
    );
  });

  it('forwards lines byte for byte as they came, apart from blanks around values', () => {
    const line = fc.tuple(
      text(`${ALNUM}ABCXYZ-_`, 3, 30).map((it) => `X-${it}`),
      text('\t ', 0, 2),
      value,
      text('\t ', 0, 2),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), cuts, (lines, at) => {
        const sent = `GET / HTTP/1.1\r\nHost: a\r\n${lines.map(([it, before, content, after]) => `${it}:${before}${content}${after}\r\n`).join('')}\r\n`;
        const told = readRequests(sent, at);
        expect(told[0]).toMatchObject({ complete: true });
        expect(withoutFraming(told[0])).toEqual(lines.map(([it, , content]) => [it, content]));
      }),
      { numRuns: 200 },
    );
  });

  const seeds = [
    'POST /a?b HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: u\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'PUT / HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 5\r\nConnection: close, x\r\nExpect: 100-continue\r\n\r\nhello',
    'GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  ];
  const spice = [
    '\r',
    '\n',
    '\0',
    ' ',
    '\t',
    ':',
    ',',
    ';',
    '%',
    '0',
    '\r\n',
    '\r\n\r\n',
    'chunked',
    'Content-Length: 1\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Host: b\r\n',
    '\xff',
    'HTTP/1.0',
    '0\r\n\r\n',
  ];
  const edit = fc.tuple(
    fc.nat(200),
    fc.nat(3),
    fc.oneof(
      fc.constantFrom(...spice),
      fc.nat(255).map((code) => String.fromCharCode(code)),
    ),
  );
  const mutate = (seed: string, edits: readonly [number, number, string][]): string =>
    edits.reduce(
      (it, [at, cut, insert]) => `${it.slice(0, at % it.length)}${insert}${it.slice((at % it.length) + cut)}`,
      seed,
    );

  it('never throws, never stalls, and says the same under any split of mutated requests', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        cuts,
        (seed, edits, at) => {
          const bytes = Buffer.from(mutate(seed, edits), 'latin1');
          agree(readRequests(bytes, at), readRequests(bytes));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('never throws, never stalls, and says the same under any split of mutated responses', () => {
    const responses = [
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x\r\n\r\nhello',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a\r\nhello\r\n0\r\nT: u\r\n\r\n',
      'HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\n\r\nhello',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nraw',
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...responses),
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        cuts,
        (seed, edits, at) => {
          const bytes = Buffer.from(mutate(seed, edits), 'latin1');
          const asked = [{ method: 'GET', upgrade: 'websocket' }];
          agree(readResponses(bytes, asked, at), readResponses(bytes, asked));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('never throws nor stalls on bytes of any kind', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), cuts, (bytes, at) => {
        agree(readRequests(Buffer.from(bytes), at), readRequests(Buffer.from(bytes)));
        agree(readResponses(Buffer.from(bytes), [{ method: 'GET' }], at), readResponses(Buffer.from(bytes)));
      }),
      { numRuns: 500 },
    );
  });
});
