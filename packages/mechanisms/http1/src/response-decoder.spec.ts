import { describe, expect, it } from 'vitest';
import { bytesOf, everyByte, readResponses, type ResponseTo, type Told } from '../tests/transcript.ts';
import {
  BODY_CHUNKED,
  BODY_CLOSE,
  BODY_LENGTH,
  BODY_NONE,
  ResponseDecoder,
  type Http1Limits,
  type Http1Rule,
} from './index.ts';

const GET: ResponseTo[] = [{ method: 'GET' }];
const ok = (fields: string, body = ''): string => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`;
const EMPTY = 'Content-Length: 0\r\n';

function read(text: string, asked: readonly ResponseTo[] = GET, limits: Partial<Http1Limits> = {}): Told[] {
  const whole = readResponses(text, asked, [], limits);
  for (const step of [1, 2, 7]) {
    const split = readResponses(
      text,
      asked,
      everyByte(bytesOf(text)).filter((at) => at % step === 0),
      limits,
    );
    expect(split, `in steps of ${step}`).toEqual(whole);
  }
  return whole;
}

const REFUSED: [Http1Rule, string, ResponseTo[]?][] = [
  ['status-line', 'http/1.1 200 OK\r\n\r\n'],
  ['status-line', 'HTTP 200 OK\r\n\r\n'],
  ['status-line', 'HTTP/1.1  200 OK\r\n\r\n'],
  ['status-line', 'HTTP/1.1\t200 OK\r\n\r\n'],
  ['status-line', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['status-line', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['status-line', 'HTTP/1.1 +20 OK\r\n\r\n'],
  ['status-line', 'HTTP/1.1 2x0 OK\r\n\r\n'],
  ['status-line', 'HTTP/1.1 20\r\n\r\n'],
  ['status-line', 'HTTP/1.1\r\n\r\n'],
  ['status-line', 'HTTP/1.1 200 O\x00K\r\n\r\n'],
  ['status-line', '\r\nHTTP/1.1 200 OK\r\n\r\n'],
  ['status-line', ' HTTP/1.1 200 OK\r\n\r\n'],
  ['status-line', '<html>no head</html>'],
  ['status', 'HTTP/1.1 000 OK\r\n\r\n'],
  ['status', 'HTTP/1.1 099 OK\r\n\r\n'],
  ['status', 'HTTP/1.1 600 OK\r\n\r\n'],
  ['status', 'HTTP/1.1 999 OK\r\n\r\n'],
  ['version-unsupported', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['version-unsupported', 'HTTP/1.2 200 OK\r\n\r\n'],
  ['line-end', 'HTTP/1.1 200 OK\n\r\n'],
  ['line-end', 'HTTP/1.1 200 OK\rX\r\n'],
  ['line-end', ok('A: b\n')],
  ['obs-fold', ok('A: b\r\n c\r\n')],
  ['field-name-space', ok('A : b\r\n')],
  ['field-name', ok(': b\r\n')],
  ['field-value', ok('A: b\x00\r\n')],
  ['length', ok('Content-Length: 1,1\r\n', 'x')],
  ['length', ok('Content-Length: +1\r\n', 'x')],
  ['length', ok('Content-Length:\r\n')],
  ['length-repeated', ok('Content-Length: 1\r\nContent-Length: 2\r\n', 'xx')],
  ['length-repeated', ok('Content-Length: 1\r\nContent-Length: 1\r\n', 'x')],
  ['length-and-coding', ok('Content-Length: 1\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
  ['length-and-coding', ok('Content-Length: 1\r\nTransfer-Encoding: chunked\r\n'), [{ method: 'HEAD' }]],
  ['coding', ok('Transfer-Encoding: identity\r\n', 'x')],
  ['coding', ok('Transfer-Encoding: xchunked\r\n', 'x')],
  ['coding', ok('Transfer-Encoding: gzip\r\n', 'x')],
  ['coding-unknown', ok('Transfer-Encoding: gzip, chunked\r\n', 'x')],
  ['coding-version', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['chunk-size', ok('Transfer-Encoding: chunked\r\n', 'x\r\n')],
  ['chunk-end', ok('Transfer-Encoding: chunked\r\n', '1\r\nxy\r\n')],
  ['trailer-field', ok('Transfer-Encoding: chunked\r\n', '0\r\nSet-Cookie: a\r\n\r\n')],
  ['body-forbidden', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello'],
  ['body-forbidden', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['body-forbidden', `HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n${ok(EMPTY)}`],
  ['body-forbidden', `HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n${ok(EMPTY)}`],
  ['body-forbidden', ok(EMPTY), [{ method: 'CONNECT' }]],
  [
    'response-switch',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  ],
  [
    'response-switch',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n',
    [{ method: 'GET', upgrade: 'websocket' }],
  ],
  [
    'response-switch',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n',
    [{ method: 'GET', upgrade: 'websocket' }],
  ],
  [
    'response-switch',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n',
    [{ method: 'GET', upgrade: 'websocket' }],
  ],
  ['response-informational', `${'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(9)}${ok(EMPTY)}`],
  ['truncated', ''],
  ['truncated', 'HTTP/1.1 200 OK\r\n'],
  ['truncated', ok('Content-Length: 5\r\n', 'hell')],
  ['truncated', ok('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n')],
  ['truncated', 'HTTP/1.1 100 Continue\r\n\r\n'],
];

