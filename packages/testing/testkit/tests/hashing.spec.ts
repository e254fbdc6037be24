import { CONTINUE, DELIVER, putFilterState, RETRY } from '@tulle/filter';
import { httpListener, route } from '@tulle/proxy';
import type { BalancePolicy, HashPolicy } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { filter, started } from './support.ts';

const HOSTS = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'];

const once = filter(
  'once',
  {
    attemptEnd: ({ attempt }) => {
      if (attempt.number > 1 || attempt.failure === undefined) return DELIVER;
      attempt.retryDelayMs = 1;
      return RETRY;
    },
  },
  { scope: 'attempt' },
)({});

const putsDown = filter('puts-down', {
  requestHeaders(stream) {
    const tenant = stream.request.headers.get('x-tenant');
    if (tenant !== undefined) putFilterState(stream, 'tenant', tenant);
    return CONTINUE;
  },
})({});

function hashed(
  hashPolicy: readonly HashPolicy[],
  balance: BalancePolicy = { policy: 'ring-hash' },
  ofCluster?: readonly HashPolicy[],
): Promise<TestProxy> {
  return started({
    listeners: [
      httpListener({
        host: '127.0.0.1',
        port: 8080,
        routes: [route('/', 'api', { hashPolicy })],
        filters: [putsDown, once],
      }),
    ],
    clusters: [
      {
        name: 'api',
        balance,
        ...(ofCluster && { hashPolicy: ofCluster }),
        discovery: { kind: 'static', endpoints: HOSTS.map((host) => ({ address: { host, port: 80 } })) },
      },
    ],
    upstreams: Object.fromEntries(HOSTS.map((host) => [`${host}:80`, () => ({ body: host })])),
  });
}

type Ask = Parameters<ReturnType<TestProxy['client']>['request']>[0];

/** Who answers, in order. */
async function answers(test: TestProxy, requests: readonly Ask[], host?: string): Promise<string[]> {
  const found = [];
  for (const request of requests)
    found.push((await test.client(host === undefined ? {} : { host }).request(request)).body);
  return found;
}

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

describe.each(['ring-hash', 'maglev'] as const)('requests balanced by %s', (policy) => {
  it('go by what the cluster says, whatever the route does', async () => {
    const test = await hashed([{ kind: 'header', name: 'x-route' }], { policy }, [
      { kind: 'header', name: 'X-Cluster', rewrite: { kind: 'regex', pattern: '-.*', substitution: '' } },
    ]);
    const ask = (of: (index: number) => Record<string, string>): Promise<string[]> =>
      answers(
        test,
        times(30, (index) => ({ headers: of(index) })),
      );
    const same = await ask((index) => ({ 'x-cluster': `ada-${index}`, 'x-route': String(index) }));
    expect(new Set(same).size).toBe(1);
    const others = await ask((index) => ({ 'x-cluster': String(index), 'x-route': 'ada' }));
    expect(new Set(others).size).toBeGreaterThan(1);
    // Without what the cluster asks for, any endpoint is as good.
    expect(new Set(await ask(() => ({ 'x-route': 'ada' }))).size).toBeGreaterThan(1);
  });

  it('go to the same endpoint where a header is the same, and elsewhere where it is not', async () => {
    const test = await hashed([{ kind: 'header', name: 'X-User' }], { policy });
    const same = await answers(
      test,
      times(5, () => ({ headers: { 'x-user': 'ada' } })),
    );
    expect(new Set(same).size).toBe(1);
    const others = await answers(
      test,
      times(40, (i) => ({ headers: { 'x-user': `user-${i}` } })),
    );
    expect(new Set(others).size).toBe(4);
  });

  it('go to one of the others while theirs cannot be reached, and back to it', async () => {
    const test = await hashed([{ kind: 'header', name: 'x-user' }], { policy });
    const ask = { headers: { 'x-user': 'ada' } };
    const [own = ''] = await answers(test, [ask]);
    test.network.refuse(`${own}:80`, { kind: 'refused', reason: 'ECONNREFUSED', message: 'refused' });
    await test.clock.advance(10_000); // its idle connection is retired
    const answered = test.client().request(ask);
    await test.clock.advance(100);
    expect(HOSTS.filter((host) => host !== own)).toContain((await answered).body);
    test.network.refuse(`${own}:80`, undefined);
    expect(await answers(test, [ask])).toEqual([own]);
  });
});

