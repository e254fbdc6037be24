import { describe, expect, it } from 'vitest';
import { everyByte, bytesOf, readRequests, type Told } from '../tests/transcript.ts';
import {
  BODY_CHUNKED,
  BODY_LENGTH,
  BODY_NONE,
  RequestDecoder,
  RequestHead,
  type Http1Limits,
  type Http1Rule,
} from './index.ts';

const H = 'Host: a.example\r\n';
const get = (fields: string): string => `GET / HTTP/1.1\r\n${fields}\r\n`;
const post = (fields: string, body = ''): string => `POST /x HTTP/1.1\r\n${H}${fields}\r\n${body}`;
const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body);

/** Reads whole, one byte at a time, and in twos and sevens; all must agree. */
function read(text: string, limits: Partial<Http1Limits> = {}): Told[] {
  const whole = readRequests(text, [], limits);
  const size = bytesOf(text).length;
  for (const step of [1, 2, 7]) {
    const cuts = everyByte(bytesOf(text)).filter((at) => at % step === 0);
    const split = readRequests(text, cuts, limits);
    expect(split.map(outline), `in steps of ${step} of ${size}`).toEqual(whole.map(outline));
  }
  return whole;
}
const outline = ({ head, body, trailers, complete, fault }: Told): unknown => ({
  head,
  body,
  trailers,
  complete,
  fault,
});

