import { ByteWriter, FieldTable } from '@tulle/fields';
import { describe, expect, it } from 'vitest';
import {
  BODY_CHUNKED,
  BODY_CLOSE,
  BODY_LENGTH,
  BODY_NONE,
  CONNECTION_CLOSE,
  CONNECTION_KEEP_ALIVE,
  CONNECTION_PERSIST,
  CONNECTION_UPGRADE,
  CONTINUE_RESPONSE,
  RequestDecoder,
  stripHopByHop,
  writeChunk,
  writeChunkHeader,
  writeLastChunk,
  writeRequestHead,
  writeResponseHead,
  type AnsweredRequest,
  type OutgoingFraming,
} from './index.ts';

const table = (...lines: [string, string][]): FieldTable => {
  const fields = new FieldTable();
  for (const [name, value] of lines) fields.add(name, value);
  return fields;
};
const framing = (over: Partial<OutgoingFraming> = {}): OutgoingFraming => ({
  bodyKind: BODY_NONE,
  contentLength: -1,
  connection: CONNECTION_PERSIST,
  upgrade: undefined,
  ...over,
});
const GET: AnsweredRequest = { method: 'GET', minorVersion: 1 };

function request(
  method: string,
  target: string,
  authority: string,
  fields = table(),
  how = framing(),
): string {
  const out = new ByteWriter();
  const fault = writeRequestHead(out, method, target, authority, fields, how);
  return fault === undefined
    ? out.view().toString('latin1')
    : `${fault.rule}${out.length === 0 ? '' : ' and wrote'}`;
}
function response(
  to: AnsweredRequest,
  status: number,
  reason: string,
  fields = table(),
  how = framing(),
): string {
  const out = new ByteWriter();
  const fault = writeResponseHead(out, to, status, reason, fields, how);
  return fault === undefined
    ? out.view().toString('latin1')
    : `${fault.rule}${out.length === 0 ? '' : ' and wrote'}`;
}

describe('writing a request head', () => {
  it('puts Host first and the framing last, from the decision alone', () => {
    const fields = table(
      ['host', 'evil'],
      ['content-length', '7'],
      ['transfer-encoding', 'gzip'],
      ['connection', 'x'],
      ['te', 'trailers'],
      ['upgrade', 'h2c'],
      ['keep-alive', '5'],
      ['proxy-connection', 'a'],
      ['http2-settings', 'x'],
      ['a', '1'],
      ['a', '2'],
    );
    expect(
      request(
        'POST',
        '/x?y',
        'a.example:8080',
        fields,
        framing({ bodyKind: BODY_LENGTH, contentLength: 12 }),
      ),
    ).toBe('POST /x?y HTTP/1.1\r\nHost: a.example:8080\r\na: 1\r\na: 2\r\nContent-Length: 12\r\n\r\n');
    expect(
      request('POST', '/', 'a', fields, framing({ bodyKind: BODY_CHUNKED, connection: CONNECTION_CLOSE })),
    ).toBe(
      'POST / HTTP/1.1\r\nHost: a\r\na: 1\r\na: 2\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n',
    );
    expect(
      request('GET', '/', 'a', table(), framing({ connection: CONNECTION_UPGRADE, upgrade: 'websocket' })),
    ).toBe('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  it('refuses what would not be a valid message, and writes nothing', () => {
    expect(request('G T', '/', 'a')).toBe('method');
    expect(request('', '/', 'a')).toBe('method');
    expect(request('G\r\n', '/', 'a')).toBe('method');
    for (const target of ['', 'x', '/a b', '/\r\n', '/#', '/%zz', '*', 'http://a/', '/\u0100', '/"', '/{'])
      expect(request('GET', target, 'a'), target).toBe('target');
    expect(request('CONNECT', '/', 'a')).toBe('target');
    for (const authority of ['', 'a b', 'a\r\nX: y', 'a,b', 'u@a', 'a:x', '\u0100'])
      expect(request('GET', '/', authority), authority).toBe('authority');
    expect(request('GET', '/', 'a', table(), framing({ bodyKind: BODY_CLOSE }))).toBe('framing');
    expect(request('CONNECT', 'a:1', 'a:1', table(), framing({ bodyKind: BODY_CHUNKED }))).toBe('framing');
    for (const contentLength of [-1, 1.5, Number.NaN, 2 ** 60])
      expect(request('POST', '/', 'a', table(), framing({ bodyKind: BODY_LENGTH, contentLength }))).toBe(
        'framing',
      );
    for (const upgrade of [undefined, '', 'a\r\nb', 'a b'])
      expect(request('GET', '/', 'a', table(), framing({ connection: CONNECTION_UPGRADE, upgrade }))).toBe(
        'upgrade',
      );
  });
});

describe('writing a response head', () => {
  it('keeps a reason, and takes the standard one for none', () => {
    expect(
      response(GET, 200, '', table(['a', 'b']), framing({ bodyKind: BODY_LENGTH, contentLength: 0 })),
    ).toBe('HTTP/1.1 200 OK\r\na: b\r\nContent-Length: 0\r\n\r\n');
    expect(response(GET, 299, '', table(), framing({ bodyKind: BODY_CHUNKED }))).toBe(
      'HTTP/1.1 299 \r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    expect(
      response(GET, 404, 'Nope', table(), framing({ bodyKind: BODY_CLOSE, connection: CONNECTION_CLOSE })),
    ).toBe('HTTP/1.1 404 Nope\r\nConnection: close\r\n\r\n');
    expect(
      response(
        { method: 'GET', minorVersion: 0 },
        200,
        'OK',
        table(),
        framing({ bodyKind: BODY_LENGTH, contentLength: 3, connection: CONNECTION_KEEP_ALIVE }),
      ),
    ).toBe('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n');
  });
  it('announces a length without a body for HEAD and 304 only', () => {
    const how = framing({ contentLength: 5 });
    expect(response({ method: 'HEAD', minorVersion: 1 }, 200, '', table(), how)).toContain(
      'Content-Length: 5',
    );
    expect(response(GET, 304, '', table(), how)).toContain('Content-Length: 5');
    expect(response(GET, 204, '', table(), how)).toBe('HTTP/1.1 204 No Content\r\n\r\n');
    expect(response({ method: 'HEAD', minorVersion: 1 }, 204, '', table(), how)).toBe(
      'HTTP/1.1 204 No Content\r\n\r\n',
    );
    expect(response({ method: 'CONNECT', minorVersion: 1 }, 200, '', table(), how)).toBe(
      'HTTP/1.1 200 OK\r\n\r\n',
    );
    expect(response(GET, 101, '', table(), framing({ connection: CONNECTION_UPGRADE, upgrade: 'x' }))).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
    );
  });
  it('refuses what would not be a valid message, and writes nothing', () => {
    for (const status of [0, 99, 600, 200.5, Number.NaN])
      expect(response(GET, status, ''), String(status)).toBe('status');
    expect(response(GET, 200, 'a\r\nb', table(), framing({ bodyKind: BODY_CHUNKED }))).toBe('reason');
    expect(response(GET, 200, '')).toBe('framing');
    expect(response(GET, 204, '', table(), framing({ bodyKind: BODY_LENGTH, contentLength: 0 }))).toBe(
      'framing',
    );
    expect(
      response({ method: 'HEAD', minorVersion: 1 }, 200, '', table(), framing({ bodyKind: BODY_CHUNKED })),
    ).toBe('framing');
    expect(
      response({ method: 'GET', minorVersion: 0 }, 200, '', table(), framing({ bodyKind: BODY_CHUNKED })),
    ).toBe('framing');
    expect(response(GET, 200, '', table(), framing({ bodyKind: BODY_CLOSE }))).toBe('framing');
    expect(response(GET, 200, '', table(), framing({ bodyKind: BODY_LENGTH, contentLength: -1 }))).toBe(
      'framing',
    );
    expect(response(GET, 200, '', table(), framing({ bodyKind: BODY_LENGTH, contentLength: 1.5 }))).toBe(
      'framing',
    );
    expect(response(GET, 304, '', table(), framing({ contentLength: 1.5 }))).toBe('framing');
    expect(response(GET, 101, '', table(), framing({ connection: CONNECTION_UPGRADE }))).toBe('upgrade');
    expect(response(GET, 101, '')).toBe('upgrade');
    expect(response({ method: 'GET', minorVersion: 0 }, 103, '')).toBe('framing');
  });
});

