import type { HttpStream, RequestHead } from '@tulle/filter';
import { FieldTable } from '@tulle/fields';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileLocation, SEVERAL } from './locations.ts';

function request(headers: readonly (readonly [string, string])[], query?: string): RequestHead {
  const table = new FieldTable();
  for (const [name, value] of headers) table.append(name, value);
  return { headers: table, query } as unknown as RequestHead;
}

const bearer = compileLocation({ header: 'Authorization' });
const cookie = compileLocation({ cookie: 'session' });
const query = compileLocation({ query: 'access_token' });

describe('a token in a header', () => {
  it.each<[string, readonly (readonly [string, string])[], unknown]>([
    ['is found', [['authorization', 'Bearer abc']], 'abc'],
    ['is found whatever the case of the scheme', [['authorization', 'bEARER   abc']], 'abc'],
    ['is not there under another scheme', [['authorization', 'Basic abc']], undefined],
    ['is not there without a blank', [['authorization', 'Bearerabc']], undefined],
    ['is not there where nothing follows the scheme', [['authorization', 'Bearer ']], undefined],
    [
      'is there twice',
      [
        ['authorization', 'Bearer a'],
        ['authorization', 'Bearer b'],
      ],
      SEVERAL,
    ],
    [
      'is ambiguous beside another scheme',
      [
        ['authorization', 'Basic a'],
        ['authorization', 'Bearer b'],
      ],
      SEVERAL,
    ],
    ['is not there at all', [['x-authorization', 'Bearer a']], undefined],
  ])('%s', (_what, headers, expected) => {
    expect(bearer.read(request(headers))).toBe(expected);
  });

  it('may have another prefix, or none', () => {
    expect(compileLocation({ header: 'x-token' }).read(request([['x-token', 'abc']]))).toBe('abc');
    expect(
      compileLocation({ header: 'x-token', prefix: 'Token=' }).read(request([['x-token', 'token=abc']])),
    ).toBe('abc');
  });
});

describe('a token in a cookie', () => {
  it.each<[string, readonly string[], unknown]>([
    ['is found', ['a=1; session=abc; b=2'], 'abc'],
    ['is found in quotes', ['session="abc"'], 'abc'],
    ['is not there under a longer name', ['mysession=abc; session2=x; Session=y'], undefined],
    ['is there twice in one line', ['session=a; session=b'], SEVERAL],
    ['is there twice in two lines', ['session=a', 'session=b'], SEVERAL],
    ['is not there without a value', ['session'], undefined],
  ])('%s', (_what, lines, expected) => {
    expect(cookie.read(request(lines.map((line) => ['cookie', line])))).toBe(expected);
  });

  it('is removed, and the others stay', () => {
    const head = request([
      ['cookie', 'a=1; session=abc; b=2'],
      ['cookie', 'session=x'],
      ['cookie', 'c="3"'],
    ]);
    cookie.strip({ request: head } as unknown as HttpStream);
    expect(head.headers.getAll('cookie')).toEqual(['a=1; b=2', 'c="3"']);
  });
});

describe('a token in the query', () => {
  it.each<[string, string | undefined, unknown]>([
    ['is found', 'a=1&access_token=abc&b', 'abc'],
    ['is found in escapes', 'access_token=a%2Eb', 'a.b'],
    ['is found under an escaped name', 'access%5Ftoken=abc', 'abc'],
    ['is there twice', 'access_token=a&access_token=b', SEVERAL],
    ['is there twice, once escaped', 'access_token=a&%61ccess_token=b', SEVERAL],
    ['is not there under a longer name', 'xaccess_token=a&access_tokens=b', undefined],
    ['is not there without a query', undefined, undefined],
    ['is empty without a value', 'access_token', ''],
    ['survives broken escapes', '%zz=1&access_token=%zz', '%zz'],
  ])('%s', (_what, text, expected) => {
    expect(query.read(request([], text))).toBe(expected);
  });

  it('is removed however it is spelt; what stays can be written', () => {
    const strip = (text: string): string | undefined => {
      const head = request([], text);
      query.strip({ request: head } as unknown as HttpStream);
      return head.query;
    };
    expect(strip('a=1&access%5Ftoken=x&b=%20')).toBe('a=1&b=%20');
    expect(strip('access_token=x')).toBe(undefined);
    expect(strip('a="<1>"&access_token=x')).toBe('a=%22%3C1%3E%22');
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constantFrom('access_token=x', 'access%5ftoken=y', 'a=1'))),
        (parts) => {
          const rest = strip(parts.join('&').replaceAll(/[^\u0020-\u00ff]/g, ''));
          expect(query.read(request([], rest))).toBe(undefined);
          expect(rest ?? '').toMatch(/^[!$-;=?-_a-z{|}~`]*$/);
        },
      ),
    );
  });
});
