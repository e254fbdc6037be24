import { describe, expect, it } from 'vitest';
import { differencesOf } from './compare.ts';
import type { Exchange } from './configuration.ts';
import type { Observation } from './observe.ts';
import type { Seen } from './origins.ts';

const request: Seen = {
  origin: 'a',
  version: '1.1',
  method: 'POST',
  path: '/path',
  host: 'one.test:9001',
  headers: [
    ['x-one', 'v1'],
    ['x-one', 'v2'],
    ['x-two', 'v3'],
    ['x-request-id', '00000000-0000-4000-8000-000000000001'],
  ],
  body: 'asked',
  trailers: [['x-end', 'yes']],
};
const observation: Observation = {
  tookMs: 10,
  seen: [request],
  reply: {
    outcome: 'answered',
    status: 200,
    headers: [
      ['x-origin', 'a'],
      ['date', 'Thu, 26 Nov 2026 10:00:17 GMT'],
      ['location', 'http://one.test:9001/'],
    ],
    body: 'told',
    trailers: [['x-last', '1']],
    interim: [103],
    fate: 'open',
  },
};
/** The same as other ports, another clock and other chance would have it. */
const alike: Observation = {
  tookMs: 20,
  seen: [
    {
      ...request,
      host: 'one.test:9002',
      headers: [
        ['x-request-id', '00000000-0000-4000-8000-000000000002'],
        ['x-two', 'v3'],
        ['x-one', 'v1'],
        ['x-one', 'v2'],
      ],
    },
  ],
  reply: {
    ...observation.reply,
    headers: [
      ['x-origin', 'a'],
      ['date', 'Thu, 26 Nov 2026 10:00:18 GMT'],
      ['location', 'http://one.test:9002/'],
    ],
  },
};
const ports = {
  envoy: { listener: 9001, origins: new Map([['a', 9101]]) },
  tulle: { listener: 9002, origins: new Map([['a', 9102]]) },
};
const found = (tulle: Observation, exchange: Exchange = {}): string[] =>
  differencesOf({ envoy: observation, tulle }, exchange, ports).map(
    ({ aspect, envoy, tulle: other }) => `${aspect}: ${envoy} | ${other}`,
  );
const seeing = (more: Partial<Seen>): Observation => ({
  ...alike,
  seen: [{ ...request, host: 'one.test:9002', ...more }],
});
const told = (more: Partial<Observation['reply']>): Observation => ({
  ...alike,
  reply: { ...alike.reply, ...more },
});

