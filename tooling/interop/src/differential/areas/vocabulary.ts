import type { Chance } from '../chance.ts';
import { type Field, type Json, PLAIN_ORIGINS } from '../configuration.ts';

export const HOSTS: readonly string[] = [
  'one.test',
  'two.test',
  'sub.one.test',
  'deep.sub.one.test',
  'one.example',
  'other.example',
];
export const METHODS: readonly string[] = [
  'GET',
  'GET',
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'HEAD',
];
export const SEGMENTS: readonly string[] = [
  'a',
  'b',
  'ab',
  'api',
  'v1',
  'A',
  'a.b',
  'x-y',
  'caf%C3%A9',
  '%7Euser',
  'a+b',
  'a;p=1',
  'a=b',
  '~t',
  'a%20b',
];
export const QUERY: readonly string[] = [
  'q=1',
  'q=2',
  'q',
  'q=',
  'r=abc',
  'x=a%20b',
  'q=1&q=2',
  'Q=1',
  'long=aaaaaaaaaa',
];
export const NAMES: readonly string[] = ['x-one', 'x-two', 'x-number'];
export const VALUES: readonly string[] = ['v1', 'v2', 'V1', 'v12', '', '7', '-3', '42', 'a, b', 'a b'];

export function pathOf(chance: Chance, most = 3): string {
  const segments = Array.from({ length: chance.int(0, most) }, () => chance.pick(SEGMENTS));
  return `/${segments.join('/')}${segments.length > 0 && chance.maybe(0.2) ? '/' : ''}`;
}

export function queryOf(chance: Chance): string {
  return chance.maybe(0.6) ? '' : `?${chance.sample(QUERY, chance.int(1, 2)).join('&')}`;
}

export function headersOf(chance: Chance): Field[] {
  return chance
    .some(NAMES, 0.4)
    .flatMap((name): Field[] => [
      [name, chance.pick(VALUES)],
      ...(chance.maybe(0.1) ? [[name, chance.pick(VALUES)] as const] : []),
    ]);
}

/** Forwards to one of the origins. */
export function anyOrigin(chance: Chance): string {
  return chance.pick(PLAIN_ORIGINS);
}

/** A virtual host for every host. */
export function everyHost(routes: readonly Json[], rest: Json = {}): Json {
  return { virtual_hosts: [{ name: 'all', domains: ['*'], routes, ...rest }] };
}

/** Says in the answer which route it was. */
export function marked(route: Json, mark: string): Json {
  const mine = { header: { key: 'x-route', value: mark }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' };
  return {
    ...route,
    response_headers_to_add: [...((route['response_headers_to_add'] as Json[] | undefined) ?? []), mine],
  };
}
