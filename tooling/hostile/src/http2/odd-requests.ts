import { MARK, type Seen } from '../corpus/index.ts';
import {
  block,
  continued,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  HEADER_TABLE_SIZE,
  HEADERS,
  headers,
  INITIAL_WINDOW_SIZE,
  PADDED,
  PING,
  PRIORITY,
  rst,
  settings,
  u32,
  windowUpdate,
  WITH_PRIORITY,
  DATA,
} from './frames.ts';
import { get, post, request, type Http2Case } from './http2-case.ts';

const odd = (
  group: string,
  what: string,
  frames: readonly Buffer[],
  seen: readonly Seen[],
  streams = [1],
): Http2Case => ({
  group,
  what,
  kind: 'odd',
  frames,
  allowed: seen.length,
  seen,
  streams,
});

const target = `/t/${MARK}`;
const got = (more: Partial<Seen> = {}): Seen[] => [{ method: 'GET', target, body: '', ...more }];
const posted = (body: string, more: Partial<Seen> = {}): Seen[] => [
  { method: 'POST', target, body, ...more },
];

const padded = (payload: Buffer, padding: number): Buffer =>
  Buffer.concat([Buffer.from([padding]), payload, Buffer.alloc(padding)]);

/** What a client may send though hardly one does: all of it must arrive as it was meant. */
export const ODD_HTTP2: readonly Http2Case[] = [
  odd('frames', 'a plain request', [headers(1, get())], got()),
  odd(
    'frames',
    'padded HEADERS',
    [frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, padded(block(get()), 200))],
    got(),
  ),
  odd(
    'frames',
    'padding that is not zero',
    [
      frame(
        HEADERS,
        END_STREAM | END_HEADERS | PADDED,
        1,
        Buffer.concat([Buffer.from([3]), block(get()), Buffer.from('abc')]),
      ),
    ],
    got(),
  ),
  odd(
    'frames',
    'HEADERS with a priority',
    [
      frame(
        HEADERS,
        END_STREAM | END_HEADERS | WITH_PRIORITY,
        1,
        Buffer.concat([u32(0), Buffer.from([15]), block(get())]),
      ),
    ],
    got(),
  ),
  odd(
    'frames',
    'padded HEADERS with an exclusive priority',
    [
      frame(
        HEADERS,
        END_STREAM | END_HEADERS | WITH_PRIORITY | PADDED,
        1,
        padded(Buffer.concat([u32(0x80000003), Buffer.from([255]), block(get())]), 7),
      ),
    ],
    got(),
  ),
  odd(
    'frames',
    'padded DATA',
    [
      headers(1, post(), 0),
      frame(DATA, PADDED, 1, padded(Buffer.from('hel'), 255)),
      frame(DATA, PADDED | END_STREAM, 1, padded(Buffer.from('lo'), 0)),
    ],
    posted('hello'),
  ),
  odd(
    'frames',
    'empty DATA between and at the end',
    [headers(1, post(), 0), data(1, ''), data(1, 'hello'), data(1, ''), data(1, '', END_STREAM)],
    posted('hello'),
  ),
  odd('frames', 'CONTINUATION of ten octets each', [continued(1, get(), 10)], got()),
  odd(
    'frames',
    'HEADERS without octets, all in CONTINUATION',
    [frame(HEADERS, END_STREAM, 1), frame(9, 0, 1), frame(9, END_HEADERS, 1, block(get()))],
    got(),
  ),
  odd(
    'frames',
    'unknown frames around',
    [
      frame(0xfa, 0xff, 0, 'x'),
      headers(1, post(), 0),
      frame(0xfb, 0xff, 1, 'x'),
      data(1, 'hello', END_STREAM),
    ],
    posted('hello'),
  ),
  odd('frames', 'unknown flags', [frame(HEADERS, END_STREAM | END_HEADERS | 0xd2, 1, block(get()))], got()),
  odd(
    'frames',
    'the reserved bit of stream ids',
    [frame(HEADERS, END_STREAM | END_HEADERS, 0x80000001, block(get()))],
    got(),
  ),
  odd(
    'frames',
    'PRIORITY of idle streams',
    [frame(PRIORITY, 0, 9, Buffer.concat([u32(0), Buffer.from([1])])), headers(1, get())],
    got(),
  ),
  odd(
    'frames',
    'PING between',
    [headers(1, post(), 0), frame(PING, 0, 0, Buffer.alloc(8)), data(1, 'hello', END_STREAM)],
    posted('hello'),
  ),
  odd(
    'frames',
    'SETTINGS nobody knows',
    [settings([0x99, 5], [0xfff0, 2 ** 32 - 1]), headers(1, get())],
    got(),
  ),
  odd(
    'frames',
    'SETTINGS that change again and again',
    [
      settings([HEADER_TABLE_SIZE, 4096]),
      settings([HEADER_TABLE_SIZE, 0]),
      settings([INITIAL_WINDOW_SIZE, 0]),
      headers(1, get()),
      settings([INITIAL_WINDOW_SIZE, 65_535]),
    ],
    got(),
  ),
  odd(
    'frames',
    'windows that grow',
    [
      windowUpdate(0, 1_000_000),
      headers(1, post(), 0),
      windowUpdate(1, 1_000_000),
      data(1, 'hello', END_STREAM),
    ],
    posted('hello'),
  ),
  odd('frames', 'stream ids that leave some out', [headers(1001, get())], got(), [1001]),
  odd(
    'frames',
    'a stream that is reset beside',
    [headers(1, request('POST', `${target}/cut`), 0), rst(1), headers(3, get())],
    got(),
    [3],
  ),
  odd(
    'frames',
    'two streams woven into each other',
    [
      headers(1, request('POST', `${target}/1`), 0),
      headers(3, request('POST', `${target}/2`), 0),
      data(3, 'two'),
      data(1, 'one', END_STREAM),
      data(3, '!', END_STREAM),
    ],
    [
      { method: 'POST', target: `${target}/1`, body: 'one' },
      { method: 'POST', target: `${target}/2`, body: 'two!' },
    ],
    [1, 3],
  ),
  odd(
    'heads',
    'fields as they came',
    [headers(1, get(['x-a', '1'], ['x-b', 'two words'], ['x-empty', '']))],
    got({ has: { 'x-a': '1', 'x-b': 'two words', 'x-empty': '' } }),
  ),
  odd(
    'heads',
    'octets above 127 in a value',
    [headers(1, get(['x-odd', '\xe9\xff']))],
    got({ has: { 'x-odd': '\xe9\xff' } }),
  ),
  odd(
    'heads',
    'a tab within a value',
    [headers(1, get(['x-odd', 'a\tb']))],
    got({ has: { 'x-odd': 'a\tb' } }),
  ),
  odd(
    'heads',
    'every char of a token in a name',
    [headers(1, get(["x!#$%&'*+-.^_`|~09", 'a']))],
    got({ has: { "x!#$%&'*+-.^_`|~09": 'a' } }),
  ),
  odd('heads', 'te: trailers', [headers(1, get(['te', 'trailers']))], got()),
  odd(
    'heads',
    'host that says what :authority says',
    [headers(1, get(['host', 'origin.test']))],
    got({ has: { host: 'origin.test' } }),
  ),
  odd(
    'heads',
    'host instead of :authority',
    [headers(1, [...get().filter(([name]) => name !== ':authority'), ['host', 'origin.test']])],
    got({ has: { host: 'origin.test' } }),
  ),
  odd('heads', 'pseudo-headers in another order', [headers(1, get().toReversed())], got()),
  odd(
    'heads',
    'cookies in crumbs',
    [headers(1, get(['cookie', 'a=b'], ['cookie', 'c=d'], ['x-a', '1'], ['cookie', 'e=f']))],
    got({ has: { cookie: 'a=b; c=d; e=f' } }),
  ),
  odd(
    'heads',
    'a query, a parameter and an escape',
    [headers(1, request('GET', `${target}/a;b/%C3%A9?b=c?d//e`))],
    got({ target: `${target}/a;b/%C3%A9?b=c?d//e` }),
  ),
  odd(
    'heads',
    'DELETE with a body',
    [headers(1, request('DELETE', target), 0), data(1, 'hello', END_STREAM)],
    posted('hello', { method: 'DELETE' }),
  ),
  odd('heads', 'HEAD', [headers(1, request('HEAD', target))], got({ method: 'HEAD' })),
  odd(
    'heads',
    'expect of a body that is there already',
    [headers(1, post(['expect', '100-continue']), 0), data(1, 'hello', END_STREAM)],
    posted('hello'),
  ),
  odd(
    'bodies',
    'a length that is true',
    [headers(1, post(['content-length', '5']), 0), data(1, 'hello', END_STREAM)],
    posted('hello'),
  ),
  odd(
    'bodies',
    'a length of leading zeros that is true',
    [headers(1, post(['content-length', '005']), 0), data(1, 'hello', END_STREAM)],
    posted('hello'),
  ),
  odd('bodies', 'a length of 0', [headers(1, post(['content-length', '0']))], posted('')),
  odd(
    'bodies',
    'no length',
    [headers(1, post(), 0), data(1, 'hel'), data(1, 'lo', END_STREAM)],
    posted('hello'),
  ),
  odd(
    'bodies',
    'what looks like the end of a chunked body',
    [
      headers(1, post(), 0),
      data(1, `0\r\n\r\nGET /smuggled/${MARK} HTTP/1.1\r\nHost: a\r\n\r\n`, END_STREAM),
    ],
    posted(`0\r\n\r\nGET /smuggled/${MARK} HTTP/1.1\r\nHost: a\r\n\r\n`),
  ),
  odd(
    'bodies',
    'octets of all kinds',
    [headers(1, post(), 0), data(1, Buffer.from(Array.from({ length: 256 }, (_, at) => at)), END_STREAM)],
    posted(String.fromCharCode(...Array.from({ length: 256 }, (_, at) => at))),
  ),
  odd(
    'bodies',
    'trailers',
    [
      headers(1, post(['te', 'trailers'], ['trailer', 'x-t']), 0),
      data(1, 'hello'),
      headers(1, [
        ['x-t', '1'],
        ['x-t', '2'],
      ]),
    ],
    posted('hello', {
      trailers: [
        ['x-t', '1'],
        ['x-t', '2'],
      ],
    }),
  ),
];