describe('writing chunks', () => {
  const written = (write: (out: ByteWriter) => void): string => {
    const out = new ByteWriter(4);
    write(out);
    return out.view().toString('latin1');
  };
  it('frames bytes, and never ends the body by an empty chunk', () => {
    expect(written((out) => writeChunk(out, Buffer.from('hello world!!!!!'), 0, 16))).toBe(
      '10\r\nhello world!!!!!\r\n',
    );
    expect(written((out) => writeChunk(out, new Uint8Array([1, 65, 66]), 1))).toBe('2\r\nAB\r\n');
    expect(written((out) => writeChunk(out, Buffer.alloc(0)))).toBe('');
    expect(() => written((out) => writeChunkHeader(out, 0))).toThrow(RangeError);
    expect(() => written((out) => writeChunkHeader(out, 1.5))).toThrow(RangeError);
  });
  it('ends with trailers, leaving out those that may not be sent', () => {
    expect(written((out) => writeLastChunk(out))).toBe('0\r\n\r\n');
    expect(
      written((out) =>
        writeLastChunk(out, table(['x-sum', '1'], ['content-length', '4'], ['authorization', 'x'])),
      ),
    ).toBe('0\r\nx-sum: 1\r\n\r\n');
  });
  it('has the bytes of 100 Continue', () => {
    expect(CONTINUE_RESPONSE.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  });
});

describe('stripping one-hop fields', () => {
  it('removes what Connection names, but no known end-to-end field and none that is protected', () => {
    const decoder = new RequestDecoder({
      onHead(): void {},
      onData(): void {},
      onTrailers(): void {},
      onComplete(): void {},
      onFault(): void {},
    });
    decoder.execute(
      Buffer.from(
        'GET / HTTP/1.1\r\nHost: a\r\nConnection: x-hop, x-mine, authorization, x-forwarded-for, host, close\r\nTE: trailers\r\nKeep-Alive: 1\r\nX-Hop: 1\r\nX-hop: 2\r\nX-Mine: 3\r\nAuthorization: b\r\nX-Forwarded-For: c\r\nX-Keep: d\r\n\r\n',
      ),
    );
    const { fields, connectionNames } = decoder.head;
    stripHopByHop(fields, connectionNames, new Set(['x-mine']));
    expect(Array.from({ length: fields.length }, (_, i) => fields.name(i))).toEqual([
      'host',
      'x-mine',
      'authorization',
      'x-forwarded-for',
      'x-keep',
    ]);
  });
});
