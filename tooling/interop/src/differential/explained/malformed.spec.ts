import { describe, expect, it } from 'vitest';
import { block, END_HEADERS, END_STREAM, frame, TYPE } from '../frames.ts';
import { faultOfHttp1, faultOfHttp2 } from './malformed.ts';

const HOST = 'Host: one.test\r\n';
const BASE = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'one.test'],
] as const;

describe('the judge of HTTP/1.1', () => {
  it.each([
    `GET / HTTP/1.1\r\n${HOST}\r\n`,
    `\r\nGET /a?b=%20 HTTP/1.1\r\n${HOST}X:\t a b \r\n\r\n`,
    'GET / HTTP/1.0\r\n\r\n',
    `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`,
    `GET http://ONE.test/ HTTP/1.1\r\n${HOST}\r\n`,
    'GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n',
    "GET / HTTP/1.1\r\nHost: one.test;a=!$&'()*+\r\n\r\n",
    `POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nbodyGET /`,
    `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n4;a=b\r\nbody\r\n0\r\nX: y\r\n\r\n`,
    `GET / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\n\r\n`,
    `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n4\r\nbo\n`,
  ])('finds nothing in %j', (text) => {
    expect(faultOfHttp1(text)).toBeUndefined();
  });

  it.each([
    [`\r\n\r\nGET / HTTP/1.1\r\n${HOST}\r\n`, 'empty lines before it'],
    [`GET / HTTP/1.1\nHost: a\n\n`, 'no end of its head'],
    [`GET  / HTTP/1.1\r\n${HOST}\r\n`, 'its start line'],
    [`GET / HTTP/1.2\r\n${HOST}\r\n`, 'its start line'],
    [`get / HTTP/1.1\r\n${HOST}\r\n`, 'its method'],
    [`GET /<> HTTP/1.1\r\n${HOST}\r\n`, 'its target'],
    [`GET /%zz HTTP/1.1\r\n${HOST}\r\n`, 'its target'],
    [`GET /${'x'.repeat(9_000)} HTTP/1.1\r\n${HOST}\r\n`, 'the length of its target'],
    [`GET * HTTP/1.1\r\n${HOST}\r\n`, 'the form of its target'],
    [`GET / HTTP/1.1\r\n${HOST}X: a\r\n b\r\n\r\n`, 'a field'],
    [`GET / HTTP/1.1\r\n${HOST}X : a\r\n\r\n`, 'a field'],
    [`GET / HTTP/1.1\r\n${HOST}X: a\u0000\r\n\r\n`, 'a field'],
    ['GET / HTTP/1.1\r\n\r\n', 'its host'],
    [`GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`, 'its host'],
    ['GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n', 'its host'],
    ['GET / HTTP/1.1\r\nHost: a,b\r\n\r\n', 'its host'],
    ['GET / HTTP/1.1\r\nHost: a%3bb\r\n\r\n', 'its host'],
    [`GET http://two.test/ HTTP/1.1\r\n${HOST}\r\n`, 'two hosts'],
    [`GET / HTTP/1.1\r\n${HOST}Expect: x\r\n\r\n`, 'what it expects'],
    [`POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody`, 'its length'],
    [`POST / HTTP/1.1\r\n${HOST}Content-Length: +4\r\n\r\nbody`, 'its length'],
    [`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: gzip\r\n\r\n`, 'its coding'],
    [
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n`,
      'two framings',
    ],
    [`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n4\r\nbodyX\r\n0\r\n\r\n`, 'its body'],
    [`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n4\nbody\n0\n\n`, 'its body'],
    [
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 4\r\n\r\n`,
      'a trailer',
    ],
  ])('finds in %j: %s', (text, fault) => {
    expect(faultOfHttp1(text)).toBe(fault);
  });
});

describe('the judge of HTTP/2', () => {
  const judged = (
    ...requests: (readonly [stream: number, fields: readonly (readonly [string, string])[]])[]
  ) =>
    faultOfHttp2(
      Buffer.from(
        requests
          .map(([stream, fields]) => frame(TYPE.headers, END_HEADERS | END_STREAM, stream, block(fields)))
          .join(''),
        'latin1',
      ),
    );
  const but = (name: string, value: string) =>
    BASE.map(([one, other]) => [one, one === name ? value : other] as const);

  it('finds nothing in requests that are as they should be', () => {
    expect(
      judged([1, BASE], [3, [...BASE, ['x-long', 'x'.repeat(500)], ['host', 'one.test']]]),
    ).toBeUndefined();
  });

  it('finds what is malformed, or too much', () => {
    expect(judged([3, BASE], [1, BASE])).toBe('a stream before another one');
    expect(judged([1, BASE], [1, BASE])).toBe('a stream twice');
    expect(judged([1, [...BASE, ['host', 'two.test']]])).toBe('two hosts');
    expect(judged([1, [...BASE, ['x', ' a']]])).toBe('blanks around a value');
    expect(judged([1, but(':scheme', 'ftp')])).toBe('its scheme');
    expect(judged([1, but(':method', 'FOO')])).toBe('its method');
    expect(judged([1, but(':path', '/\u00e9')])).toBe('its path');
    expect(judged([1, but(':authority', 'a:99999')])).toBe('its authority');
    expect(judged([1, [...BASE, ...Array.from({ length: 100 }, () => ['x', 'a'] as const)]])).toBe(
      'many fields',
    );
  });

  it('finds a priority of no stream', () => {
    const priority = (stream: number) =>
      faultOfHttp2(Buffer.from(frame(TYPE.priority, 0, stream, '12345'), 'latin1'));
    expect([priority(0), priority(3)]).toEqual(['a priority of no stream', undefined]);
  });
});
