import {
  block,
  continued,
  data,
  ENABLE_PUSH,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  MAX_FRAME_SIZE,
  PADDED,
  PING,
  PUSH_PROMISE,
  rst,
  settings,
  SETTINGS,
  u32,
  WINDOW_UPDATE,
  windowUpdate,
  CONTINUATION,
  DATA,
  RST_STREAM,
  type Fields,
} from './frames.ts';
import { answer } from './scripted-origin.ts';

/** Frames that an HTTP/2 origin answers with. */
export interface Http2ResponseCase {
  readonly group: string;
  readonly what: string;
  readonly method?: string;
  readonly reply: (streamId: number) => readonly Buffer[];
  readonly close?: boolean;
  /** `refuse`: the client must not get a whole answer below 500. `odd`: must pass, with this status and body. */
  readonly kind: 'refuse' | 'odd';
  readonly status?: number;
  readonly body?: string;
}

const OK: readonly [string, string] = [':status', '200'];

const refuse = (
  group: string,
  cases: Readonly<Record<string, (id: number) => readonly Buffer[]>>,
  more: Partial<Http2ResponseCase> = {},
): Http2ResponseCase[] =>
  Object.entries(cases).map(([what, reply]) => ({ group, what, kind: 'refuse', reply, ...more }));

const heads = (
  group: string,
  cases: Readonly<Record<string, Fields>>,
  more: Partial<Http2ResponseCase> = {},
): Http2ResponseCase[] =>
  refuse(
    group,
    Object.fromEntries(
      Object.entries(cases).map(([what, fields]) => [
        what,
        (id: number) => [answer(id, fields), data(id, 'poison', END_STREAM)],
      ]),
    ),
    more,
  );

const STATUSES: readonly Http2ResponseCase[] = heads('status', {
  none: [['x-a', '1']],
  twice: [OK, OK],
  'twice, differing': [OK, [':status', '404']],
  'behind a field': [['x-a', '1'], OK],
  ...Object.fromEntries(
    [
      '',
      '20',
      '2000',
      '2x0',
      '+20',
      ' 200',
      '200 ',
      '000',
      '099',
      '600',
      '999',
      '200 OK',
      '200\r\nx-smuggled: 1',
    ].map((status) => [JSON.stringify(status), [[':status', status]] as Fields]),
  ),
  'a pseudo-header of requests': [OK, [':path', '/']],
  'an unknown pseudo-header': [OK, [':reason', 'OK']],
  '101': [[':status', '101']],
});

const FIELDS: readonly Http2ResponseCase[] = heads('fields', {
  ...Object.fromEntries(
    ['', 'Upper', 'x y', 'x:y', 'x\r\nx-smuggled', 'x\0', 'x: 1\r\n\r\npoison', '\xe9'].map((name) => [
      `name ${JSON.stringify(name)}`,
      [OK, [name, 'a']] as Fields,
    ]),
  ),
  ...Object.fromEntries(
    [
      'a\r\nx-smuggled: 1',
      'a\nb',
      'a\rb',
      'a\0b',
      'a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
      ' a',
      'a ',
      '\x7f',
    ].map((value) => [`value ${JSON.stringify(value)}`, [OK, ['x-a', value]] as Fields]),
  ),
  ...Object.fromEntries(
    [
      ['connection', 'close'],
      ['connection', 'x-a'],
      ['keep-alive', 'timeout=5'],
      ['proxy-connection', 'close'],
      ['transfer-encoding', 'chunked'],
      ['upgrade', 'h2c'],
      ['te', 'gzip'],
    ].map(([name, value]) => [`${name}: ${value}`, [OK, [name as string, value as string]] as Fields]),
  ),
});

const body = (id: number, fields: Fields, ...parts: readonly string[]): Buffer[] => [
  answer(id, fields, parts.length === 0 ? END_STREAM : 0),
  ...parts.map((part, at) => data(id, part, at === parts.length - 1 ? END_STREAM : 0)),
];

const LENGTHS: readonly Http2ResponseCase[] = refuse('content-length', {
  'more than DATA': (id) => body(id, [OK, ['content-length', '6']], 'hello'),
  'less than DATA': (id) => body(id, [OK, ['content-length', '4']], 'hello'),
  'a length and no DATA': (id) => body(id, [OK, ['content-length', '5']]),
  'not a number': (id) => body(id, [OK, ['content-length', 'five']], 'hello'),
  signed: (id) => body(id, [OK, ['content-length', '+5']], 'hello'),
  'a list': (id) => body(id, [OK, ['content-length', '5, 5']], 'hello'),
  'twice, differing': (id) => body(id, [OK, ['content-length', '5'], ['content-length', '6']], 'hello'),
  'above 2^64': (id) => body(id, [OK, ['content-length', '18446744073709551621']], 'hello'),
});