const REFUSED: Record<string, [Http1Rule, string][]> = {
  'request line': [
    ['request-line', 'GET /\r\n\r\n'],
    ['request-line', 'GET\r\n\r\n'],
    ['request-line', `GET  / HTTP/1.1\r\n${H}\r\n`],
    ['request-line', `GET /  HTTP/1.1\r\n${H}\r\n`],
    ['version', `GET / HTTP/1.1 \r\n${H}\r\n`],
    ['request-line', ` GET / HTTP/1.1\r\n${H}\r\n`],
    ['method', `GET\t/ HTTP/1.1\r\n${H}\r\n`],
    ['target', `GET /\tHTTP/1.1\r\n${H}\r\n`],
    ['method', `G(T / HTTP/1.1\r\n${H}\r\n`],
    ['method', `\x16\x03\x01\x02\x00\x01`],
    ['method', `GET\x00 / HTTP/1.1\r\n${H}\r\n`],
    ['method-unknown', `get / HTTP/1.1\r\n${H}\r\n`],
    ['method-unknown', `GETX / HTTP/1.1\r\n${H}\r\n`],
    ['method-unknown', `${'A'.repeat(33)} / HTTP/1.1\r\n${H}\r\n`],
    ['http2-preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['method-unknown', 'PRI * HTTP/2.1\r\n\r\n'],
    ['version-unsupported', `GET / HTTP/2.0\r\n${H}\r\n`],
    ['version-unsupported', `GET / HTTP/1.2\r\n${H}\r\n`],
    ['version-unsupported', `GET / HTTP/0.9\r\n${H}\r\n`],
    ['version', `GET / HTTP/1\r\n${H}\r\n`],
    ['version', `GET / HTTP/11\r\n${H}\r\n`],
    ['version', `GET / HTTP/1.10\r\n${H}\r\n`],
    ['version', `GET / HTTP/01.1\r\n${H}\r\n`],
    ['version', `GET / http/1.1\r\n${H}\r\n`],
    ['version', `GET / HTTPS/1.1\r\n${H}\r\n`],
    ['version', `GET / HTTP/1.1x\r\n${H}\r\n`],
    ['version', 'GET / HTTP/\n'],
    ['line-end', `GET / HTTP/1.1\n${H}\r\n`],
    ['version', `GET / HTTP/1.1\r\r\n${H}\r\n`.replace('\r\r\n', '\x0b\r\n')],
    ['line-end', `GET / HTTP/1.1\r\r\n${H}\r\n`],
    ['line-end', `\n\nGET / HTTP/1.1\r\n${H}\r\n`],
    ['line-end', `\rGET / HTTP/1.1\r\n${H}\r\n`],
    ['request-line', `\r\n\r\nGET / HTTP/1.1\r\n${H}\r\n`],
  ],
  target: [
    ['target', `GET /a b HTTP/1.1\r\n${H}\r\n`.replace('a b', 'a\x01b')],
    ['version', `GET /a b HTTP/1.1\r\n${H}\r\n`],
    ['target', `GET /\x80 HTTP/1.1\r\n${H}\r\n`],
    ['target', `GET /a\x7f HTTP/1.1\r\n${H}\r\n`],
    ['target', `GET /a"b HTTP/1.1\r\n${H}\r\n`],
    ['target', `GET /<b> HTTP/1.1\r\n${H}\r\n`],
    ['target', `GET /a\\b HTTP/1.1\r\n${H}\r\n`],
    ['target', `GET /{a} HTTP/1.1\r\n${H}\r\n`],
    ['target', `GET /?"x" HTTP/1.1\r\n${H}\r\n`],
    ['target-fragment', `GET /#x HTTP/1.1\r\n${H}\r\n`],
    ['target-fragment', `GET /?a#x HTTP/1.1\r\n${H}\r\n`],
    ['target-escape', `GET /% HTTP/1.1\r\n${H}\r\n`],
    ['target-escape', `GET /%4 HTTP/1.1\r\n${H}\r\n`],
    ['target-escape', `GET /%zz HTTP/1.1\r\n${H}\r\n`],
    ['target-escape', 'GET /%\n'],
    ['target', `GET * HTTP/1.1\r\n${H}\r\n`],
    ['target', `OPTIONS ** HTTP/1.1\r\n${H}\r\n`],
    ['target', `GET a.example:80 HTTP/1.1\r\n${H}\r\n`],
    ['target', `GET x HTTP/1.1\r\n${H}\r\n`],
    ['target', `GET ?x HTTP/1.1\r\n${H}\r\n`],
    ['target-scheme', `GET ftp://a.example/ HTTP/1.1\r\n${H}\r\n`],
    ['target-authority', `GET http:/// HTTP/1.1\r\n${H}\r\n`],
    ['target-authority', `GET http://u@a.example/ HTTP/1.1\r\n${H}\r\n`],
    ['target-authority', `GET http://a.example:x/ HTTP/1.1\r\n${H}\r\n`],
    ['target', `GET http://a.example/[%zz] HTTP/1.1\r\n${H}\r\n`.replace('[%zz]', '{}')],
    ['host-disagrees', `GET http://b.example/ HTTP/1.1\r\n${H}\r\n`],
    ['host-disagrees', `GET http://a.example:81/ HTTP/1.1\r\n${H}\r\n`],
    ['host-disagrees', `GET https://a.example/ HTTP/1.1\r\nHost: a.example:80\r\n\r\n`],
    ['target-authority', `CONNECT / HTTP/1.1\r\n${H}\r\n`],
    ['target-authority', `CONNECT a.example HTTP/1.1\r\n${H}\r\n`],
    ['target-authority', `CONNECT http://a.example/ HTTP/1.1\r\n${H}\r\n`],
    ['host-disagrees', `CONNECT b.example:443 HTTP/1.1\r\n${H}\r\n`],
  ],
  host: [
    ['host-missing', get('')],
    ['host-missing', get('Hos: a\r\n')],
    ['host-repeated', get(`${H}${H}`)],
    ['host-repeated', get(`${H}host: b\r\n`)],
    ['host', get('Host:\r\n')],
    ['host', get('Host: \t \r\n')],
    ['host', get('Host: a, b\r\n')],
    ['host', get('Host: a,b\r\n')],
    ['host', get('Host: a b\r\n')],
    ['host', get('Host: u@a\r\n')],
    ['host', get('Host: a/b\r\n')],
    ['host', get('Host: a:80:80\r\n')],
    ['host', get('Host: a:8o\r\n')],
    ['host', get('Host: a:-1\r\n')],
    ['host', get('Host: a:65536\r\n')],
    ['host', get('Host: :80\r\n')],
    ['host', get('Host: [::1\r\n')],
    ['host', get('Host: [::1]x\r\n')],
    ['host', get('Host: [::1%25eth0]\r\n')],
    ['host', get('Host: [1:2:3]\r\n')],
    ['host', get('Host: ::1\r\n')],
    ['host', get('Host: a%\r\n')],
    ['host', get('Host: a%zz\r\n')],
    ['host', get('Host: \xe9\r\n')],
    ['host', get('Host: http://a\r\n')],
    ['host', get('Host: a?b\r\n')],
    ['host', 'GET / HTTP/1.0\r\nHost: a b\r\n\r\n'],
    ['host-repeated', `GET / HTTP/1.0\r\n${H}${H}\r\n`],
  ],
  'field lines': [
    ['field-name-space', get(`${H}A : b\r\n`)],
    ['field-name-space', get(`${H}A\t: b\r\n`)],
    ['field-name-space', get(`Host : a\r\n`)],
    ['field-name', get(`${H}: b\r\n`)],
    ['field-name', get(`${H}A\x00: b\r\n`)],
    ['field-name', get(`${H}A(: b\r\n`)],
    ['field-name', get(`${H}\xe9: b\r\n`)],
    ['field-name', get(`${H}A"b: b\r\n`)],
    ['field-name', get(`${H}A/b: b\r\n`)],
    ['field-name', get(`${H}A@b: b\r\n`)],
    ['field-name', get(`${H}A\rB: b\r\n`)],
    ['line-end', get(`${H}A\nB: b\r\n`)],
    ['field-name', get(`${H}no colon\r\n`).replace('no colon', 'nocolon')],
    ['field-name-space', get(`${H}no colon\r\n`)],
    ['obs-fold', get(`${H}A: b\r\n c\r\n`)],
    ['obs-fold', get(`${H}A: b\r\n\tc\r\n`)],
    ['obs-fold', `GET / HTTP/1.1\r\n ${H}\r\n`],
    ['obs-fold', get(`${H}A: b\r\n \r\n`)],
    ['field-value', get(`${H}A: b\x00c\r\n`)],
    ['field-value', get(`${H}A: b\x01c\r\n`)],
    ['field-value', get(`${H}A: b\x0bc\r\n`)],
    ['field-value', get(`${H}A: b\x1f\r\n`)],
    ['field-value', get(`${H}A: b\x7f\r\n`)],
    ['field-value', get(`${H}A: ${'b'.repeat(9)}\x7f${'b'.repeat(9)}\r\n`)],
    ['line-end', get(`${H}A: b\rc\r\n`)],
    ['line-end', get(`${H}A: b\nC: d\r\n`)],
    ['line-end', get(`${H}A: b\r\r\n`)],
    ['line-end', `GET / HTTP/1.1\r\n${H}\n`],
    ['line-end', `GET / HTTP/1.1\r\n${H}\rX`],
  ],
  'content length': [
    ['length', post('Content-Length: \r\n')],
    ['length', post('Content-Length: +1\r\n', 'x')],
    ['length', post('Content-Length: -1\r\n')],
    ['length', post('Content-Length: 0x1\r\n', 'x')],
    ['length', post('Content-Length: 1_0\r\n')],
    ['length', post('Content-Length: 1 0\r\n')],
    ['length', post('Content-Length: 1,1\r\n', 'x')],
    ['length', post('Content-Length: 1, 1\r\n', 'x')],
    ['length', post('Content-Length: 1.0\r\n', 'x')],
    ['length', post('Content-Length: 1e1\r\n')],
    ['length', post('Content-Length: "1"\r\n', 'x')],
    ['length', post('Content-Length: a\r\n')],
    ['length', post('Content-Length: \xb2\r\n')],
    ['length-overflow', post('Content-Length: 9007199254740992\r\n')],
    ['length-overflow', post('Content-Length: 18446744073709551617\r\n')],
    ['length-overflow', post('Content-Length: 00000000000000001\r\n', 'x')],
    ['length-repeated', post('Content-Length: 1\r\nContent-Length: 2\r\n', 'xx')],
    ['length-repeated', post('Content-Length: 1\r\ncontent-length: 1\r\n', 'x')],
    ['length-and-coding', post('Content-Length: 1\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
    ['length-and-coding', post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n')],
  ],
  'transfer encoding': [
    ...[
      'xchunked',
      'chunkedx',
      ',chunked',
      'chunked,',
      'chunked, chunked',
      'identity',
      '',
      'chunked;q=1',
      '"chunked"',
      'chun ked',
      'chunked, gzip',
      'gzip',
      'chunked, identity',
      'identity, chunked',
      'cow',
      'cow, chunked',
    ].map((coding): [Http1Rule, string] => ['coding', post(`Transfer-Encoding: ${coding}\r\n`, '0\r\n\r\n')]),
    ['field-value', post('Transfer-Encoding: \x0bchunked\r\n')],
    ['field-value', post('Transfer-Encoding: chunked\x00\r\n')],
    ['field-name-space', post('Transfer-Encoding : chunked\r\n')],
    [
      'obs-fold',
      post('Transfer-Encoding:\r\n chunked\r\n').replace(
        'Transfer-Encoding:\r\n chunked',
        'X: y\r\n Transfer-Encoding: chunked',
      ),
    ],
    ['coding', post('Transfer-Encoding:\r\n chunked\r\n')],
    ['coding-unknown', post('Transfer-Encoding: gzip, chunked\r\n')],
    ['coding-repeated', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
    [
      'coding',
      post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', '0\r\n\r\n').replace(
        'chunked\r\nT',
        'identity\r\nT',
      ),
    ],
    ['coding-version', `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ],
  chunks: [
    ...['+1', '-1', '0x1', ' 1', '1 ', '1\t', '', 'g', '1_0', '1,', '1.0', '00000000000000001', '\x001'].map(
      (size): [Http1Rule, string] => ['chunk-size', chunked(`${size}\r\nx\r\n0\r\n\r\n`)],
    ),
    ['chunk-size-overflow', chunked('ffffffffffffffff\r\nx\r\n')],
    ['chunk-size-overflow', chunked('20000000000000\r\nx\r\n')],
    ['line-end', chunked('1\nx\r\n0\r\n\r\n')],
    ['line-end', chunked('1\rx\r\n0\r\n\r\n')],
    ['chunk-end', chunked('1\r\nx\n0\r\n\r\n')],
    ['chunk-end', chunked('1\r\nxy\r\n0\r\n\r\n')],
    ['chunk-end', chunked('1\r\nx\r0\r\n\r\n')],
    ['chunk-end', chunked('2\r\nx\r\n0\r\n\r\n')],
    ['chunk-end', chunked('1\r\nx0\r\n\r\n')],
    ['line-end', chunked('0\n\r\n')],
    ['line-end', chunked('0\r\n\n')],
    ...[
      ';',
      ';;a',
      '; a',
      ' ;a',
      ';a ',
      ';a=',
      ';a =b',
      ';a= b',
      ';a=b c',
      ';=b',
      ';a="b',
      ';a="b"c',
      ';a=b"',
      ';a\x00',
      ';a="\x01"',
      ';a="\\\x01"',
      ';a=\x80',
      ';a\n',
    ].map((ext): [Http1Rule, string] => [
      ext === ' ;a' ? 'chunk-size' : 'chunk-extension',
      chunked(`1${ext}\r\nx\r\n0\r\n\r\n`),
    ]),
  ],
  trailers: [
    ['trailer-field', chunked('0\r\nContent-Length: 1\r\n\r\n')],
    ['trailer-field', chunked('0\r\nTransfer-Encoding: chunked\r\n\r\n')],
    ['trailer-field', chunked('0\r\nHost: b\r\n\r\n')],
    ['trailer-field', chunked('0\r\nConnection: close\r\n\r\n')],
    ['trailer-field', chunked('0\r\nAuthorization: x\r\n\r\n')],
    ['trailer-field', chunked('0\r\nTrailer: x\r\n\r\n')],
    ['trailer-field', chunked('0\r\nContent-Type: x\r\n\r\n')],
    ['field-name-space', chunked('0\r\nA : b\r\n\r\n')],
    ['obs-fold', chunked('0\r\nA: b\r\n c\r\n\r\n')],
    ['line-end', chunked('0\r\nA: b\n\r\n')],
    ['field-value', chunked('0\r\nA: \x00\r\n\r\n')],
    ['field-name', chunked('0\r\n: b\r\n\r\n')],
    ['field-name', chunked('0\r\nGET / HTTP/1.1\r\n\r\n').replace('GET / HTTP/1.1', 'GET/HTTP/1.1')],
  ],
  other: [
    ['expect', get(`${H}Expect: 200-ok\r\n`)],
    ['expect', get(`${H}Expect: 100-continue, x\r\n`)],
    ['expect', get(`${H}Expect: 100-continue\r\nExpect: 100-continue\r\n`)],
    ['connection', get(`${H}Connection: close;x\r\n`)],
    ['connection', get(`${H}Connection: a b\r\n`)],
    ['connection', get(`${H}Connection: "close"\r\n`)],
    ['connection', get(`${H}Connection: ${Array.from({ length: 17 }, (_, i) => `x${i}`).join()}\r\n`)],
    ['upgrade', get(`${H}Connection: upgrade\r\nUpgrade: a b\r\n`)],
    ['upgrade', get(`${H}Connection: upgrade\r\nUpgrade: a/\r\n`)],
    ['upgrade', get(`${H}Connection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n`)],
    ['body-forbidden', `CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nContent-Length: 1\r\n\r\nx`],
    [
      'body-forbidden',
      `CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['body-forbidden', `TRACE / HTTP/1.1\r\n${H}Content-Length: 1\r\n\r\nx`],
    ['truncated', `GET / HTTP/1.1\r\n${H}`],
    ['truncated', 'GE'],
    ['truncated', post('Content-Length: 3\r\n', 'xx')],
    ['truncated', chunked('5\r\nabc')],
    ['truncated', chunked('3\r\nabc\r\n')],
    ['truncated', chunked('3\r\nabc\r\n0\r\n')],
    ['truncated', chunked('3\r\nabc\r\n0\r\nA: b\r\n')],
  ],
};

describe('a request decoder refuses', () => {
  for (const [what, cases] of Object.entries(REFUSED)) {
    describe(`${what}`, () => {
      for (const [rule, text] of cases) {
        it(`${rule}: ${JSON.stringify(text).slice(0, 110)}`, () => {
          const told = read(text);
          const last = told.at(-1) as Told;
          expect(last.fault).toBe(rule);
          expect(last.complete).toBe(false);
          expect(told).toHaveLength(1);
        });
      }
    });
  }

  it('with the status that the rule has', () => {
    const status = (text: string, limits: Partial<Http1Limits> = {}): number =>
      (readRequests(text, [], limits)[0] as Told).status;
    expect(status(get(''))).toBe(400);
    expect(status(`GET /${'a'.repeat(9000)} HTTP/1.1\r\n${H}\r\n`)).toBe(414);
    expect(status(get(`${H}Expect: x\r\n`))).toBe(417);
    expect(status(get(`${H}${'A: b\r\n'.repeat(100)}`))).toBe(431);
    expect(status(`BREW / HTTP/1.1\r\n${H}\r\n`)).toBe(501);
    expect(status(post('Transfer-Encoding: gzip, chunked\r\n'))).toBe(501);
    expect(status(`GET / HTTP/3.0\r\n${H}\r\n`)).toBe(505);
    expect(status(chunked(`1;${'a'.repeat(5000)}\r\nx\r\n0\r\n\r\n`))).toBe(413);
  });

  it('everything after a fault: the decoder takes no more bytes', () => {
    const told = readRequests(`${get('')}${get(H)}`);
    expect(told).toHaveLength(1);
  });
});

describe('a request decoder keeps its limits', () => {
  const cases: [Http1Rule, Partial<Http1Limits>, string, string][] = [
    [
      'head-size',
      { maxHeadBytes: 64 },
      get(`${H}A: ${'b'.repeat(25)}\r\n`),
      get(`${H}A: ${'b'.repeat(24)}\r\n`),
    ],
    ['head-lines', { maxHeaders: 2 }, get(`${H}A: b\r\nC: d\r\n`), get(`${H}A: b\r\n`)],
    [
      'uri-length',
      { maxUriBytes: 8 },
      `GET /12345678 HTTP/1.1\r\n${H}\r\n`,
      `GET /1234567 HTTP/1.1\r\n${H}\r\n`,
    ],
    [
      'chunk-extension-size',
      { maxChunkExtensionBytes: 5 },
      chunked('1;abc\r\nx\r\n1;a\r\nx\r\n0\r\n\r\n'),
      chunked('1;a\r\nx\r\n1;b\r\nx\r\n0\r\n\r\n'),
    ],
    [
      'trailer-size',
      { maxTrailerBytes: 10 },
      chunked('0\r\nA: bcdef\r\n\r\n'),
      chunked('0\r\nA: bcd\r\n\r\n'),
    ],
    ['trailer-size', { maxTrailers: 1 }, chunked('0\r\nA: b\r\nC: d\r\n\r\n'), chunked('0\r\nA: b\r\n\r\n')],
  ];
  for (const [rule, limits, over, under] of cases) {
    it(`${rule} with ${JSON.stringify(limits)}`, () => {
      expect((read(over, limits).at(-1) as Told).fault).toBe(rule);
      expect(read(under, limits).map((told) => told.complete)).toEqual([true]);
    });
  }

  it('before the end of a head that never ends', () => {
    const endless = `GET / HTTP/1.1\r\n${H}A: ${'b'.repeat(70_000)}`;
    expect((readRequests(endless, [10, 20_000, 50_000])[0] as Told).fault).toBe('head-size');
    expect((readRequests(`GET /${'a'.repeat(70_000)}`, [100, 9000])[0] as Told).fault).toBe('uri-length');
  });

  it('taking time in proportion to the bytes when a long line comes byte by byte', () => {
    const tap = {
      onHead(): void {},
      onData(): void {},
      onTrailers(): void {},
      onComplete(): void {},
      onFault(): void {},
    };
    const time = (size: number): number => {
      const decoder = new RequestDecoder(tap, { maxHeadBytes: 1 << 20 });
      const bytes = Buffer.from(`GET / HTTP/1.1\r\n${H}A: ${'b'.repeat(size)}`);
      const from = performance.now();
      for (let at = 0; at < bytes.length; at++) decoder.execute(bytes, at, at + 1);
      return performance.now() - from;
    };
    time(20_000);
    expect(time(200_000)).toBeLessThan(60 * Math.max(time(20_000), 2));
  });
});

const head = (told: Told[]): Record<string, unknown> => {
  expect(told.map(({ fault }) => fault)).toEqual(told.map(() => undefined));
  return told[0]?.head as Record<string, unknown>;
};

describe('a request decoder accepts', () => {
  it('origin form, with path and query apart', () => {
    expect(head(read(`GET /a/b;v=1?x=1?y HTTP/1.1\r\n${H}\r\n`))).toMatchObject({
      method: 'GET',
      target: '/a/b;v=1?x=1?y',
      path: '/a/b;v=1',
      query: 'x=1?y',
      authority: 'a.example',
      scheme: '',
      bodyKind: BODY_NONE,
      contentLength: -1,
      keepAlive: true,
      version: '1.1',
    });
    expect(head(read(`GET /? HTTP/1.1\r\n${H}\r\n`))).toMatchObject({ path: '/', query: '' });
    expect(head(read(`GET //a/../%2e%2E HTTP/1.1\r\n${H}\r\n`))).toMatchObject({
      path: '//a/../%2e%2E',
      query: undefined,
    });
  });
  it('absolute form that agrees with Host', () => {
    expect(head(read(`GET http://A.example:80 HTTP/1.1\r\n${H}\r\n`))).toMatchObject({
      path: '/',
      authority: 'A.example:80',
      scheme: 'http',
    });
    expect(head(read('GET HTTPS://a.example?x HTTP/1.1\r\nHost: A.EXAMPLE:443\r\n\r\n'))).toMatchObject({
      path: '/',
      query: 'x',
      scheme: 'https',
    });
    expect(head(read('OPTIONS http://a.example HTTP/1.1\r\nHost: a.example:\r\n\r\n'))).toMatchObject({
      path: '*',
    });
    expect(head(read('GET http://[::1]:8080/x HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n'))).toMatchObject({
      authority: '[::1]:8080',
      path: '/x',
    });
    expect(
      head(
        readRequests('GET http://[::1]/x HTTP/1.1\r\nHost: [::1]\r\n\r\n', [], { targetChars: 'rfc3986' }),
      ),
    ).toMatchObject({ path: '/x' });
    expect(head(read('GET http://a/ HTTP/1.0\r\n\r\n'))).toMatchObject({
      authority: 'a',
      version: '1.0',
      keepAlive: false,
    });
  });
  it('asterisk form and authority form', () => {
    expect(head(read(`OPTIONS * HTTP/1.1\r\n${H}\r\n`))).toMatchObject({ path: '*', query: undefined });
    expect(head(read('CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n'))).toMatchObject({
      method: 'CONNECT',
      authority: 'a.example:443',
      path: '',
    });
  });
  it('what URL serialisers leave bare, unless told to keep to RFC 3986', () => {
    for (const target of ['/a[]|', '/?a[0]={x}|\\^`', '/?q=100%']) {
      const text = `GET ${target} HTTP/1.1\r\n${H}\r\n`;
      expect(head(read(text))).toMatchObject({ target });
      expect((read(text, { targetChars: 'rfc3986' })[0] as Told).fault).toMatch(/^target/);
    }
  });
  it('every host spelling that RFC 3986 allows', () => {
    for (const host of [
      'a',
      'a.',
      'A_b.c-d',
      '127.0.0.1:8080',
      'a:',
      '[::1]',
      '[1:2:3:4:5:6:7:8]:1',
      '[::ffff:1.2.3.4]',
      'a%2eb',
      "!$&'()*+;=~",
      'a:65535',
    ]) {
      expect(head(read(get(`Host: ${host}\r\n`)))).toMatchObject({ authority: host });
    }
  });
  it('blanks around values, empty values, obs-text, and keeps spelling and repeats', () => {
    expect(
      head(read(get('HOST:a\r\nX-a:\t b \tc \t\r\nx-A:\r\nX-Ü: \xfc\r\n'.replace('X-Ü', 'X-u')))).fields,
    ).toEqual([
      ['HOST', 'a'],
      ['X-a', 'b \tc'],
      ['x-A', ''],
      ['X-u', '\xfc'],
    ]);
  });
  it('known methods, and others when told', () => {
    for (const method of ['HEAD', 'M-SEARCH', 'PROPFIND', 'QUERY', 'PURGE'])
      expect(head(read(`${method} / HTTP/1.1\r\n${H}\r\n`))).toMatchObject({ method });
    expect(head(read(`BREW / HTTP/1.1\r\n${H}\r\n`, { allowCustomMethods: true }))).toMatchObject({
      method: 'BREW',
    });
  });
  it('one empty line before a request', () => {
    expect(head(read(`\r\n${get(H)}`))).toMatchObject({ method: 'GET' });
  });
  it('a body of a length', () => {
    const told = read(post('Content-Length: 005\r\n', 'hello'));
    expect(head(told)).toMatchObject({ bodyKind: BODY_LENGTH, contentLength: 5 });
    expect(told[0]).toMatchObject({ body: 'hello', complete: true });
    expect(head(read(post('Content-Length: 0\r\n')))).toMatchObject({
      bodyKind: BODY_LENGTH,
      contentLength: 0,
    });
  });
  it('chunks with extensions and trailers', () => {
    const told = read(
      post(
        'Transfer-Encoding: \tChunked \r\n',
        '5;a;b=c;d="e\\"f;"\r\nhello\r\n00A\r\n, world!\r\n\r\n000;x\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n',
      ),
    );
    expect(head(told)).toMatchObject({ bodyKind: BODY_CHUNKED, contentLength: -1 });
    expect(told[0]).toMatchObject({
      body: 'hello, world!\r\n',
      trailers: [
        ['X-Sum', '1'],
        ['x-sum', '2'],
      ],
      complete: true,
    });
  });
  it('pipelined requests one after the other, whatever the body holds', () => {
    const told = read(
      `${post('Content-Length: 18\r\n', 'GET / HTTP/1.1\r\n\r\n')}${chunked('3\r\n\r\n\r\r\n0\r\n\r\n')}\r\n${get(H)}`,
    );
    expect(told.map(({ complete }) => complete)).toEqual([true, true, true]);
    expect(told.map(({ body }) => body)).toEqual(['GET / HTTP/1.1\r\n\r\n', '\r\n\r', '']);
  });
  it('persistence as RFC 9112 §9.3 says', () => {
    const keeps = (version: string, connection: string): unknown =>
      head(read(`GET / HTTP/${version}\r\n${H}${connection}\r\n`)).keepAlive;
    expect(keeps('1.1', '')).toBe(true);
    expect(keeps('1.1', 'Connection: CLOSE\r\n')).toBe(false);
    expect(keeps('1.1', 'Connection: a, close ,b\r\n')).toBe(false);
    expect(keeps('1.1', 'Connection: a\r\nConnection: close\r\n')).toBe(false);
    expect(keeps('1.0', '')).toBe(false);
    expect(keeps('1.0', 'Connection: Keep-Alive\r\n')).toBe(true);
    expect(keeps('1.0', 'Connection: keep-alive, close\r\n')).toBe(false);
  });
  it('upgrades and expectations of HTTP/1.1 only', () => {
    const fields = `${H}Connection: , Upgrade,, X-Hop\r\nUpgrade: websocket, h2c/1\r\nExpect: 100-Continue\r\n`;
    expect(head(read(get(fields)))).toMatchObject({
      upgrade: 'websocket, h2c/1',
      expectContinue: true,
      connectionNames: ['x-hop'],
    });
    const old = head(read(`GET / HTTP/1.0\r\n${fields}\r\n`));
    expect(old).toMatchObject({ upgrade: undefined, expectContinue: false });
    expect((old.fields as string[][]).map(([name]) => name)).not.toContain('Expect');
    expect(head(read(get(`${H}Upgrade: websocket\r\n`)))).toMatchObject({ upgrade: undefined });
  });
});

describe('a request decoder', () => {
  const record = (): { said: string[]; decoder: RequestDecoder } => {
    const said: string[] = [];
    const decoder: RequestDecoder = new RequestDecoder({
      onHead: (it) => said.push(`head ${it.path}`),
      onData: (chunk, start, end) => said.push(`data ${chunk.toString('latin1', start, end)}`),
      onTrailers: () => said.push('trailers'),
      onComplete: () => said.push('complete'),
      onFault: (fault) => said.push(fault.rule),
    });
    return { said, decoder };
  };

  it('stops at the end of a message and leaves the next one to the caller', () => {
    const { said, decoder } = record();
    const bytes = Buffer.from(post('Content-Length: 2\r\n', 'ok') + get(H));
    const first = decoder.execute(bytes);
    expect(said).toEqual(['head /x', 'data ok', 'complete']);
    expect(decoder.phase).toBe('idle');
    expect(decoder.execute(bytes, first)).toBe(bytes.length - first);
    expect(said.slice(3)).toEqual(['head /', 'complete']);
  });

  it('tells nothing after pause until resume, not even the end', () => {
    const said: string[] = [];
    const decoder: RequestDecoder = new RequestDecoder({
      onHead: () => (said.push('head'), decoder.pause()),
      onData: () => (said.push('data'), decoder.pause()),
      onTrailers: () => (said.push('trailers'), decoder.pause()),
      onComplete: () => said.push('complete'),
      onFault: (fault) => said.push(fault.rule),
    });
    const bytes = Buffer.from(chunked('2\r\nok\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n') + get(H));
    let at = 0;
    for (const upTo of [
      'head',
      'head data',
      'head data data',
      'head data data trailers',
      'head data data trailers complete',
    ]) {
      decoder.resume();
      at += decoder.execute(bytes, at);
      expect(said.join(' ')).toBe(upTo);
    }
    expect(bytes.toString('latin1', at)).toBe(get(H));
    decoder.resume();
    at += decoder.execute(bytes, at);
    decoder.resume();
    expect(at).toBe(bytes.length);
    decoder.execute(bytes, at);
    expect(said.slice(5)).toEqual(['head', 'complete']);
  });

  it('fills the head it is given, so that each stream can own one', () => {
    const { decoder } = record();
    decoder.execute(Buffer.from(`GET /1 HTTP/1.1\r\n${H}\r\n`));
    const first = decoder.head;
    decoder.head = new RequestHead();
    decoder.execute(Buffer.from(`GET /2 HTTP/1.1\r\n${H}\r\n`));
    expect([first.path, decoder.head.path]).toEqual(['/1', '/2']);
    expect(first.fields.get('host')).toBe('a.example');
  });

  it('knows where it stands', () => {
    const { said, decoder } = record();
    const phases = [decoder.phase];
    for (const text of ['G', `ET /y HTTP/1.1\r\n${H}Content-Length: 2\r\n\r\n`, 'o', 'k']) {
      decoder.execute(Buffer.from(text));
      phases.push(decoder.phase);
    }
    expect(phases).toEqual(['idle', 'head', 'body', 'body', 'idle']);
    decoder.execute(Buffer.from('\x00'));
    expect(decoder.phase).toBe('failed');
    expect(decoder.execute(Buffer.from(get(H)))).toBe(0);
    expect(said.at(-1)).toBe('method');
  });

  it('says at which byte a rule was broken', () => {
    const at = (text: string): number => {
      let found = -1;
      const sink = {
        onHead(): void {},
        onData(): void {},
        onTrailers(): void {},
        onComplete(): void {},
        onFault(_: unknown, offset: number): void {
          found = offset;
        },
      };
      const decoder = new RequestDecoder(sink);
      const bytes = bytesOf(text);
      for (let i = 0; i < bytes.length; i += 3) decoder.execute(bytes, i, Math.min(i + 3, bytes.length));
      return found;
    };
    const fieldFault = get(`${H}A: b\x00c\r\n`);
    expect(at(fieldFault)).toBe(fieldFault.indexOf('\x00'));
    expect(at(chunked('3\r\nabc\r\n2\r\nxyz'))).toBe('3\r\nabc\r\n2\r\nxyz'.indexOf('z'));
  });
});