describe('what requests are told together by', () => {
  it('may be a query parameter', async () => {
    const test = await hashed([{ kind: 'query', name: 'user' }]);
    const same = await answers(
      test,
      times(5, (i) => ({ path: `/?page=${i}&user=ada` })),
    );
    expect(new Set(same).size).toBe(1);
    expect(
      new Set(
        await answers(
          test,
          times(40, (i) => ({ path: `/?user=${i}` })),
        ),
      ).size,
    ).toBe(4);
  });

  it('may be what a filter put down, and is nothing where it put nothing down', async () => {
    const test = await hashed([{ kind: 'filter-state', name: 'tenant' }]);
    const by = (tenant: string | undefined, count: number): Ask[] =>
      times(count, () => ({ headers: tenant === undefined ? {} : { 'x-tenant': tenant } }));
    expect(new Set(await answers(test, by('acme', 10))).size).toBe(1);
    const all = times(40, (i) => ({ headers: { 'x-tenant': `t${i}` } }));
    expect(new Set(await answers(test, all)).size).toBe(4);
    expect(new Set(await answers(test, by(undefined, 40))).size).toBe(4);
  });

  it('may be the address of the caller', async () => {
    const test = await hashed([{ kind: 'source-ip' }]);
    expect(
      new Set(
        await answers(
          test,
          times(5, () => ({})),
          '192.0.2.7',
        ),
      ).size,
    ).toBe(1);
    const others = [];
    for (let i = 0; i < 40; i++) others.push(...(await answers(test, [{}], `192.0.2.${i + 10}`)));
    expect(new Set(others).size).toBe(4);
  });

  it('may be a cookie, which is made up for who has none', async () => {
    const test = await hashed([
      {
        kind: 'cookie',
        name: 'session',
        ttlMs: 60_000,
        path: '/',
        attributes: [
          { name: 'SameSite', value: 'Lax' },
          { name: 'Secure', value: '' },
        ],
      },
    ]);
    const seen = new Set<string>();
    for (let i = 0; i < 12; i++) {
      const first = await test.client().request();
      const set = first.header('set-cookie') ?? '';
      expect(set).toMatch(/^session="[0-9a-f]{16}"; Max-Age=60; Path=\/; SameSite=Lax; Secure; HttpOnly$/);
      const cookie = `a=b; ${set.slice(0, set.indexOf(';'))}; c=d`;
      const second = await test.client().request({ headers: { cookie } });
      expect(second.body).toBe(first.body);
      expect(second.header('set-cookie')).toBeUndefined();
      seen.add(first.body);
    }
    expect(seen.size).toBeGreaterThan(1);
  });

  it('is never made up without a time to live', async () => {
    const test = await hashed([{ kind: 'cookie', name: 'session' }]);
    expect((await test.client().request()).header('set-cookie')).toBeUndefined();
    const same = await answers(
      test,
      times(5, () => ({ headers: { cookie: 'session=one' } })),
    );
    expect(new Set(same).size).toBe(1);
  });

  it('may be several things; a terminal one that is there leaves out those behind it', async () => {
    const both = await hashed([
      { kind: 'header', name: 'x-user' },
      { kind: 'query', name: 'q' },
    ]);
    const ask = (i: number): Ask => ({ path: `/?q=${i}`, headers: { 'x-user': 'ada' } });
    expect(new Set(await answers(both, times(40, ask))).size).toBe(4);
    const first = await hashed([
      { kind: 'header', name: 'x-user', terminal: true },
      { kind: 'query', name: 'q' },
    ]);
    expect(new Set(await answers(first, times(40, ask))).size).toBe(1);
  });

  it('is refused where it cannot stand in a field or a cookie', async () => {
    await expect(
      hashed([
        { kind: 'header', name: 'x user' },
        { kind: 'cookie', name: 's', ttlMs: 0, path: '/;x' },
        { kind: 'cookie', name: 's', path: '/' },
      ]),
    ).rejects.toMatchObject({
      issues: [
        { message: '"x user" is no name of a header' },
        { message: '"/;x" cannot stand in a cookie' },
        { message: expect.stringContaining('never made up') as string },
      ],
    });
    await expect(hashed([], { policy: 'maglev', tableSize: 100 })).rejects.toMatchObject({
      issues: [{ path: '/clusters/0/balance/tableSize', message: '100 is no prime; e.g. 65537 is one' }],
    });
  });
});