describe('what is compared of two sides', () => {
  it('is equal where only ports, dates, ids, times and the order of names differ', () => {
    expect(found(alike)).toEqual([]);
  });

  it.each<[planted: string, tulle: Observation, differences: string[]]>([
    ['a status', told({ status: 204 }), ['reply.status: 200 | 204']],
    ['an outcome', told({ outcome: 'cut' }), ['reply.outcome: answered | cut']],
    ['a body', told({ body: 'Told' }), ['reply.body: told | Told']],
    ['what becomes of the connection', told({ fate: 'closed' }), ['reply.fate: open | closed']],
    ['an interim answer', told({ interim: [] }), ['reply.interim: 103 | ']],
    ['a trailer of the answer', told({ trailers: [] }), ['reply.trailer.x-last: 1 | (none)']],
    [
      'a field that only one answer has',
      told({ headers: [...(alike.reply.headers ?? []), ['x-more', '']] }),
      ['reply.header.x-more: (none) | '],
    ],
    [
      'a date that is none, and the port of the other side',
      told({
        headers: [
          ['x-origin', 'a'],
          ['date', 'today'],
          ['location', 'http://one.test:9001/'],
        ],
      }),
      [
        'reply.header.date: (date) | today',
        'reply.header.location: http://one.test:(listener)/ | http://one.test:9001/',
      ],
    ],
    [
      'lines of one name in another order, and an id that is none',
      seeing({
        headers: [
          ['x-one', 'v2'],
          ['x-one', 'v1'],
          ['x-two', 'v3'],
          ['x-request-id', '1'],
        ],
      }),
      ['seen[0].header.x-one: v1\nv2 | v2\nv1', 'seen[0].header.x-request-id: (uuid) | 1'],
    ],
    ['a path', seeing({ path: '/Path' }), ['seen[0].path: /path | /Path']],
    ['a host', seeing({ host: 'one.test' }), ['seen[0].host: one.test:(listener) | one.test']],
    ['a method', seeing({ method: 'PUT' }), ['seen[0].method: POST | PUT']],
    ['a body of a request', seeing({ body: '' }), ['seen[0].body: asked | ']],
    ['an origin', seeing({ origin: 'b' }), ['seen[0].origin: a | b']],
    ['a version', seeing({ version: '2.0' }), ['seen[0].version: 1.1 | 2.0']],
    ['what an origin has against it', seeing({ fault: 'no host' }), ['seen[0].fault:  | no host']],
    ['a trailer of a request', seeing({ trailers: [['x-end', 'no']] }), ['seen[0].trailer.x-end: yes | no']],
  ])('finds %s', (_, tulle, differences) => {
    expect(found(tulle)).toEqual(differences);
  });

  it('finds a request that is sent twice, and one that is not sent', () => {
    const twice = found({ ...alike, seen: [...alike.seen, request] });
    expect(twice).toContain('seen: 1 | 2');
    expect(twice).toContain('seen[1].method: (none) | POST');
    expect(found({ ...alike, seen: [] })).toContain('seen[0].path: /path | (none)');
  });

  it('finds an answer that comes late or early, where it is said when it must come', () => {
    const took = { from: 5, to: 15 };
    expect(found(alike, { took })).toEqual(['took: as expected | 20 ms']);
    expect(found({ ...alike, tookMs: 1 }, { took })).toEqual(['took: as expected | sooner than after 5 ms']);
    expect(found({ ...alike, tookMs: 15 }, { took })).toEqual([]);
  });

  it('finds shares that chance does not explain, and a request that got lost', () => {
    const shared = (a: number, b: number): Observation => ({
      ...observation,
      seen: [...Array<Seen>(a).fill(request), ...Array<Seen>(b).fill({ ...request, origin: 'b' })],
    });
    const differ = (tulle: Observation): string[] =>
      differencesOf({ envoy: shared(800, 200), tulle }, { tally: 1_000 }, ports).map(({ aspect }) => aspect);
    expect(differ(shared(790, 210))).toEqual([]);
    expect(differ(shared(600, 400))).toEqual(['share.a', 'share.b']);
    expect(differ(shared(800, 199))).toEqual(['seen']);
    // Of copies by chance there are more or fewer, and no more than chance explains.
    const copied = (tulle: Observation): string[] =>
      differencesOf({ envoy: shared(1_000, 200), tulle }, { tally: 1_000, copied: true }, ports).map(
        ({ aspect }) => aspect,
      );
    expect(copied(shared(1_000, 190))).toEqual([]);
    expect(copied(shared(900, 200))).toEqual(['share.a']);
    expect(copied(shared(1_000, 20))).toEqual(['share.b']);
  });
});

describe('what is compared in part', () => {
  const ports = {
    envoy: { listener: 40_001, origins: new Map<string, number>() },
    tulle: { listener: 40_002, origins: new Map<string, number>() },
  };
  const saw = (...seen: readonly Partial<Seen>[]): Observation => ({
    ...observation,
    seen: seen.map((one) => ({ ...request, ...one })),
  });
  const between = (envoy: Observation, tulle: Observation, exchange: Exchange): string[] =>
    differencesOf({ envoy, tulle }, exchange, ports).map(({ aspect }) => aspect);

  it('is over how many origins requests are spread where a hash gathers them', () => {
    const gathered = { tally: 2, gathered: true };
    expect(between(saw({}, {}), saw({ origin: 'b' }, { origin: 'b' }), gathered)).toEqual([]);
    expect(between(saw({}, {}), saw({}, { origin: 'b' }), gathered)).toEqual(['origins']);
    expect(between(saw({}, {}), saw({}), gathered)).toEqual(['seen']);
  });

  it('is what origins see of requests that are not given up', () => {
    const exchange: Exchange = { protocol: 'frames', givenUp: ['/1'] };
    const other = { path: '/3' };
    expect(between(saw(other), saw({ path: '/1' }, { path: '' }, other), exchange)).toEqual([]);
    expect(between(saw(other), saw({ path: '/1' }), exchange)).toContain('seen');
    expect(between(saw(other), saw({ path: '/1' }, other), { protocol: 'frames' })).toContain('seen');
  });

  it('is what a call may still take, in tenths of a second and any unit', () => {
    const within = (value: string): Observation => saw({ headers: [['grpc-timeout', value]] });
    const not = ['seen[0].header.grpc-timeout'];
    expect(between(within('2S'), within('1994m'), {})).toEqual([]);
    expect(between(within('300000u'), within('300m'), {})).toEqual([]);
    expect(between(within('2S'), within('1800m'), {})).toEqual(not);
    expect(between(within('2S'), within('2X'), {})).toEqual(not);
  });
});
