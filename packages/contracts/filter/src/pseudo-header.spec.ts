import { expect, it } from 'vitest';
import { pseudoHeader, setPseudoHeader } from './pseudo-header.ts';
import type { RequestHead } from './stream.ts';

/** A request that takes no query with a `#`, and no empty method. */
function request(): RequestHead {
  let query: string | undefined = 'a=1';
  let method = 'GET';
  return {
    path: '/before',
    authority: 'a.example',
    scheme: 'https',
    get query() {
      return query;
    },
    set query(value) {
      if (value?.includes('#') === true) throw new Error('no query');
      query = value;
    },
    get method() {
      return method;
    },
    set method(value) {
      if (value === '') throw new Error('no method');
      method = value;
    },
  } as RequestHead;
}

it.each([
  [':path', '/x?b=2', '/x?b=2'],
  [':path', '/x', '/x'],
  [':path', '/x?', '/x?'],
  [':method', 'POST', 'POST'],
  [':authority', 'b.example', 'b.example'],
  ['host', 'b.example', 'b.example'],
])('%s becomes %j', (name, value, expected) => {
  const one = request();
  expect(setPseudoHeader(one, name, value)).toBe(true);
  expect(pseudoHeader(one, name)).toBe(expected);
});

it.each([
  [':path', '/x?#'],
  [':method', ''],
  [':scheme', 'http'],
  ['x-other', 'a'],
])('%s is not changed to %j, nor is anything else', (name, value) => {
  const one = request();
  expect(setPseudoHeader(one, name, value)).toBe(false);
  expect([':path', ':method', ':authority', ':scheme'].map((each) => pseudoHeader(one, each))).toEqual([
    '/before?a=1',
    'GET',
    'a.example',
    'https',
  ]);
});
