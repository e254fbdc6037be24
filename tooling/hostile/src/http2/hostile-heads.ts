import { MARK } from '../corpus/index.ts';
import { continued, data, END_STREAM, headers, type Fields } from './frames.ts';
import { get, hostile, hostileHeads, post, request, type Http2Case } from './http2-case.ts';

const without = (name: string): Fields => get().filter(([field]) => field !== name);
const twice = (name: string): Fields => {
  const fields = get();
  const again = fields.find(([field]) => field === name) as [string, string];
  return [...fields, again];
};
const changed = (name: string, value: string): Fields =>
  get().map(([field, before]): [string, string] => [field, field === name ? value : before]);

const PSEUDO: readonly Http2Case[] = hostileHeads('pseudo-headers', {
  'no :method': without(':method'),
  'no :scheme': without(':scheme'),
  'no :path': without(':path'),
  'neither :authority nor host': without(':authority'),
  'none at all': [['x-mark', MARK]],
  ...Object.fromEntries(
    [':method', ':scheme', ':path', ':authority'].map((name) => [`${name} twice`, twice(name)]),
  ),
  'two different :path': [...get(), [':path', '/']],
  ':path behind a field': [...without(':path').slice(0, 3), ['x-mark', MARK], [':path', `/t/${MARK}`]],
  ':method behind a field': [['x-mark', MARK], ...get()],
  'an unknown one': get([':origin', 'a']),
  'a colon alone': get([':', 'a']),
  ':status': get([':status', '200']),
  ':protocol without CONNECT': get([':protocol', 'websocket']),
  ':Path': [...without(':path'), [':Path', `/t/${MARK}`]],
  ':METHOD': [...without(':method'), [':METHOD', 'GET']],
  'CONNECT with :path and :scheme': request('CONNECT', `/t/${MARK}`),
  'CONNECT without :authority': [[':method', 'CONNECT']],
  ...Object.fromEntries(
    ['', 'ht tp', 'http\r\n', 'http:', '://'].map((scheme) => [
      `:scheme ${JSON.stringify(scheme)}`,
      changed(':scheme', scheme),
    ]),
  ),
});

const PATHS: readonly Http2Case[] = hostileHeads(
  ':path',
  Object.fromEntries(
    [
      '',
      `t/${MARK}`,
      '*',
      `http://origin.test/t/${MARK}`,
      `origin.test/t/${MARK}`,
      `/t/${MARK} HTTP/1.1`,
      `/t/${MARK} HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled/${MARK}`,
      `/t/${MARK}\r\nX-Smuggled: 1`,
      `/t/${MARK}\nX-Smuggled: 1`,
      `/t/${MARK}\rX-Smuggled: 1`,
      `/t/${MARK}\0`,
      `/t/${MARK}\t`,
      ` /t/${MARK}`,
      `/t/${MARK} `,
      `/t/${MARK}#fragment`,
      `/t/${MARK}\x7f`,
      `/t/${MARK}\x80`,
      `/t/${MARK}/\xe9`,
      `/t/${MARK}/%`,
      `/t/${MARK}/%0`,
      `/t/${MARK}/%zz`,
      `/t/${MARK}/<a>`,
      `/t/${MARK}/"a"`,
      `/t/${MARK}\\..\\`,
    ].map((path) => [JSON.stringify(path), changed(':path', path)]),
  ),
);

const METHODS: readonly Http2Case[] = hostileHeads(
  ':method',
  Object.fromEntries(
    [
      '',
      'GET ',
      ' GET',
      'GET\r\n',
      'GET /',
      `GET /smuggled/${MARK} HTTP/1.1\r\nHost: a\r\n\r\nGET`,
      'G\0T',
      'G\xe9T',
      'GE:T',
      'GE(T',
      'get',
      'NONSUCH',
    ].map((method) => [JSON.stringify(method), changed(':method', method)]),
  ),
);

