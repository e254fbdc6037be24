import type { Chance } from '../chance.ts';
import { PROBE_PATH } from '../byte-clients.ts';
import type { Area, Configuration, Exchange } from '../configuration.ts';
import { everyHost, marked } from './vocabulary.ts';

/** What is no valid HTTP/1.1, or is it just so: refused or understood, and never two requests of one. */
export const malformedHttp1: Area = {
  name: 'malformed-http1',
  short: 40,
  make(chance, index): Configuration {
    return {
      routes: everyHost([
        { match: { path: PROBE_PATH }, direct_response: { status: 299 } },
        marked({ match: { prefix: '/smuggled' }, route: { cluster: 'b' } }, 'smuggled'),
        marked({ match: { prefix: '/' }, route: { cluster: 'a' } }, 'first'),
      ]),
      exchanges: Array.from({ length: 8 }, (_, i): Exchange => ({
        protocol: 'raw',
        // Each of those by hand once, in turn; and some of chance.
        bytes: i < 5 ? (PICKED[(index * 5 + i) % PICKED.length] as string) : made(chance),
      })),
    };
  },
};

const HOST = 'Host: one.test\r\n';
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: one.test\r\n\r\n';
const get = (lines: string, rest = ''): string => `GET / HTTP/1.1\r\n${lines}\r\n${rest}`;
const post = (lines: string, rest = ''): string => `POST / HTTP/1.1\r\n${HOST}${lines}\r\n${rest}`;
const chunked = (rest: string, coding = 'chunked'): string => post(`Transfer-Encoding: ${coding}\r\n`, rest);

