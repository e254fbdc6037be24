import type { ResponseCase } from './cases.ts';

const ok = (fields: string, body = ''): string => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`;
const EMPTY = 'Content-Length: 0\r\n';
const HELLO = 'Content-Length: 5\r\n';
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const ends = '0\r\n\r\n';
/** A second answer that must reach nobody. */
const POISON = `HTTP/1.1 200 OK\r\nX-Poison: yes\r\nContent-Length: 6\r\n\r\npoison`;

const refuse = (
  group: string,
  replies: readonly string[],
  more: Partial<ResponseCase> = {},
): ResponseCase[] => replies.map((reply) => ({ group, reply, kind: 'refuse', ...more }));
const isolate = (
  group: string,
  replies: readonly string[],
  more: Partial<ResponseCase> = {},
): ResponseCase[] => replies.map((reply) => ({ group, reply, kind: 'isolate', ...more }));
const odd = (
  group: string,
  reply: string,
  status: number,
  body: string,
  more: Partial<ResponseCase> = {},
): ResponseCase => ({ group, reply, kind: 'odd', status, body, ...more });

/** What an origin may do wrong: the caller gets one answer or 502, and that connection is never used again. */
export const HOSTILE_RESPONSES: readonly ResponseCase[] = [
  ...refuse(
    'status lines',
    [
      'http/1.1 200 OK',
      'HTTP 200 OK',
      'HTTP/1.1  200 OK',
      'HTTP/1.1\t200 OK',
      'HTTP/1.1 20 OK',
      'HTTP/1.1 2000 OK',
      'HTTP/1.1 +20 OK',
      'HTTP/1.1 2x0 OK',
      'HTTP/1.1',
      'HTTP/1.1 000 OK',
      'HTTP/1.1 099 OK',
      'HTTP/1.1 600 OK',
      'HTTP/1.1 999 OK',
      'HTTP/2.0 200 OK',
      'HTTP/1.2 200 OK',
      'HTTP/0.9 200 OK',
      ' HTTP/1.1 200 OK',
      'ICY 200 OK',
      '200 OK',
      'GET / HTTP/1.1',
      'HTTP/1.1 200 O\x00K',
      'HTTP/1.1 200 O\rK',
      'HTTP/1.1 200 O\x7fK',
    ].map((line) => `${line}\r\n${HELLO}\r\nhello`),
  ),
  ...refuse(
    'no head',
    [
      '<html>hello</html>\r\n\r\n',
      '\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
      '\x00\x00\x00',
      '\x15\x03\x03\x00\x02\x02\x28',
      'hello',
    ],
    { close: true },
  ),
  ...refuse(
    'field lines',
    [
      'A : b',
      ': b',
      'A\x00: b',
      'A: \x00',
      'A: b\x7f',
      'A: b\x0bc',
      'nocolon',
      'A: b\r\n c',
      '\tA: b',
      'A: b\nC: d',
      'A: b\rC: d',
      'A(: b',
      'A b: c',
      '\xe9: b',
    ].map((line) => ok(`${line}\r\n${HELLO}`, 'hello')),
  ),
  ...refuse('line ends', [
    `HTTP/1.1 200 OK\n${HELLO}\r\nhello`,
    `HTTP/1.1 200 OK\r\nContent-Length: 5\n\r\nhello`,
    `HTTP/1.1 200 OK\nContent-Length: 5\n\nhello`,
    `HTTP/1.1 200 OK\r\r\n${HELLO}\r\nhello`,
    `HTTP/1.1 200 OK\r\n${HELLO}\nhello`,
  ]),
  ...refuse('length and coding', [
    ok(`${HELLO}${CHUNKED}`, `5\r\nhello\r\n${ends}`),
    ok(`${CHUNKED}${HELLO}`, `5\r\nhello\r\n${ends}${POISON}`),
    ok(`${EMPTY}${CHUNKED}`, ends),
  ]),
  ...refuse(
    'Content-Length',
    [
      '+5',
      '-5',
      '0x5',
      '5,5',
      '5, 5',
      '5,6',
      '',
      '5 5',
      '5_',
      'five',
      '99999999999999999999',
      '"5"',
      '5.0',
    ].map((value) => ok(`Content-Length: ${value}\r\n`, `hello`)),
  ),
  ...refuse('repeated Content-Length', [
    ok('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello!'),
    ok('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello'),
    ok('Content-Length: 0\r\ncontent-length: 5\r\n', 'hello'),
  ]),
  ...refuse(
    'Transfer-Encoding',
    [
      'xchunked',
      ',chunked',
      'chunked, chunked',
      'identity',
      'gzip',
      'gzip, chunked',
      'chunked, identity',
      '',
      'chunked;x',
      '"chunked"',
      'chunked\x0b',
    ].map((value) => ok(`Transfer-Encoding: ${value}\r\n`, `5\r\nhello\r\n${ends}`)),
  ),
  ...refuse('Transfer-Encoding', [
    ok(`${CHUNKED}${CHUNKED}`, ends),
    `HTTP/1.0 200 OK\r\n${CHUNKED}\r\n${ends}`,
  ]),
  ...refuse(
    'chunks',
    [
      'x\r\nhello\r\n',
      '-5\r\nhello\r\n',
      '0x5\r\nhello\r\n',
      '5 \r\nhello\r\n',
      '5\nhello\r\n',
      '5\r\nhello!\r\n',
      '5\r\nhello\n',
      '4\r\nhello\r\n',
      'ffffffffffffffff\r\nhello\r\n',
      '5;\r\nhello\r\n',
      '5;a="\r\nhello\r\n',
      '00000000000000005\r\nhello\r\n',
    ].map((body) => ok(CHUNKED, `${body}${ends}`)),
  ),
  ...refuse(
    'trailers',
    ['Content-Length: 5', 'Transfer-Encoding: x', 'Set-Cookie: a=b', 'X : y', 'X: \x00', ' X: y'].map(
      (line) => ok(CHUNKED, `5\r\nhello\r\n0\r\n${line}\r\n\r\n`),
    ),
  ),
  ...refuse('no content', [
    `HTTP/1.1 204 No Content\r\n${CHUNKED}\r\n5\r\nhello\r\n${ends}`,
    `HTTP/1.1 204 No Content\r\n${HELLO}\r\nhello`,
  ]),
  ...refuse('interim', [
    `HTTP/1.1 100 Continue\r\n${EMPTY}\r\n${ok(HELLO, 'hello')}`,
    `HTTP/1.1 103 Early Hints\r\n${CHUNKED}\r\n${ok(HELLO, 'hello')}`,
    `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)}${ok(HELLO, 'hello')}`,
    `${'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'.repeat(1000)}${ok(HELLO, 'hello')}`,
  ]),
  ...refuse('unasked switch', [
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n${POISON}`,
  ]),
  ...refuse('sizes', [
    ok(`${'X: y\r\n'.repeat(500)}${HELLO}`, 'hello'),
    ok(`X: ${'y'.repeat(200_000)}\r\n${HELLO}`, 'hello'),
    `HTTP/1.1 200 ${'O'.repeat(200_000)}\r\n${HELLO}\r\nhello`,
  ]),
  ...refuse(
    'cut off',
    [
      '',
      'HTTP/1.1 200',
      'HTTP/1.1 200 OK\r\nX: y\r\n',
      ok(HELLO, 'hell'),
      ok(CHUNKED, '5\r\nhello\r\n'),
      ok(CHUNKED, '5\r\nhel'),
      ok(CHUNKED, `5\r\nhello\r\n0\r\n`),
      'HTTP/1.1 100 Continue\r\n\r\n',
    ],
    { close: true },
  ),
  ...refuse(
    'wrong switch',
    [
      `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n${POISON}`,
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n${POISON}`,
      `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n${HELLO}\r\nhello`,
    ],
    { fields: 'Connection: Upgrade\r\nUpgrade: websocket\r\n' },
  ),
  ...isolate('answers twice', [
    ok(HELLO, 'hello') + POISON,
    ok(EMPTY) + POISON,
    ok(CHUNKED, `5\r\nhello\r\n${ends}`) + POISON,
    `HTTP/1.1 204 No Content\r\n\r\n${POISON}`,
    `HTTP/1.1 304 Not Modified\r\n\r\n${POISON}`,
    ok(HELLO, 'hello') + POISON.repeat(5),
    `HTTP/1.1 404 Not Found\r\n${EMPTY}\r\n${POISON}`,
  ]),
  ...isolate('bytes after a response', [
    ok(HELLO, 'hello!'),
    ok(HELLO, 'hello\r\n'),
    ok(HELLO, 'hello\x00'),
    ok(EMPTY, '\r\n'),
    ok(CHUNKED, `5\r\nhello\r\n${ends}\r\n`),
    ok(CHUNKED, `5\r\nhello\r\n${ends}${ends}`),
    `HTTP/1.1 304 Not Modified\r\n${HELLO}\r\nhello`,
    ok(EMPTY, 'HTTP/1.1 100 Continue\r\n\r\n'),
  ]),
  ...isolate(
    'a body for HEAD',
    [ok(HELLO, 'hello'), ok(CHUNKED, `5\r\nhello\r\n${ends}`), ok(HELLO, POISON)],
    { method: 'HEAD' },
  ),
];

/** What an origin may do, although few do. */
export const ODD_RESPONSES: readonly ResponseCase[] = [
  odd('reasons', `HTTP/1.1 200 \r\n${HELLO}\r\nhello`, 200, 'hello'),
  odd('reasons', `HTTP/1.1 299 Sch\xf6n, "gut"\r\n${HELLO}\r\nhello`, 299, 'hello'),
  odd('interim', `HTTP/1.1 100 Continue\r\n\r\n${ok(HELLO, 'hello')}`, 200, 'hello'),
  odd(
    'interim',
    `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${ok(HELLO, 'hello')}`,
    200,
    'hello',
  ),
  odd('until close', ok('', 'hello'), 200, 'hello', { close: true }),
  odd('until close', 'HTTP/1.0 200 OK\r\n\r\nhello', 200, 'hello', { close: true }),
  odd('until close', ok('Connection: close\r\n', '0\r\n\r\n'), 200, '0\r\n\r\n', { close: true }),
  odd('HTTP/1.0', `HTTP/1.0 200 OK\r\n${HELLO}Connection: keep-alive\r\n\r\nhello`, 200, 'hello'),
  odd('chunks', ok(CHUNKED, `05;a="b"\r\nhello\r\n00\r\nX-Sum: 1\r\n\r\n`), 200, 'hello'),
  odd('chunks', ok('transfer-encoding:\tCHUNKED\r\n', `1\r\nh\r\n4\r\nello\r\n${ends}`), 200, 'hello'),
  odd('no content', 'HTTP/1.1 204 No Content\r\n\r\n', 204, ''),
  odd('no content', `HTTP/1.1 204 No Content\r\n${EMPTY}\r\n`, 204, ''),
  odd('no content', `HTTP/1.1 304 Not Modified\r\n${HELLO}ETag: "x"\r\n\r\n`, 304, ''),
  odd('no content', `HTTP/1.1 205 Reset Content\r\n${EMPTY}\r\n`, 205, ''),
  odd('HEAD', ok(HELLO), 200, '', { method: 'HEAD' }),
  odd('HEAD', ok(CHUNKED), 200, '', { method: 'HEAD' }),
  odd(
    'field lines',
    ok(`x-EMPTY:\r\nX-Text: \xe9\t"a"\r\nset-cookie: a=b\r\nset-cookie: c=d\r\n${HELLO}`, 'hello'),
    200,
    'hello',
  ),
  odd('field lines', ok(`Connection: close, x-hop\r\nX-Hop: 1\r\n${HELLO}`, 'hello'), 200, 'hello'),
  odd(
    'upgrade',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello',
    101,
    '\x81\x05hello',
    { fields: 'Connection: Upgrade\r\nUpgrade: websocket\r\n', close: true },
  ),
  odd(
    'upgrade',
    `HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: websocket\r\n${EMPTY}\r\n`,
    426,
    '',
    { fields: 'Connection: Upgrade\r\nUpgrade: websocket\r\n' },
  ),
  odd('status', `HTTP/1.1 599 What\r\n${HELLO}\r\nhello`, 599, 'hello'),
  odd('early answer', `HTTP/1.1 413 Content Too Large\r\n${EMPTY}Connection: close\r\n\r\n`, 413, '', {
    method: 'POST',
    fields: 'Content-Length: 5\r\n',
    close: true,
  }),
];