const AUTHORITIES: readonly Http2Case[] = hostileHeads(':authority', {
  ...Object.fromEntries(
    [
      '',
      'user@origin.test',
      'user:word@origin.test',
      'origin.test/path',
      'origin.test?a',
      'origin.test#a',
      'origin.test, other.test',
      'origin test',
      ' origin.test',
      'origin.test ',
      'origin.test\r\nX-Smuggled: 1',
      'origin.test\nX-Smuggled: 1',
      'origin.test\0',
      'origin.test:80:80',
      'origin.test:x',
      'origin.test:-1',
      'origin.test:123456',
      '[::1',
      '::1]',
      'origin\\test',
      'http://origin.test',
      '<origin.test>',
    ].map((authority) => [JSON.stringify(authority), changed(':authority', authority)]),
  ),
  'host that differs': get(['host', 'other.test']),
  'host with a port that :authority lacks': get(['host', 'origin.test:8080']),
  'host twice': get(['host', 'origin.test'], ['host', 'origin.test']),
  'host twice, one other': get(['host', 'origin.test'], ['host', 'other.test']),
  'host with a line end': get(['host', 'origin.test\r\nX-Smuggled: 1']),
  'host of two hosts': get(['host', 'origin.test, other.test']),
  'host empty beside :authority': get(['host', '']),
  'two hosts without :authority': [
    ...without(':authority'),
    ['host', 'origin.test'],
    ['host', 'origin.test'],
  ],
  'host with userinfo without :authority': [...without(':authority'), ['host', 'user@origin.test']],
});

const NAMES: readonly Http2Case[] = hostileHeads('field names', {
  ...Object.fromEntries(
    [
      '',
      'Upper',
      'x-uppeR',
      'CONTENT-LENGTH',
      'Transfer-Encoding',
      'x y',
      ' x',
      'x ',
      'x\ty',
      'x:y',
      'x: y',
      'x:',
      `x: y\r\nx-smuggled`,
      'x\r\n',
      'x\ny',
      'x\ry',
      'x\0y',
      'x\x7f',
      'x\x80',
      'x\xe9',
      'x(y',
      'x)y',
      'x/y',
      'x,y',
      'x;y',
      'x=y',
      'x@y',
      'x[y',
      'x{y',
      'x"y',
      'x\\y',
      'x<y',
      '\x01',
      `x: 1\r\n\r\nGET /smuggled/${MARK} HTTP/1.1\r\nhost`,
    ].map((name) => [JSON.stringify(name), get([name, 'a'])]),
  ),
});

const VALUES: readonly Http2Case[] = hostileHeads(
  'field values',
  Object.fromEntries(
    [
      'a\r\nx-smuggled: 1',
      'a\nx-smuggled: 1',
      'a\rx-smuggled: 1',
      `a\r\n\r\nGET /smuggled/${MARK} HTTP/1.1\r\nHost: a\r\n\r\n`,
      'a\r\n b',
      'a\0b',
      '\0',
      '\n',
      '\r',
      '\r\n',
      'a\x01',
      'a\x1f',
      'a\x7f',
      ' a',
      'a ',
      '\ta',
      'a\t',
      ' ',
    ].map((value) => [JSON.stringify(value), get(['x-value', value])]),
  ),
);

const ONE_HOP: readonly Http2Case[] = hostileHeads('connection-specific fields', {
  ...Object.fromEntries(
    (
      [
        ['connection', 'close'],
        ['connection', 'keep-alive'],
        ['connection', 'x-mark'],
        ['connection', 'transfer-encoding'],
        ['connection', ''],
        ['keep-alive', 'timeout=5'],
        ['proxy-connection', 'keep-alive'],
        ['transfer-encoding', 'chunked'],
        ['transfer-encoding', 'identity'],
        ['transfer-encoding', ''],
        ['upgrade', 'h2c'],
        ['upgrade', 'websocket'],
        ['te', 'gzip'],
        ['te', 'trailers, gzip'],
        ['te', 'trailers, chunked'],
        ['te', ''],
      ] as const
    ).map(([name, value]) => [`${name}: ${value}`, get([name, value])]),
  ),
});

const body = (fields: Fields, ...parts: readonly string[]): Buffer[] => [
  headers(1, fields, parts.length === 0 ? END_STREAM : 0),
  ...parts.map((part, at) => data(1, part, at === parts.length - 1 ? END_STREAM : 0)),
];