describe('a response decoder refuses', () => {
  for (const [rule, text, asked] of REFUSED) {
    it(`${rule}: ${JSON.stringify(text).slice(0, 110)}${asked === undefined ? '' : ` to ${asked[0]?.method}`}`, () => {
      const told = read(text, asked);
      expect(told.at(-1)?.fault).toBe(rule);
      expect(told.at(-1)?.status).toBe(502);
      expect(told.at(-1)?.complete).toBe(false);
    });
  }
  it('bytes that no request waits for, before and after a response', () => {
    expect(read(ok(EMPTY), [])[0]?.fault).toBe('response-unasked');
    const told = read(ok(EMPTY) + ok(EMPTY));
    expect(told.map(({ complete, fault }) => fault ?? complete)).toEqual([true, 'response-unasked']);
    expect(read(`${ok('Content-Length: 1\r\n', 'a')}b`)[1]?.fault).toBe('response-unasked');
    expect(read(`${ok(EMPTY)}\r\n`)[1]?.fault).toBe('response-unasked');
    expect(read(`${ok('Content-Length: 5\r\n', 'hello')}`, [{ method: 'HEAD' }]).at(-1)?.fault).toBe(
      'response-unasked',
    );
  });
  it('an expectation while a response is being read', () => {
    const sink = {
      onHead(): void {},
      onInformational(): void {},
      onData(): void {},
      onTrailers(): void {},
      onComplete(): void {},
      onFault(): void {},
    };
    const decoder = new ResponseDecoder(sink);
    decoder.expect('GET');
    decoder.execute(Buffer.from('HTTP/1.1 2'));
    expect(() => decoder.expect('GET')).toThrow(/still being read/);
  });
});

