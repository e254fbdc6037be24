import { describe, expect, it } from 'vitest';
import type { Configuration, Exchange } from './configuration.ts';
import { differencesOf } from './compare.ts';
import type { Observation } from './observe.ts';
import type { Seen } from './origins.ts';
import { judged } from './run.ts';

const seen = (more: Partial<Seen> = {}): Seen => ({
  origin: 'a',
  version: '1.1',
  method: 'GET',
  path: '/',
  host: 'one.test',
  headers: [],
  body: '',
  trailers: [],
  ...more,
});
const observed = (
  status: number,
  requests: readonly Seen[] = [],
  headers: Record<string, string> = {},
  body = '',
): Observation => ({
  tookMs: 1,
  seen: requests,
  reply: { outcome: 'answered', status, headers: Object.entries(headers), body, fate: 'open' },
});
const ports = { listener: 1, origins: new Map<string, number>() };

/** Aspects in which two observations differ without an explanation, and what explains the others. */
function judge(
  envoy: Observation,
  tulle: Observation,
  exchange: Exchange,
  configuration: Omit<Configuration, 'exchanges'> = {},
): { left: string[]; by: string[] } {
  const observations = { envoy, tulle };
  const differences = differencesOf(observations, exchange, { envoy: ports, tulle: ports });
  expect(differences).not.toEqual([]);
  const named = { id: 'spec/1/0', ...configuration, exchanges: [exchange] };
  const { left, used } = judged({ configuration: named, exchange, observations, differences });
  return { left: left.map(({ aspect }) => aspect), by: [...used] };
}

const host = (domains: readonly string[], match: object = { prefix: '/' }): object => ({
  domains,
  routes: [{ match, route: { cluster: 'a' } }],
});

describe('what is meant to differ', () => {
  it('one-spelling-of-patterns: a route whose pattern fits when both are spelt alike, and no other', () => {
    const routes = (match: object): NonNullable<Configuration['routes']> => ({
      virtual_hosts: [host(['*'], match), host(['other.test'])],
    });
    const asked = (match: object, mark = '0/0'): string[] =>
      judge(
        observed(404),
        observed(200, [seen({ path: '/~user/a' })], { 'x-route': mark }),
        { path: '/%7Euser/a' },
        { routes: routes(match) },
      ).left;
    expect(asked({ prefix: '/%7Euser' })).toEqual([]);
    expect(asked({ path: '/%7Euser' })).not.toEqual([]);
    expect(asked({ prefix: '/%7Eother' })).not.toEqual([]);
    expect(asked({ prefix: '/%7Euser' }, '1/0')).not.toEqual([]);
  });

  it('ambiguous-paths: a refusal with 400 before an origin, and nothing more in it', () => {
    const asked = (path: string, tulle: Observation): string[] =>
      judge(observed(200, [seen({ path })], { 'x-origin': 'a' }), tulle, { path }).left;
    expect(asked('/a%2f..%2fb', observed(400))).toEqual([]);
    expect(asked('/a%2f..%2fb', observed(403))).not.toEqual([]);
    expect(asked('/a%2f..%2fb', observed(400, [], { 'x-more': '' }))).toEqual(['reply.header.x-more']);
    expect(asked('/a', observed(400))).not.toEqual([]);
  });

  it('asterisk-form: OPTIONS * goes on as it is', () => {
    const asked = (path: string): string[] =>
      judge(observed(404), observed(200, [seen({ method: 'OPTIONS', path })]), {
        method: 'OPTIONS',
        path: '*',
      }).left;
    expect(asked('*')).toEqual([]);
    expect(asked('/')).toContain('seen');
  });

  it('faults: what the filter and its route come to together', () => {
    const filter = 'envoy.filters.http.fault';
    const abort = (what: object): object => ({ abort: { ...what, percentage: { numerator: 100 } } });
    const asked = (tulle: Observation, path = '/own', own: object = abort({ http_status: 418 })): string[] =>
      judge(
        observed(200, [seen({ path })]),
        tulle,
        { path },
        {
          httpFilters: [{ name: filter, typed_config: { headers: [], ...abort({ grpc_status: 5 }) } }],
          routes: { virtual_hosts: [{ routes: [{ typed_per_filter_config: { [filter]: own } }] }] },
        },
      ).left;
    expect(asked(observed(418))).toEqual([]);
    expect(asked(observed(503))).not.toEqual([]);
    expect(asked(observed(418, [seen({ path: '/own', host: 'other.test' })]))).not.toEqual([]);
    expect(asked(observed(404), '/')).toEqual([]);
    expect(asked(observed(418), '/')).not.toEqual([]);
    // For a header that the request does not have.
    const other = { ...abort({ http_status: 418 }), headers: [{ name: 'x-one' }] };
    expect(asked(observed(418), '/own', other)).not.toEqual([]);
  });

  it('repeats-by-method: once more after an end alone, the same, with the answer to it', () => {
    const asked = (
      tulle: Observation,
      method = 'GET',
      answers: NonNullable<Exchange['answers']>[string] = [{ fault: 'end' }, { status: 204 }],
    ): string[] => judge(observed(503, [seen({ method })]), tulle, { method, answers: { a: answers } }).left;
    expect(asked(observed(204, [seen(), seen()]))).toEqual([]);
    expect(asked(observed(204, [seen(), seen()]), 'GET', [{ status: 503 }, { status: 204 }])).not.toEqual([]);
    expect(asked(observed(200, [seen(), seen()]))).toEqual(['reply.status']);
    expect(asked(observed(204, [seen(), seen({ path: '/other' })]))).not.toEqual([]);
    const post = seen({ method: 'POST' });
    expect(asked(observed(204, [post, post]), 'POST')).not.toEqual([]);
  });

  it('hop-by-hop: a field that Connection names is gone, and not another one', () => {
    const exchange: Exchange = {
      headers: [
        ['Connection', 'x-two'],
        ['x-two', 'v'],
      ],
    };
    const asked = (headers: Seen['headers']): string[] =>
      judge(
        observed(200, [
          seen({
            headers: [
              ['x-one', 'v'],
              ['x-two', 'v'],
            ],
          }),
        ]),
        observed(200, [seen({ headers })]),
        exchange,
      ).left;
    expect(asked([['x-one', 'v']])).toEqual([]);
    expect(
      asked([
        ['x-one', 'v'],
        ['x-two', 'other'],
      ]),
    ).toEqual(['seen[0].header.x-two']);
    expect(asked([['x-two', 'v']])).toEqual(['seen[0].header.x-one']);
  });

  it('cors-answers: an origin that is none is not listed', () => {
    const filter = 'envoy.filters.http.cors';
    const asked = (headers: Record<string, string>, origin = 'null'): string[] =>
      judge(
        observed(200, [seen()], { 'access-control-allow-origin': origin }),
        observed(200, [seen()], headers),
        { headers: [['origin', origin]] },
        { httpFilters: [{ name: filter }], routes: { virtual_hosts: [] } },
      ).left;
    expect(asked({})).toEqual([]);
    expect(asked({}, 'https://one.test')).not.toEqual([]);
    expect(asked({ 'access-control-allow-origin': 'https://evil.test' })).not.toEqual([]);
    expect(asked({ 'x-more': '' })).toEqual(['reply.header.x-more']);
  });
});
