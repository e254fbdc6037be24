import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange } from '../configuration.ts';
import { block, END_HEADERS, END_STREAM, frame, PADDED, TYPE, uint16, uint32 } from '../frames.ts';
import { everyHost, marked } from './vocabulary.ts';

/** What is no valid HTTP/2: the stream fails, or the connection, and no origin sees any of it. */
export const malformedHttp2: Area = {
  name: 'malformed-http2',
  short: 30,
  make(chance, index): Configuration {
    return {
      routes: everyHost([marked({ match: { prefix: '/' }, route: { cluster: 'a' } }, 'first')]),
      exchanges: Array.from({ length: 6 }, (_, i): Exchange => ({
        protocol: 'frames',
        bytes: i < 4 ? (PICKED[(index * 4 + i) % PICKED.length] as string) : made(chance),
      })),
    };
  },
};

type Fields = readonly (readonly [string, string])[];

const BASE: Fields = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'one.test'],
];
const POST: Fields = [[':method', 'POST'], ...BASE.slice(1)];

/** A request whole in one frame. */
const request = (fields: Fields, stream = 1): string =>
  frame(TYPE.headers, END_HEADERS | END_STREAM, stream, block(fields));
const withMore = (...more: Fields): string => request([...BASE, ...more]);
const without = (name: string): string => request(BASE.filter(([one]) => one !== name));
const instead = (name: string, value: string): string =>
  request(BASE.map(([one, other]) => [one, one === name ? value : other] as const));
const open = (fields: Fields = POST, stream = 1): string =>
  frame(TYPE.headers, END_HEADERS, stream, block(fields));
const data = (text: string, flags: number = END_STREAM, stream = 1): string =>
  frame(TYPE.data, flags, stream, text);