const PICKED: readonly string[] = [
  // Two framings in one.
  post('Content-Length: 6\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
  post('Transfer-Encoding: chunked\r\nContent-Length: 6\r\n', `0\r\n\r\n${SMUGGLED}`),
  post('Content-Length: 4\r\nContent-Length: 4\r\n', 'body'),
  post('Content-Length: 4, 4\r\n', 'body'),
  post('Content-Length: 4\r\nContent-Length: 5\r\n', `body${SMUGGLED}`),
  post('Content-Length: 4, 5\r\n', `body${SMUGGLED}`),
  post('Content-Length: +4\r\n', 'body'),
  post('Content-Length: -4\r\n', 'body'),
  post('Content-Length: 0x4\r\n', 'body'),
  post('Content-Length: 4 \r\n', 'body'),
  post('Content-Length:\t4\r\n', 'body'),
  post('Content-Length: 4 4\r\n', 'body'),
  post('Content-Length: \r\n', 'body'),
  post('Content-Length: 99999999999999999999\r\n', 'body'),
  post('Content-Length: 04\r\n', 'body'),
  post('Content-Length : 4\r\n', 'body'),
  post(' Content-Length: 4\r\n', 'body'),
  chunked('4\r\nbody\r\n0\r\n\r\n', 'identity'),
  chunked('4\r\nbody\r\n0\r\n\r\n', 'gzip, chunked'),
  chunked('4\r\nbody\r\n0\r\n\r\n', 'chunked, chunked'),
  chunked('4\r\nbody\r\n0\r\n\r\n', 'chunked, identity'),
  chunked('4\r\nbody\r\n0\r\n\r\n', 'xchunked'),
  chunked('4\r\nbody\r\n0\r\n\r\n', 'Chunked'),
  chunked('4\r\nbody\r\n0\r\n\r\n', '\u000bchunked'),
  chunked('4\r\nbody\r\n0\r\n\r\n', 'chunked\r\nTransfer-Encoding: chunked'),
  chunked('4\r\nbody\r\n0\r\n\r\n', 'chunked\r\nTransfer-Encoding: identity'),
  post('Transfer-Encoding : chunked\r\n', '4\r\nbody\r\n0\r\n\r\n'),
  `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n`,
  // Chunks.
  chunked('4;name=value\r\nbody\r\n0\r\n\r\n'),
  chunked('4;name="v;w"\r\nbody\r\n0\r\n\r\n'),
  chunked('4 \r\nbody\r\n0\r\n\r\n'),
  chunked('04\r\nbody\r\n0\r\n\r\n'),
  chunked('+4\r\nbody\r\n0\r\n\r\n'),
  chunked('-4\r\nbody\r\n0\r\n\r\n'),
  chunked('0x4\r\nbody\r\n0\r\n\r\n'),
  chunked('G\r\nbody\r\n0\r\n\r\n'),
  chunked('\r\nbody\r\n0\r\n\r\n'),
  chunked('4\nbody\n0\n\n'),
  chunked('4\r\nbody\n0\r\n\r\n'),
  chunked('4\r\nbodyX\r\n0\r\n\r\n'),
  chunked('5\r\nbody\r\n0\r\n\r\n'),
  chunked('10000000000000004\r\nbody\r\n0\r\n\r\n'),
  chunked('4;\nname=x\r\nbody\r\n0\r\n\r\n'),
  chunked('4\r\nbody\r\n0\r\nX-End: yes\r\n\r\n'),
  chunked('4\r\nbody\r\n0\r\nContent-Length: 9\r\n\r\n'),
  chunked('4\r\nbody\r\n0\r\nno colon\r\n\r\n'),
  chunked('4\r\nbody\r\n0\r\n folded\r\n\r\n'),
  chunked(`4\r\nbody\r\n0\r\n\r\n${SMUGGLED}`),
  // The start.
  `\r\n${get(HOST)}`,
  `\r\n\r\n\r\n${get(HOST)}`,
  ` GET / HTTP/1.1\r\n${HOST}\r\n`,
  `GET  / HTTP/1.1\r\n${HOST}\r\n`,
  `GET / HTTP/1.1 \r\n${HOST}\r\n`,
  `GET /a b HTTP/1.1\r\n${HOST}\r\n`,
  `GET\t/ HTTP/1.1\r\n${HOST}\r\n`,
  `GET /\r\n${HOST}\r\n`,
  `GET / HTTP/1.2\r\n${HOST}\r\n`,
  `GET / HTTP/2.0\r\n${HOST}\r\n`,
  `GET / HTTP/0.9\r\n${HOST}\r\n`,
  `GET / http/1.1\r\n${HOST}\r\n`,
  `GET / HTTP/1.10\r\n${HOST}\r\n`,
  `GET / HTTP/1.0\r\n${HOST}\r\n`,
  'GET / HTTP/1.0\r\n\r\n',
  `GET / HTTP/1.1\n${HOST}\r\n`,
  `G\u0000T / HTTP/1.1\r\n${HOST}\r\n`,
  `get / HTTP/1.1\r\n${HOST}\r\n`,
  `FOO / HTTP/1.1\r\n${HOST}\r\n`,
  `PURGE / HTTP/1.1\r\n${HOST}\r\n`,
  `G@T / HTTP/1.1\r\n${HOST}\r\n`,
  `${'M'.repeat(300)} / HTTP/1.1\r\n${HOST}\r\n`,
  `PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n`,
  // Targets.
  `GET http://one.test/ HTTP/1.1\r\n${HOST}\r\n`,
  `GET http://other.test/x?q HTTP/1.1\r\n${HOST}\r\n`,
  `GET https://one.test/ HTTP/1.1\r\n${HOST}\r\n`,
  `GET HTTP://ONE.test HTTP/1.1\r\n${HOST}\r\n`,
  `GET http:/one.test/ HTTP/1.1\r\n${HOST}\r\n`,
  `GET http://user@one.test/ HTTP/1.1\r\n${HOST}\r\n`,
  `GET one.test/ HTTP/1.1\r\n${HOST}\r\n`,
  `GET * HTTP/1.1\r\n${HOST}\r\n`,
  `GET ? HTTP/1.1\r\n${HOST}\r\n`,
  `GET /#part HTTP/1.1\r\n${HOST}\r\n`,
  `GET /\u0000 HTTP/1.1\r\n${HOST}\r\n`,
  `GET /\u007f HTTP/1.1\r\n${HOST}\r\n`,
  `GET /\u00e9 HTTP/1.1\r\n${HOST}\r\n`,
  `GET /<> HTTP/1.1\r\n${HOST}\r\n`,
  `GET /"quoted" HTTP/1.1\r\n${HOST}\r\n`,
  `CONNECT one.test:80 HTTP/1.1\r\n${HOST}\r\n`,
  `CONNECT / HTTP/1.1\r\n${HOST}\r\n`,
  // The host.
  get(''),
  get('Host:\r\n'),
  get('Host: one.test\r\nHost: one.test\r\n'),
  get('Host: one.test\r\nHost: two.test\r\n'),
  get('Host: one.test, two.test\r\n'),
  get('Host: one test\r\n'),
  get('Host: user@one.test\r\n'),
  get('Host: one.test/x\r\n'),
  get('Host: one.test:99999\r\n'),
  get('Host: one.test:x\r\n'),
  get('Host: [::1]\r\n'),
  get('Host: [::1\r\n'),
  get('Host: one..test\r\n'),
  get('Host: \u00e9.test\r\n'),
  // Fields.
  get(`${HOST}X-One: a\r\n folded\r\n`),
  get(`${HOST}X-One: a\r\n\tfolded\r\n`),
  get(`${HOST} X-One: a\r\n`),
  get(`X-One: a\r\n${HOST}`),
  get(` folded\r\n${HOST}`),
  get(`${HOST}X-One : a\r\n`),
  get(`${HOST}: a\r\n`),
  get(`${HOST}no colon\r\n`),
  get(`${HOST}X One: a\r\n`),
  get(`${HOST}X-One: a\u0000b\r\n`),
  get(`${HOST}X-One: a\rb\r\n`),
  get(`${HOST}X-One: a\nX-Two: b\r\n`),
  get(`${HOST}X-One: a\u0001b\r\n`),
  get(`${HOST}X-One: \u00e9\r\n`),
  get(`${HOST}X-\u00e9: a\r\n`),
  get(`${HOST}X(One): a\r\n`),
  get(`${HOST}X-One:a\r\n`),
  get(`${HOST}X-One:   a   \r\n`),
  get(`${HOST}X-One:\r\n`),
  get(`${HOST}Connection: close, x\r\nX: y\r\n`),
  get(`${HOST}Expect: 100-continue\r\n`),
  get(`${HOST}Expect: something\r\n`),
  get(`${HOST}TE: trailers, chunked\r\n`),
  get(`${HOST}Upgrade: websocket\r\nConnection: upgrade\r\n`),
  get(`${HOST}X-Long: ${'x'.repeat(30_000)}\r\n`),
  get(`${HOST}X-Long: ${'x'.repeat(70_000)}\r\n`),
  get(`${HOST}${Array.from({ length: 90 }, (_, i) => `X-${i}: a\r\n`).join('')}`),
  get(`${HOST}${Array.from({ length: 120 }, (_, i) => `X-${i}: a\r\n`).join('')}`),
  `GET /${'x'.repeat(30_000)} HTTP/1.1\r\n${HOST}\r\n`,
  `GET /${'x'.repeat(70_000)} HTTP/1.1\r\n${HOST}\r\n`,
  get(HOST, get(HOST)),
  get(`${HOST}Content-Length: 4\r\n`, `body${get(HOST)}`),
  get(`${HOST}Content-Length: ${SMUGGLED.length}\r\n`, SMUGGLED),
  post('', 'body without a length'),
  get(HOST).replaceAll('\r\n', '\n'),
  get(HOST).replaceAll('\r\n', '\r'),
  '\u0016\u0003\u0001\u0000\u0010hello of TLS....',
];

/** Octets that are put where they do not belong. */
const ODD: readonly string[] = [
  '\u0000',
  '\r',
  '\n',
  ' ',
  '\t',
  ':',
  '\u007f',
  '\u0080',
  ',',
  ';',
  '\r\n',
  '\u000b',
  '"',
  '/',
];

/** A valid request with one or two octets in it, or without some. */
function made(chance: Chance): string {
  let text = chance.pick([
    get(`${HOST}X-One: value\r\nAccept: */*\r\n`),
    post('Content-Length: 4\r\nX-One: v\r\n', 'body'),
    chunked('4\r\nbody\r\n2\r\nxx\r\n0\r\n\r\n'),
  ]);
  for (let n = chance.int(1, 2); n > 0; n--) {
    // Within the head, of which the end stays, so that there is something to be answered.
    const at = chance.int(0, text.indexOf('\r\n\r\n') - 1);
    text =
      text.slice(0, at) +
      (chance.maybe(0.8) ? chance.pick(ODD) : '') +
      text.slice(at + (chance.maybe(0.3) ? 1 : 0));
  }
  return text;
}