const ORDER: readonly Http2ResponseCase[] = refuse(
  'order of frames',
  {
    'DATA before HEADERS': (id) => [data(id, 'poison', END_STREAM)],
    'HEADERS twice, neither trailers': (id) => [
      answer(id, [OK]),
      data(id, 'a'),
      answer(id, [['x-t', '1']]),
      data(id, 'poison', END_STREAM),
    ],
    'an interim answer that ends the stream': (id) => [answer(id, [[':status', '103']], END_STREAM)],
    'an interim answer alone, then the end': (id) => [
      answer(id, [[':status', '103']]),
      data(id, '', END_STREAM),
    ],
    'trailers with :status': (id) => [answer(id, [OK]), data(id, 'a'), answer(id, [OK], END_STREAM)],
    'trailers with an upper-case name': (id) => [
      answer(id, [OK]),
      data(id, 'a'),
      answer(id, [['X-T', '1']], END_STREAM),
    ],
    'trailers with a line end': (id) => [
      answer(id, [OK]),
      data(id, 'a'),
      answer(id, [['x-t', '1\r\n\r\npoison']], END_STREAM),
    ],
    'trailers with transfer-encoding': (id) => [
      answer(id, [OK]),
      data(id, 'a'),
      answer(id, [['transfer-encoding', 'chunked']], END_STREAM),
    ],
    'HEADERS that are not ended, then DATA': (id) => [
      frame(HEADERS, 0, id, block([OK])),
      data(id, 'poison', END_STREAM),
    ],
    'CONTINUATION of another stream': (id) => [
      frame(HEADERS, 0, id, block([OK])),
      frame(CONTINUATION, END_HEADERS, id + 2),
    ],
    'RST_STREAM instead of an answer': (id) => [rst(id, 2)],
    'RST_STREAM in the body': (id) => [
      answer(id, [OK, ['content-length', '10']]),
      data(id, 'hello'),
      rst(id, 2),
    ],
    'RST_STREAM in a body without length': (id) => [answer(id, [OK]), data(id, 'hello'), rst(id, 2)],
    // a POST: the origin may have acted on it, so it must not be sent again
    'GOAWAY and close': (id) => [frame(GOAWAY, 0, 0, u32(id, 2))],
  },
  {},
).map((it) => (it.what === 'GOAWAY and close' ? { ...it, close: true, method: 'POST' } : it));