const PICKED: readonly string[] = [
  request(BASE),
  request(BASE) + request(BASE, 3),
  open() + data('body'),
  // Fields.
  withMore(['X-Upper', 'a']),
  withMore(['', 'a']),
  withMore(['x y', 'a']),
  withMore(['x:y', 'a']),
  withMore(['x-\u00e9', 'a']),
  withMore(['x-one', 'a\u0000b']),
  withMore(['x-one', 'a\nb']),
  withMore(['x-one', 'a\rb']),
  withMore(['x-one', ' a']),
  withMore(['x-one', 'a ']),
  withMore(['x-one', 'a\u0001b']),
  withMore(['x-one', '\u00e9']),
  withMore(['x-one', '']),
  withMore(['connection', 'close']),
  withMore(['keep-alive', 'timeout=5']),
  withMore(['proxy-connection', 'close']),
  withMore(['transfer-encoding', 'chunked']),
  withMore(['upgrade', 'websocket']),
  withMore(['te', 'trailers']),
  withMore(['te', 'gzip']),
  withMore(['te', 'trailers, gzip']),
  withMore(['host', 'one.test']),
  withMore(['host', 'other.test']),
  withMore(['host', 'one.test'], ['host', 'one.test']),
  withMore(['cookie', 'a=1'], ['cookie', 'b=2']),
  withMore(['content-length', '4']),
  withMore(['content-length', '0']),
  withMore(['content-length', 'x']),
  withMore(['content-length', '0'], ['content-length', '0']),
  withMore(['expect', '100-continue']),
  withMore(['x-long', 'x'.repeat(10_000)]),
  withMore(...Array.from({ length: 90 }, (_, i): Fields[number] => [`x-${i}`, 'a'])),
  withMore(...Array.from({ length: 120 }, (_, i): Fields[number] => [`x-${i}`, 'a'])),
  open([...POST, ['content-length', '4']]) + data('body'),
  open([...POST, ['content-length', '5']]) + data('body'),
  open([...POST, ['content-length', '3']]) + data('body'),
  open([...POST, ['content-length', '4'], ['content-length', '4']]) + data('body'),
  open([...POST, ['content-length', '4, 4']]) + data('body'),
  open([...POST, ['content-length', '+4']]) + data('body'),
  // Pseudo headers.
  without(':method'),
  without(':scheme'),
  without(':path'),
  without(':authority'),
  request([...BASE.slice(0, 3), ['host', 'one.test']]),
  withMore([':path', '/x']),
  withMore([':method', 'GET']),
  withMore([':authority', 'two.test']),
  withMore([':status', '200']),
  withMore([':unknown', 'x']),
  request([['x-one', 'a'], ...BASE]),
  instead(':path', ''),
  instead(':path', '*'),
  instead(':path', 'x'),
  instead(':path', 'http://one.test/'),
  instead(':path', '/a b'),
  instead(':path', '/a#b'),
  instead(':path', '/\u0000'),
  instead(':path', '/\u00e9'),
  instead(':path', '/a\r\nx: y'),
  instead(':method', ''),
  instead(':method', 'get'),
  instead(':method', 'G T'),
  instead(':method', 'FOO'),
  instead(':method', 'GET / HTTP/1.1'),
  instead(':method', 'CONNECT'),
  instead(':scheme', 'https'),
  instead(':scheme', 'ftp'),
  instead(':scheme', ''),
  instead(':scheme', 'h ttp'),
  instead(':authority', ''),
  instead(':authority', 'user@one.test'),
  instead(':authority', 'one test'),
  instead(':authority', 'one.test:99999'),
  instead(':authority', 'ONE.test'),
  instead(':authority', 'one.test/x'),
  // Trailers.
  open() + data('body', 0) + frame(TYPE.headers, END_HEADERS | END_STREAM, 1, block([['x-end', 'a']])),
  open() + data('body', 0) + frame(TYPE.headers, END_HEADERS, 1, block([['x-end', 'a']])),
  open() + data('body', 0) + frame(TYPE.headers, END_HEADERS | END_STREAM, 1, block([[':path', '/']])),
  open() + data('body', 0) + frame(TYPE.headers, END_HEADERS | END_STREAM, 1, block([['X-End', 'a']])),
  // Frames.
  data('body'),
  request(BASE) + data('late'),
  request(BASE) + request(BASE),
  request(BASE, 3) + request(BASE, 1),
  request(BASE, 2),
  request(BASE, 0),
  data('body', END_STREAM, 0),
  frame(TYPE.headers, END_HEADERS | END_STREAM | PADDED, 1, `\u0004${block(BASE)}\u0000\u0000\u0000\u0000`),
  frame(TYPE.headers, END_HEADERS | END_STREAM | PADDED, 1, `\u00ff${block(BASE)}`),
  frame(TYPE.headers, END_HEADERS | END_STREAM | 0x20, 1, `${uint32(0)}\u0010${block(BASE)}`),
  frame(TYPE.headers, END_HEADERS | END_STREAM | 0x20, 1, `${uint32(1)}\u0010${block(BASE)}`),
  frame(TYPE.headers, END_STREAM, 1, block(BASE.slice(0, 2))) +
    frame(TYPE.continuation, END_HEADERS, 1, block(BASE.slice(2))),
  frame(TYPE.headers, END_STREAM, 1, block(BASE)) + frame(TYPE.ping, 0, 0, '12345678'),
  frame(TYPE.headers, END_STREAM, 1, block(BASE)) + frame(TYPE.continuation, END_HEADERS, 3, ''),
  frame(TYPE.continuation, END_HEADERS, 1, block(BASE)),
  frame(TYPE.headers, END_HEADERS | END_STREAM, 1, '\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff'),
  frame(TYPE.headers, END_HEADERS | END_STREAM, 1, '\u0080'),
  frame(TYPE.headers, END_HEADERS | END_STREAM, 1, '\u00fe'),
  frame(TYPE.headers, END_HEADERS | END_STREAM, 1, '\u0000\u0005ab'),
  frame(TYPE.settings, 0, 0, '12345'),
  frame(TYPE.settings, 0, 1, ''),
  frame(TYPE.settings, 1, 0, '123456'),
  frame(TYPE.settings, 0, 0, uint16(2) + uint32(2)),
  frame(TYPE.settings, 0, 0, uint16(4) + uint32(0xffffffff)),
  frame(TYPE.settings, 0, 0, uint16(5) + uint32(1)),
  frame(TYPE.settings, 0, 0, uint16(0x99) + uint32(1)) + request(BASE),
  frame(TYPE.ping, 0, 0, '1234'),
  frame(TYPE.ping, 0, 1, '12345678'),
  frame(TYPE.windowUpdate, 0, 0, uint32(0)),
  frame(TYPE.windowUpdate, 0, 0, uint32(0x7fffffff)) + frame(TYPE.windowUpdate, 0, 0, uint32(0x7fffffff)),
  frame(TYPE.windowUpdate, 0, 0, '123'),
  frame(TYPE.windowUpdate, 0, 5, uint32(1)),
  open() + frame(TYPE.windowUpdate, 0, 1, uint32(0)),
  frame(TYPE.reset, 0, 0, uint32(8)),
  frame(TYPE.reset, 0, 1, uint32(8)),
  frame(TYPE.reset, 0, 1, '12'),
  open() + frame(TYPE.reset, 0, 1, uint32(8)) + request(BASE, 3),
  frame(TYPE.push, END_HEADERS, 1, uint32(2) + block(BASE)),
  frame(TYPE.priority, 0, 1, '1234'),
  frame(TYPE.priority, 0, 0, '12345'),
  frame(TYPE.priority, 0, 3, `${uint32(0)}\u0010`) + request(BASE),
  frame(TYPE.goaway, 0, 1, uint32(0) + uint32(0)),
  frame(0x42, 0, 0, 'unknown') + request(BASE),
  frame(0x42, 0, 1, 'unknown') + request(BASE),
  frame(TYPE.data, 0, 1, 'x', 0x0fffff),
  open() + frame(TYPE.data, PADDED, 1, '\u0009abc'),
  open() + data('x'.repeat(16_384), 0) + data('x'),
  open() + data('x'.repeat(16_385)),
];

/** A valid request with an octet in its block that does not belong there, or a field twice or out of order. */
function made(chance: Chance): string {
  const fields = chance.sample([...BASE, ['x-one', 'a'], ['accept', '*/*']] as const, chance.int(4, 6));
  const odd = chance.pick(['\u0000', '\n', ' ', ':', '\u007f', '\u00ff', 'A', ',', '"']);
  const at = chance.int(0, fields.length - 1);
  const put = (text: string): string => {
    const place = chance.int(0, text.length);
    return text.slice(0, place) + odd + text.slice(place);
  };
  const inName = chance.maybe(0.4);
  return request(
    fields.map(([name, value], i) =>
      i === at
        ? ([inName ? put(name) : name, inName ? value : put(value)] as const)
        : ([name, value] as const),
    ),
  );
}