describe('a response decoder accepts', () => {
  const one = (text: string, asked: ResponseTo[] = GET): Told => {
    const told = read(text, asked);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ complete: true, fault: undefined });
    return told[0] as Told;
  };

  it('bodies by length, by chunks, and until the connection closes', () => {
    expect(one(ok('Content-Length: 5\r\n', 'hello'))).toMatchObject({
      body: 'hello',
      head: { status: 200, reason: 'OK', bodyKind: BODY_LENGTH, contentLength: 5, keepAlive: true },
    });
    expect(one(ok('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\nA: b\r\n\r\n'))).toMatchObject({
      body: 'hello',
      trailers: [['A', 'b']],
      head: { bodyKind: BODY_CHUNKED },
    });
    expect(one(ok('', 'hello'))).toMatchObject({
      body: 'hello',
      head: { bodyKind: BODY_CLOSE, keepAlive: false },
    });
    expect(one('HTTP/1.0 200 OK\r\n\r\nhello')).toMatchObject({
      body: 'hello',
      head: { version: '1.0', keepAlive: false },
    });
    expect(one('HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n').head).toMatchObject({
      keepAlive: true,
    });
  });
  it('answers without body, keeping the length that they speak of', () => {
    expect(one(ok('Content-Length: 5\r\n'), [{ method: 'HEAD' }]).head).toMatchObject({
      bodyKind: BODY_NONE,
      contentLength: 5,
    });
    expect(one(ok('Transfer-Encoding: chunked\r\n'), [{ method: 'HEAD' }]).head).toMatchObject({
      bodyKind: BODY_NONE,
      contentLength: -1,
    });
    expect(one(ok(''), [{ method: 'HEAD' }]).head).toMatchObject({ bodyKind: BODY_NONE, keepAlive: true });
    expect(one('HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n').head).toMatchObject({
      bodyKind: BODY_NONE,
      contentLength: 5,
    });
    expect(one('HTTP/1.1 204 No Content\r\n\r\n').head).toMatchObject({
      bodyKind: BODY_NONE,
      contentLength: -1,
    });
    expect(one('HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n').head).toMatchObject({
      contentLength: -1,
    });
  });
  it('reasons of any kind', () => {
    expect(one(`HTTP/1.1 200 Tutto bene\r\n${EMPTY}\r\n`).head).toMatchObject({ reason: 'Tutto bene' });
    expect(one(`HTTP/1.1 200 \r\n${EMPTY}\r\n`).head).toMatchObject({ reason: '' });
    expect(one(`HTTP/1.1 200\r\n${EMPTY}\r\n`).head).toMatchObject({ reason: '' });
    expect(one(`HTTP/1.1 599 \xe9\r\n${EMPTY}\r\n`).head).toMatchObject({ status: 599, reason: '\xe9' });
  });
  it('interim responses before the final one', () => {
    expect(
      one(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${ok(EMPTY)}`),
    ).toMatchObject({ interim: [100, 103], head: { status: 200 } });
    expect(read(`${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(8)}${ok(EMPTY)}`)[0]?.interim).toHaveLength(8);
  });
  it('a switch of protocols that was asked for, and then opaque bytes', () => {
    const told = one(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n\x81\x05hello\r\n\r\n',
      [{ method: 'GET', upgrade: 'h2c, websocket' }],
    );
    expect(told).toMatchObject({
      body: '\x81\x05hello\r\n\r\n',
      head: { tunnel: true, upgrade: 'WebSocket', keepAlive: false },
    });
    expect(
      one(`HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: h2c\r\n${EMPTY}\r\n`, [
        { method: 'GET', upgrade: 'h2c' },
      ]).head,
    ).toMatchObject({ tunnel: false });
  });
  it('a tunnel through CONNECT, and a refusal of it', () => {
    expect(one('HTTP/1.1 200 OK\r\n\r\n\x00\x01', [{ method: 'CONNECT' }])).toMatchObject({
      body: '\x00\x01',
      head: { tunnel: true },
    });
    expect(one('HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno', [{ method: 'CONNECT' }])).toMatchObject({
      body: 'no',
      head: { tunnel: false },
    });
  });
  it('the responses of one connection in turn, each by its own request', () => {
    const told = read(ok('Content-Length: 5\r\n') + ok('Content-Length: 5\r\n', 'hello') + ok(EMPTY), [
      { method: 'HEAD' },
      { method: 'GET' },
      { method: 'GET' },
    ]);
    expect(told.map(({ body, complete }) => [body, complete])).toEqual([
      ['', true],
      ['hello', true],
      ['', true],
    ]);
  });
});

describe('a response decoder', () => {
  it('returns where a tunnel begins, leaving its bytes to the caller', () => {
    const said: string[] = [];
    const decoder = new ResponseDecoder({
      onHead: (head) => said.push(`head ${head.status} ${head.tunnel}`),
      onInformational: () => said.push('interim'),
      onData: (chunk, start, end) => said.push(chunk.toString('latin1', start, end)),
      onTrailers: () => said.push('trailers'),
      onComplete: () => said.push('complete'),
      onFault: (fault) => said.push(fault.rule),
    });
    decoder.expect('CONNECT');
    const bytes = Buffer.from('HTTP/1.1 200 OK\r\n\r\nraw');
    expect(decoder.execute(bytes)).toBe(bytes.length - 3);
    expect([decoder.phase, said]).toEqual(['tunnel', ['head 200 true']]);
  });
});
