import { chunked, get, H, MARK, PATH, post, type RequestCase, type Seen } from './cases.ts';

const odd = (group: string, send: string, ...seen: Seen[]): RequestCase => ({
  group,
  send,
  kind: 'odd',
  allowed: seen.length,
  seen: seen.map((it) => ({ target: PATH, ...it })),
});
const sized = (fields: string, body: string): string =>
  post(`${fields}Content-Length: ${body.length}\r\n`, body);
const hosted = (host: string): RequestCase =>
  odd('Host', `GET ${PATH} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, { method: 'GET' });

/** Requests that look strange and are valid: each must reach the origin as it was meant. */
export const ODD_REQUESTS: readonly RequestCase[] = [
  odd('plain', get(''), { method: 'GET', body: '' }),
  odd('empty line before', `\r\n${get('')}`, {}),
  odd('pipelined', get('') + get('') + get(''), {}, {}, {}),
  odd(
    'pipelined',
    sized('', 'hello') + chunked('5\r\nworld\r\n0\r\n\r\n') + get(''),
    { body: 'hello' },
    { body: 'world' },
    { body: '' },
  ),
  odd('pipelined', `${sized('', 'hello')}\r\n${get('')}`, { body: 'hello' }, {}),
  ...[
    'HEAD',
    'DELETE',
    'OPTIONS',
    'PATCH',
    'PUT',
    'PROPFIND',
    'REPORT',
    'MKCOL',
    'PURGE',
    'M-SEARCH',
    'QUERY',
  ].map((method) => odd('methods', `${method} ${PATH} HTTP/1.1\r\n${H}\r\n`, { method })),
  odd('targets', `OPTIONS * HTTP/1.1\r\n${H}X-Mark: ${MARK}\r\n\r\n`, { method: 'OPTIONS', target: '*' }),
  odd('targets', `GET http://origin.test${PATH} HTTP/1.1\r\n${H}\r\n`, {}),
  odd('targets', `GET HTTP://ORIGIN.test:80${PATH}?q HTTP/1.1\r\nHost: origin.TEST\r\n\r\n`, {
    target: `${PATH}?q`,
  }),
  odd('targets', `GET http://origin.test?${PATH} HTTP/1.1\r\n${H}\r\n`, { target: `/?${PATH}` }),
  ...[
    '?',
    '?a=b&c=d',
    '?a?b/c',
    '?[]={}|\\^`',
    '?100%',
    '/a;b=c,d',
    "/~!$&'()*+,;=:@",
    '/%41%7e%C3%A9',
    '/a[0]|b',
    '/x?y=http://z/#'.slice(0, -1),
    `/${'a'.repeat(4000)}`,
  ].map((tail) =>
    odd('targets', `GET ${PATH}${tail} HTTP/1.1\r\n${H}\r\n`, { method: 'GET', target: `${PATH}${tail}` }),
  ),
  ...[
    'origin.test:8080',
    'ORIGIN.test',
    'origin.test:',
    '127.0.0.1',
    '[::1]:80',
    '[2001:db8::1]',
    'a_b.test',
    'xn--bcher-kva.test',
    'localhost:65535',
  ].map(hosted),
  odd('field lines', `GET ${PATH} HTTP/1.1\r\nhOsT:origin.test\r\nX-Empty:\r\nX-Tab:\ta\t b\t\r\n\r\n`, {
    has: { 'x-empty': '', 'x-tab': 'a\t b' },
  }),
  odd('field lines', get("!#$%&'*+-.^_`|~09azAZ: x\r\n"), { has: { "!#$%&'*+-.^_`|~09azaz": 'x' } }),
  odd('field lines', get('X-Text: \x80\xe9\xff "quoted, \\"string" (comment)\r\n'), {
    has: { 'x-text': '\x80\xe9\xff "quoted, \\"string" (comment)' },
  }),
  odd('field lines', get('X-Rep: 1\r\nx-rep: 2\r\nX-REP: 3\r\n'), {}),
  odd('field lines', get(`X-Long: ${'y'.repeat(15_000)}\r\n`), {}),
  odd('field lines', get(Array.from({ length: 80 }, (_, i) => `X-${i}: ${i}\r\n`).join('')), {
    has: { 'x-79': '79' },
  }),
  odd('field lines', get('X-Colon: a:b:c\r\nX-Uri: http://x/?y#z\r\n'), { has: { 'x-colon': 'a:b:c' } }),
  odd(
    'underscores are not hyphens',
    post('Content_Length: 99\r\nTransfer_Encoding: chunked\r\nContent-Length: 5\r\n', 'hello'),
    { body: 'hello' },
  ),
  odd(
    'one-hop fields',
    get(
      'Connection: close, x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nProxy-Connection: close\r\n',
    ),
    { lacks: ['x-hop', 'keep-alive', 'te', 'proxy-connection'] },
  ),
  odd(
    'one-hop fields',
    sized('Connection: host, content-length, authorization\r\nAuthorization: Basic x\r\n', 'hello'),
    { body: 'hello', has: { authorization: 'Basic x' } },
  ),
  odd('one-hop fields', get('Connection: , ,keep-alive,,\r\n'), {}),
  odd(
    'one-hop fields',
    get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'),
    { lacks: ['upgrade', 'http2-settings'] },
  ),
  odd('bodies', sized('', ''), { body: '' }),
  odd('bodies', sized('', `GET /smuggled/${MARK} HTTP/1.1\r\n${H}\r\n`), {
    body: `GET /smuggled/${MARK} HTTP/1.1\r\n${H}\r\n`,
  }),
  odd('bodies', post('Content-Length: 005\r\n', 'hello'), { body: 'hello' }),
  odd('bodies', post('Content-Length:5\r\n', 'hello'), { body: 'hello' }),
  odd('bodies', sized('', '\x00\r\n\r\n0\r\n\r\n\xff'), { body: '\x00\r\n\r\n0\r\n\r\n\xff' }),
  odd('bodies', sized('', 'x'.repeat(100_000)), { body: 'x'.repeat(100_000) }),
  odd('bodies', `GET ${PATH} HTTP/1.1\r\n${H}Content-Length: 5\r\n\r\nhello`, {
    method: 'GET',
    body: 'hello',
  }),
  odd('bodies', `DELETE ${PATH} HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, {
    method: 'DELETE',
    body: 'hello',
  }),
  ...[
    '5\r\nhello\r\n0\r\n\r\n',
    '05\r\nhello\r\n000\r\n\r\n',
    '5;a\r\nhello\r\n0;b\r\n\r\n',
    '5;a=b;c="d;\\"e\\""\r\nhello\r\n0\r\n\r\n',
    '1\r\nh\r\n4\r\nello\r\n0\r\n\r\n',
    '0000000000000005\r\nhello\r\n0\r\n\r\n',
    "5;!#$%&'*+-.^_`|~=1\r\nhello\r\n0\r\n\r\n",
  ].map((body) => odd('chunks', chunked(body), { body: 'hello' })),
  odd('chunks', chunked('A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n'), { body: '0123456789abcdefghij' }),
  odd('chunks', chunked('7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n'), { body: '0\r\n\r\n\r\n' }),
  odd('chunks', chunked('0\r\n\r\n'), { body: '' }),
  odd('chunks', post('transfer-ENCODING: \tChunked \r\n', '5\r\nhello\r\n0\r\n\r\n'), { body: 'hello' }),
  odd('chunks', chunked(`${'1\r\nx\r\n'.repeat(500)}0\r\n\r\n`), { body: 'x'.repeat(500) }),
  odd('trailers', chunked('5\r\nhello\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n'), {
    body: 'hello',
    trailers: [
      ['X-Sum', '1'],
      ['x-sum', '2'],
    ],
  }),
  odd('expectations', post('Expect: 100-continue\r\nContent-Length: 5\r\n', 'hello'), { body: 'hello' }),
  odd(
    'expectations',
    post('Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
    { body: 'hello' },
  ),
  odd('expectations', get('Expect: 100-continue\r\n'), {}),
  odd('HTTP/1.0', `GET ${PATH} HTTP/1.0\r\n${H}\r\n`, {}),
  odd(
    'HTTP/1.0',
    `GET ${PATH} HTTP/1.0\r\n${H}Connection: keep-alive\r\n\r\nGET ${PATH} HTTP/1.0\r\n${H}\r\n`,
    {},
    {},
  ),
  odd('HTTP/1.0', `POST ${PATH} HTTP/1.0\r\n${H}Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello`, {
    body: 'hello',
    lacks: ['expect'],
  }),
];