const ANY: readonly Http2ResponseCase[] = refuse('frames', {
  PUSH_PROMISE: (id) => [
    frame(
      PUSH_PROMISE,
      END_HEADERS,
      id,
      Buffer.concat([
        u32(2),
        block([
          [':method', 'GET'],
          [':scheme', 'http'],
          [':authority', 'origin.test'],
          [':path', '/'],
        ]),
      ]),
    ),
  ],
  'HEADERS on a stream nobody opened': (id) => [answer(id + 2, [OK], END_STREAM)],
  'HEADERS on an even stream': () => [answer(2, [OK], END_STREAM)],
  'HEADERS on stream 0': () => [answer(0, [OK], END_STREAM)],
  'DATA on stream 0': () => [data(0, 'x')],
  'WINDOW_UPDATE of a stream nobody opened': (id) => [windowUpdate(id + 2, 5)],
  'WINDOW_UPDATE 0': () => [windowUpdate(0, 0)],
  'a connection window above 2^31-1': () => [windowUpdate(0, 2 ** 31 - 1)],
  'RST_STREAM of a stream nobody opened': (id) => [rst(id + 2)],
  'SETTINGS of 5 octets': () => [frame(SETTINGS, 0, 0, Buffer.alloc(5))],
  'ENABLE_PUSH 1 from a server': () => [settings([ENABLE_PUSH, 1])],
  'INITIAL_WINDOW_SIZE 2^31': () => [settings([INITIAL_WINDOW_SIZE, 2 ** 31])],
  'MAX_FRAME_SIZE 5': () => [settings([MAX_FRAME_SIZE, 5])],
  'PING of 7 octets': () => [frame(PING, 0, 0, Buffer.alloc(7))],
  'WINDOW_UPDATE of 3 octets': () => [frame(WINDOW_UPDATE, 0, 0, Buffer.alloc(3))],
  'RST_STREAM of 3 octets': (id) => [frame(RST_STREAM, 0, id, Buffer.alloc(3))],
  'DATA above 16,384 octets': (id) => [answer(id, [OK]), frame(DATA, END_STREAM, id, Buffer.alloc(16_385))],
  'DATA with more padding than octets': (id) => [
    answer(id, [OK]),
    frame(DATA, END_STREAM | PADDED, id, Buffer.from([200, 1, 2])),
  ],
  'octets that are no frames': () => [Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison')],
  'an index beyond the table': (id) => [frame(HEADERS, END_HEADERS | END_STREAM, id, Buffer.from([0xbe]))],
  'EOS in a value': (id) => [
    frame(
      HEADERS,
      END_HEADERS | END_STREAM,
      id,
      Buffer.from([0x88, 0x0f, 0x00, 0x84, 0xff, 0xff, 0xff, 0xff]),
    ),
  ],
  'a head cut short': (id) => [frame(HEADERS, END_HEADERS | END_STREAM, id, Buffer.from([0x88, 0x00]))],
  'a head of 1 MB': (id) => [continued(id, [OK, ['x-large', 'a'.repeat(1_000_000)]], 16_384)],
  'a value of an entry 300 times': (id) => [
    frame(
      HEADERS,
      END_HEADERS | END_STREAM,
      id,
      Buffer.concat([
        Buffer.from([0x88, 0x40, 1, 0x78, 0x7f, 0xa1, 0x1e]),
        Buffer.alloc(4000, 0x61),
        Buffer.alloc(300, 0xbe),
      ]),
    ),
  ],
});

/** DATA that no recipient may have, or that changes nothing: refused, or passed on without it. */
const BODYLESS: readonly Http2ResponseCase[] = [
  ...refuse('answers without body', { 'DATA to HEAD': (id) => body(id, [OK], 'poison') }, { method: 'HEAD' }),
  ...refuse('answers without body', {
    'DATA with 204': (id) => body(id, [[':status', '204']], 'poison'),
    'DATA with 304': (id) => body(id, [[':status', '304']], 'poison'),
  }),
].map((it) => ({ ...it, kind: 'refuse' }));

const odd = (
  what: string,
  reply: (id: number) => readonly Buffer[],
  status: number,
  text: string,
  more: Partial<Http2ResponseCase> = {},
): Http2ResponseCase => ({
  group: 'odd but valid',
  what,
  kind: 'odd',
  reply,
  status,
  body: text,
  ...more,
});

const ODD: readonly Http2ResponseCase[] = [
  odd('a plain answer', (id) => body(id, [OK, ['content-length', '5']], 'hello'), 200, 'hello'),
  odd('no length', (id) => body(id, [OK], 'hel', 'lo'), 200, 'hello'),
  odd('empty DATA', (id) => body(id, [OK, ['content-length', '5']], '', 'hello', '', ''), 200, 'hello'),
  odd('HEADERS alone', (id) => body(id, [[':status', '204']]), 204, ''),
  odd(
    '304 with the length that a GET has',
    (id) =>
      body(id, [
        [':status', '304'],
        ['content-length', '5'],
      ]),
    304,
    '',
  ),
  odd('HEAD with the length that a GET has', (id) => body(id, [OK, ['content-length', '5']]), 200, '', {
    method: 'HEAD',
  }),
  odd(
    'interim answers',
    (id) => [
      answer(id, [
        [':status', '103'],
        ['link', '</a>'],
      ]),
      answer(id, [[':status', '102']]),
      ...body(id, [OK], 'hello'),
    ],
    200,
    'hello',
  ),
  odd(
    'padded DATA',
    (id) => [
      answer(id, [OK]),
      frame(
        DATA,
        PADDED | END_STREAM,
        id,
        Buffer.concat([Buffer.from([9]), Buffer.from('hello'), Buffer.alloc(9)]),
      ),
    ],
    200,
    'hello',
  ),
  odd(
    'trailers',
    (id) => [answer(id, [OK]), data(id, 'hello'), answer(id, [['x-t', '1']], END_STREAM)],
    200,
    'hello',
  ),
  odd(
    'CONTINUATION',
    (id) => [continued(id, [OK, ['x-a', '1']], 5, 0), data(id, 'hello', END_STREAM)],
    200,
    'hello',
  ),
  odd(
    'unknown frames and PING between',
    (id) => [
      frame(0xfa, 1, id, 'x'),
      answer(id, [OK]),
      frame(PING, 0, 0, Buffer.alloc(8)),
      data(id, 'hello', END_STREAM),
    ],
    200,
    'hello',
  ),
  odd(
    'RST_STREAM NO_ERROR behind the whole answer',
    (id) => [...body(id, [OK, ['content-length', '5']], 'hello'), rst(id, 0)],
    200,
    'hello',
  ),
  odd(
    'GOAWAY that lets this stream finish',
    (id) => [frame(GOAWAY, 0, 0, u32(id, 0)), ...body(id, [OK, ['content-length', '5']], 'hello')],
    200,
    'hello',
  ),
  odd(
    'a window of nothing, then more',
    (id) => [settings([INITIAL_WINDOW_SIZE, 0]), ...body(id, [OK], 'hello')],
    200,
    'hello',
  ),
  odd('a status that nobody knows', (id) => body(id, [[':status', '299']], 'hello'), 299, 'hello'),
];

/** What an HTTP/2 origin may do wrong, and what it may do. */
export const HTTP2_RESPONSES: readonly Http2ResponseCase[] = [
  ...STATUSES,
  ...FIELDS,
  ...LENGTHS,
  ...ORDER,
  ...ANY,
  ...BODYLESS,
  ...ODD,
];