const LENGTHS: readonly Http2Case[] = hostile('content-length', {
  'more than DATA': body(post(['content-length', '6']), 'hello'),
  'less than DATA': body(post(['content-length', '4']), 'hello'),
  'a length and no DATA': body(post(['content-length', '5'])),
  'a length and empty DATA': body(post(['content-length', '5']), ''),
  'a GET of a length and no DATA': body(get(['content-length', '5'])),
  'less than two DATA frames': body(post(['content-length', '8']), 'hello', 'hello'),
  'a length and DATA cut by trailers': [
    headers(1, post(['content-length', '6']), 0),
    data(1, 'hello'),
    headers(1, [['x-trailer', '1']]),
  ],
  ...Object.fromEntries(
    [
      '+5',
      '-5',
      '5 ',
      '0x5',
      '5,5',
      '5, 5',
      '5.0',
      '5e0',
      '',
      'five',
      '٥',
      '18446744073709551621',
      '9007199254740993',
      '5\r\nx: y',
      '1_0',
    ].map((value) => [
      JSON.stringify(value),
      body(post(['content-length', Buffer.from(value, 'utf8').toString('latin1')]), 'hello'),
    ]),
  ),
  'twice the same': body(post(['content-length', '5'], ['content-length', '5']), 'hello'),
  'twice, differing': body(post(['content-length', '5'], ['content-length', '6']), 'hello'),
  'with transfer-encoding': body(post(['content-length', '5'], ['transfer-encoding', 'chunked']), 'hello'),
});

const trailers = (fields: Fields): Buffer[] => [headers(1, post(), 0), data(1, 'hello'), headers(1, fields)];

const TRAILERS: readonly Http2Case[] = hostile('trailers', {
  ':path': trailers([[':path', '/']]),
  ':status': trailers([[':status', '200']]),
  'an upper-case name': trailers([['X-Trailer', '1']]),
  'an empty name': trailers([['', '1']]),
  'a line end in a name': trailers([['x\r\ny', '1']]),
  'a line end in a value': trailers([
    ['x-trailer', `1\r\n\r\nGET /smuggled/${MARK} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ]),
  'NUL in a value': trailers([['x-trailer', '\0']]),
  connection: trailers([['connection', 'close']]),
  'transfer-encoding': trailers([['transfer-encoding', 'chunked']]),
  'that do not end the stream': [
    headers(1, post(), 0),
    data(1, 'hello'),
    headers(1, [['x-trailer', '1']], 0),
    data(1, '', END_STREAM),
  ],
});

/** Trailers that no recipient may believe: they may be left out, or the request refused. */
const UNWANTED_TRAILERS: readonly Http2Case[] = hostile(
  'trailers that decide',
  Object.fromEntries(
    ['content-length', 'host', 'authorization', 'cookie', 'content-type', 'te', 'x-mark'].map((name) => [
      name,
      trailers([[name, name === 'x-mark' ? MARK : '5']]),
    ]),
  ),
  1,
).map((it) => ({ ...it, anyAnswer: true }));

const SIZE: readonly Http2Case[] = hostile('head size', {
  'one value of 100,000 octets': [continued(1, get(['x-large', 'a'.repeat(100_000)]), 16_384)],
  'one name of 100,000 octets': [continued(1, get(['x'.repeat(100_000), 'a']), 16_384)],
  'a path of 100,000 octets': [continued(1, changed(':path', `/t/${MARK}/${'a'.repeat(100_000)}`), 16_384)],
  '1,000 fields': [
    continued(1, get(...Array.from({ length: 1000 }, (_, at): [string, string] => [`x-${at}`, 'a'])), 16_384),
  ],
  'a table entry repeated until it is 1 MiB': [
    headers(
      1,
      Buffer.concat([
        headers(1, get()).subarray(9),
        // with indexing, then 300 times by its index
        Buffer.from([0x40, 1, 0x78, 0x7f, 0xa1, 0x1e]),
        Buffer.alloc(4000, 0x61),
        Buffer.alloc(300, 0xbe),
      ]),
    ),
  ],
});

/** Heads that are no request: each ends its stream, or is answered 400 to 501. */
export const HOSTILE_HEADS: readonly Http2Case[] = [
  ...PSEUDO,
  ...PATHS,
  ...METHODS,
  ...AUTHORITIES,
  ...NAMES,
  ...VALUES,
  ...ONE_HOP,
  ...LENGTHS,
  ...TRAILERS,
  ...UNWANTED_TRAILERS,
  ...SIZE,
];
