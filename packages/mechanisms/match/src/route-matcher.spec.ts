import type { Headers } from '@tulle/filter';
import { isTulleError } from '@tulle/filter';
import type { RouteConfig, RouteMatch, ValueMatch } from '@tulle/model';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  compileRoutes,
  loadRegexEngine,
  usesRegex,
  type MatchView,
  type RegexEngine,
  type RouteMatcher,
} from './index.ts';

let regex: RegexEngine;
beforeAll(async () => {
  regex = await loadRegexEngine();
});

function headersOf(lines: readonly (readonly [string, string])[]): Headers {
  const at = (index: number): readonly [string, string] => lines[index] as [string, string];
  return {
    length: lines.length,
    name: (index) => at(index)[0].toLowerCase(),
    rawName: (index) => at(index)[0],
    value: (index) => at(index)[1],
    get: (name) => lines.find((line) => line[0].toLowerCase() === name)?.[1],
    getAll: (name) => lines.filter((line) => line[0].toLowerCase() === name).map((line) => line[1]),
    has: (name) => lines.some((line) => line[0].toLowerCase() === name),
    forEach: (fn) => lines.forEach(([name, value]) => fn(name.toLowerCase(), value)),
  };
}

type Request = Partial<Omit<MatchView, 'headers'>> & {
  readonly headers?: readonly (readonly [string, string])[];
};

function view(request: Request): MatchView {
  return {
    authority: 'a.example',
    method: 'GET',
    path: '/',
    query: undefined,
    ...request,
    headers: headersOf(request.headers ?? []),
  };
}

function matcherOf(
  hosts: readonly { domains: readonly string[]; matches: readonly RouteMatch[] }[],
): RouteMatcher<string> {
  return compileRoutes(configOf(hosts), (route) => route.name, regex);
}

function configOf(
  hosts: readonly { domains: readonly string[]; matches: readonly RouteMatch[] }[],
): RouteConfig {
  return {
    name: 'test',
    virtualHosts: hosts.map(({ domains, matches }, host) => ({
      name: `h${host}`,
      domains,
      routes: matches.map((match, index) => ({
        name: `h${host}r${index}`,
        match,
        action: { kind: 'direct' as const, status: 200 },
      })),
    })),
  };
}

function found(match: Partial<RouteMatch>, request: Request): boolean {
  const whole = { path: { kind: 'prefix' as const, value: '/' }, ...match };
  return matcherOf([{ domains: ['*'], matches: [whole] }]).match(view(request)) === 'h0r0';
}

describe('cookies', () => {
  const is: ValueMatch = { name: 'a', match: { kind: 'exact', value: 'x' } };
  const any: ValueMatch = { name: 'a', match: { kind: 'present' } };
  // What Envoy 1.40 says of the same requests.
  it.each<[ValueMatch, readonly string[], boolean]>([
    [is, ['a=x'], true],
    [is, ['a="x"'], true],
    [is, ['a=y; a=x'], false],
    [is, ['a=x; a=y'], true],
    [is, ['b=1;a=x'], true],
    [is, ['b=1', 'a=x'], true],
    [is, ['a=y', 'a=x'], false],
    [is, [], false],
    [is, ['a'], false],
    [is, ['a =x'], false],
    [is, ['a= x'], false],
    [is, ['A=x'], false],
    [is, ['b=1; a=x;'], true],
    [is, ['a=x ;b=1'], false],
    [is, ['a=x=y'], false],
    [is, ['a=x"'], false],
    [{ ...is, invert: true }, ['a=x'], false],
    [{ ...is, invert: true }, ['a=y'], true],
    [{ ...is, invert: true }, ['a=y; a=x'], true],
    [{ ...is, invert: true }, [], true],
    [any, ['a='], true],
    [any, ['a=""'], true],
    [any, ['a'], false],
    [any, [], false],
  ])('%j of %j: %s', (cookie, lines, fits) => {
    const headers = lines.map((line) => ['Cookie', line] as const);
    expect(found({ cookies: [cookie] }, { headers })).toBe(fits);
  });

  it('must all fit, and which did not is told', () => {
    const cookies: ValueMatch[] = [is, { name: 'b', match: { kind: 'exact', value: 'y' } }];
    const matcher = matcherOf([
      { domains: ['*'], matches: [{ path: { kind: 'prefix', value: '/' }, cookies }] },
    ]);
    const request = (line: string): MatchView => view({ headers: [['cookie', line]] });
    expect(matcher.match(request('a=x; b=y'))).toBe('h0r0');
    expect(matcher.match(request('a=x; b=z'))).toBeUndefined();
    expect(matcher.explain(request('a=x; b=z'))).toMatchObject([{ failed: 'cookie', condition: 1 }]);
  });

  it('are asked by a regex like all else', () => {
    const config = configOf([
      {
        domains: ['*'],
        matches: [
          {
            path: { kind: 'prefix', value: '/' },
            cookies: [{ name: 'a', match: { kind: 'regex', value: 'x+' } }],
          },
        ],
      },
    ]);
    expect(usesRegex(config)).toBe(true);
  });
});

describe('parameters of paths', () => {
  const routes: readonly RouteMatch['path'][] = [
    { kind: 'exact', value: '/p' },
    { kind: 'prefix', value: '/q' },
    { kind: 'bytes-prefix', value: '/bytes/' },
    { kind: 'regex', value: '/r+' },
  ];
  const more = Array.from({ length: 20 }, (_, index) => ({
    kind: 'exact' as const,
    value: `/other/${index}`,
  }));
  const found = (
    paths: readonly RouteMatch['path'][],
    ignoresPathParameters: boolean,
    path: string,
  ): unknown => {
    const config: RouteConfig = {
      name: 'r',
      ignoresPathParameters,
      virtualHosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: paths.map((one, index) => ({
            name: String(index),
            match: { path: one },
            action: { kind: 'direct', status: 200 },
          })),
        },
      ],
    };
    const matcher = compileRoutes(config, ({ name }) => name, regex);
    const request = { ...view({ path }), authority: 'a.example' };
    const trials = matcher.explain(request) ?? [];
    expect(trials.find(({ failed }) => failed === undefined)?.payload).toBe(matcher.match(request));
    return matcher.match(request);
  };

  it.each([
    ['/p;x=1', '0'],
    ['/p;', '0'],
    ['/p;a;b', '0'],
    ['/p;a/b', undefined],
    ['/p%3Ba', undefined],
    ['/q;v=1/;w/a', '1'],
    ['/bytes;v=1/a', '2'],
    ['/rrr;a', '3'],
    ['/p', '0'],
  ])('%s is seen without them where that is said: %s', (path, expected) => {
    for (const paths of [routes, [...routes, ...more]]) {
      expect(found(paths, true, path)).toBe(expected);
      if (path.includes(';')) expect(found(paths, false, path)).toBe(undefined);
    }
  });
});

describe('paths', () => {
  it.each([
    ['exact', '/a', '/a', true],
    ['exact', '/a', '/a/', false],
    ['exact', '/a', '/A', false],
    ['exact', '/%63af%c3%a9', '/caf%C3%A9', true],
    ['exact', '/café', '/caf%C3%A9', true],
    ['prefix', '/a', '/a', true],
    ['prefix', '/a', '/a/b', true],
    ['prefix', '/a', '/a/', true],
    ['prefix', '/a', '/ab', false],
    ['prefix', '/a/', '/a', true],
    ['prefix', '/', '/anything', true],
    ['prefix', '/', '*', true],
    ['prefix', '/a//b', '/a/b/c', true],
    ['bytes-prefix', '/a', '/ab', true],
    ['bytes-prefix', '/a/', '/a', false],
    ['bytes-prefix', '', '/x', true],
    ['regex', '/v[0-9]+/.*', '/v12/x', true],
    ['regex', '/v[0-9]', '/v12', false],
    ['regex', 'v1', '/v1', false],
    ['regex', '/a|/ab', '/ab', true],
  ] as const)('%s %s takes %s: %s', (kind, value, path, expected) => {
    expect(found({ path: { kind, value } }, { path })).toBe(expected);
  });
});

describe('conditions', () => {
  it('on a method are exact', () => {
    expect([
      found({ method: 'GET' }, { method: 'GET' }),
      found({ method: 'GET' }, { method: 'get' }),
      found({ method: 'GET' }, { method: 'HEAD' }),
    ]).toEqual([true, false, false]);
  });

  it.each<[string, ValueMatch, readonly (readonly [string, string])[], boolean]>([
    ['one line', { name: 'X-A', match: { kind: 'exact', value: 'v' } }, [['x-A', 'v']], true],
    [
      'the second line',
      { name: 'x-a', match: { kind: 'exact', value: 'v' } },
      [
        ['x-a', 'u'],
        ['x-a', 'v'],
      ],
      true,
    ],
    [
      'lines that are never joined',
      { name: 'x-a', match: { kind: 'exact', value: 'u, v' } },
      [
        ['x-a', 'u'],
        ['x-a', 'v'],
      ],
      false,
    ],
    ['absent', { name: 'x-a', match: { kind: 'prefix', value: '' } }, [], false],
    ['inverted, absent', { name: 'x-a', match: { kind: 'exact', value: 'v' }, invert: true }, [], true],
    [
      'inverted, one of two lines matches',
      { name: 'x-a', match: { kind: 'exact', value: 'v' }, invert: true },
      [
        ['x-a', 'u'],
        ['x-a', 'v'],
      ],
      false,
    ],
    ['present', { name: 'x-a', match: { kind: 'present' } }, [['x-a', '']], true],
    ['absence wanted', { name: 'x-a', match: { kind: 'present' }, invert: true }, [['x-a', '']], false],
    [
      'case ignored',
      { name: 'x-a', match: { kind: 'contains', value: 'MID', ignoreCase: true } },
      [['x-a', 'aMiDb']],
      true,
    ],
    ['suffix', { name: 'x-a', match: { kind: 'suffix', value: 'b' } }, [['x-a', 'ab']], true],
    [
      'regex over the whole value',
      { name: 'x-a', match: { kind: 'regex', value: 'a+' } },
      [['x-a', 'aab']],
      false,
    ],
    [
      'regex ignoring case',
      { name: 'x-a', match: { kind: 'regex', value: 'a+', ignoreCase: true } },
      [['x-a', 'aAa']],
      true,
    ],
    ['underscore is no hyphen', { name: 'x-a', match: { kind: 'present' } }, [['x_a', 'v']], false],
  ])('on a header: %s', (_name, condition, headers, expected) => {
    expect(found({ headers: [condition] }, { headers })).toBe(expected);
  });

  it.each<[string | undefined, boolean]>([
    ['q=v', true],
    ['a=1&q=v', true],
    ['q=v&q=w', true],
    ['q=w&q=v', false],
    ['xq=v', false],
    ['q', false],
    ['q=%76', false],
    ['', false],
    [undefined, false],
    ['q=v=w', false],
  ])('on a query parameter look at its first value as sent: %j', (query, expected) => {
    expect(found({ query: [{ name: 'q', match: { kind: 'exact', value: 'v' } }] }, { query })).toBe(expected);
    expect(
      found({ query: [{ name: 'q', match: { kind: 'exact', value: 'v' }, invert: true }] }, { query }),
    ).toBe(!expected);
  });

  it('on a query parameter take a bare name as empty', () => {
    expect(found({ query: [{ name: 'q', match: { kind: 'exact', value: '' } }] }, { query: 'a&q&b' })).toBe(
      true,
    );
  });
});

describe('hosts', () => {
  it('are found exact first, then by the longest suffix, the longest prefix, then any; with port before without', () => {
    const domains = [
      'shop.example',
      'shop.example:8080',
      '*.example',
      '*.shop.example',
      'shop.*',
      'shop.eu.*',
      '*',
      '*:9090',
      '*.example:9090',
      '[::1]',
    ];
    const matcher = matcherOf(
      domains.map((domain) => ({ domains: [domain], matches: [{ path: { kind: 'prefix', value: '/' } }] })),
    );
    const domainOf = (authority: string): string | undefined =>
      domains[Number(/\d+/.exec(matcher.match(view({ authority })) ?? '')?.[0])];
    expect(domainOf('shop.example')).toBe('shop.example');
    expect(domainOf('shop.example:1234')).toBe('shop.example');
    expect(domainOf('shop.example:8080')).toBe('shop.example:8080');
    expect(domainOf('a.example')).toBe('*.example');
    expect(domainOf('a.example:9090')).toBe('*.example:9090');
    expect(domainOf('a.b.shop.example:9090')).toBe('*.shop.example');
    expect(domainOf('.example')).toBe('*');
    expect(domainOf('shop.org')).toBe('shop.*');
    expect(domainOf('shop.eu.org')).toBe('shop.eu.*');
    expect(domainOf('other')).toBe('*');
    expect(domainOf('other:9090')).toBe('*:9090');
    expect(domainOf('[::1]:8080')).toBe('[::1]');
  });

  it('are compared with their port where the configuration says so: no domain without one fits them then', () => {
    const domains = [
      'shop.example',
      'shop.example:8080',
      '*.example',
      '*:9090',
      '*-x.example:81',
      'shop.*',
      'other.example',
    ];
    const config = configOf(
      domains.map((domain) => ({ domains: [domain], matches: [{ path: { kind: 'prefix', value: '/' } }] })),
    );
    const matcher = compileRoutes({ ...config, comparesPorts: true }, (route) => route.name, regex);
    const domainOf = (authority: string): string | undefined =>
      domains[Number(/\d+/.exec(matcher.match(view({ authority })) ?? '')?.[0])];
    expect(domainOf('shop.example')).toBe('shop.example');
    expect(domainOf('shop.example:8080')).toBe('shop.example:8080');
    // The begin of it, port and all.
    expect(domainOf('shop.example:1234')).toBe('shop.*');
    expect(domainOf('other.example')).toBe('other.example');
    expect(domainOf('other.example:1234')).toBeUndefined();
    expect(domainOf('a.example')).toBe('*.example');
    expect(domainOf('a.example:1234')).toBeUndefined();
    expect(domainOf('a.example:9090')).toBe('*:9090');
    expect(domainOf('a-x.example:81')).toBe('*-x.example:81');
    expect(domainOf('a-x.example:82')).toBeUndefined();
  });

  it('are found by the first line of a field where one is named, and else by nothing', () => {
    const byField = (domains: readonly string[], comparesPorts = false) => {
      const config = configOf(
        domains.map((domain) => ({ domains: [domain], matches: [{ path: { kind: 'prefix', value: '/' } }] })),
      );
      const matcher = compileRoutes(
        { ...config, comparesPorts, hostHeader: 'X-Vh' },
        (route) => route.name,
        regex,
      );
      return {
        matcher,
        of: (...values: readonly string[]): string | undefined =>
          domains[
            Number(
              /\d+/.exec(
                matcher.match(
                  view({ authority: 'a.example', headers: values.map((value) => ['x-vh', value] as const) }),
                ) ?? '',
              )?.[0],
            )
          ],
      };
    };
    const { matcher, of } = byField(['a.example', '*.example', 'b.*', '*']);
    expect([
      of('A.example'),
      of('x.example:81'),
      of('b.test'),
      of('other'),
      of(''),
      of('b.test', 'a.example'),
      of(),
    ]).toEqual(['a.example', '*.example', 'b.*', '*', '*', 'b.*', undefined]);
    const bare = view({ authority: 'a.example' });
    expect(matcher.explain(bare)).toBeUndefined();
    // Of a decision that is over the field is not known any more.
    const [found] = matcher.payloads;
    expect(matcher.explain(bare, found)?.map(({ payload }) => payload)).toEqual([found]);
    expect(byField(['a.example', '*'], true).of('a.example:81')).toBe('*');
    expect(byField(['*']).of()).toBe('*');
  });

  it('without a domain find nothing', () => {
    expect(
      matcherOf([{ domains: ['a.example'], matches: [{ path: { kind: 'prefix', value: '/' } }] }]).match(
        view({ authority: 'b.example' }),
      ),
    ).toBeUndefined();
  });
});

const PATHS = ['/', '/a', '/a/b', '/ab', '/a/b/c', '/abc', '/b', '/b/', '/c/1', '/c/12'];
const arbitraryMatch = fc.record(
  {
    path: fc.oneof(
      fc.record({
        kind: fc.constantFrom('exact' as const, 'prefix' as const, 'bytes-prefix' as const),
        value: fc.constantFrom(...PATHS),
      }),
      fc.record({ kind: fc.constant('regex' as const), value: fc.constantFrom('/c/[0-9]', '/a.*', '.*') }),
    ),
    method: fc.constantFrom('GET', 'POST'),
    headers: fc.constantFrom(
      [{ name: 'x', match: { kind: 'present' as const } }],
      [{ name: 'x', match: { kind: 'exact' as const, value: '1' }, invert: true }],
    ),
    query: fc.constant([{ name: 'q', match: { kind: 'exact' as const, value: '1' } }]),
  },
  { requiredKeys: ['path'] },
) as fc.Arbitrary<RouteMatch>;

describe('many routes', () => {
  it('give the very route that a loop over all of them would', () => {
    const request = fc.record({
      path: fc.constantFrom(...PATHS, '/zzz', '*'),
      method: fc.constantFrom('GET', 'POST'),
      query: fc.constantFrom(undefined, 'q=1', 'q=2'),
      headers: fc.constantFrom<[string, string][]>(
        [],
        [['x', '1']],
        [
          ['x', '2'],
          ['x', '1'],
        ],
      ),
    });
    fc.assert(
      fc.property(
        fc.array(arbitraryMatch, { minLength: 13, maxLength: 40 }),
        fc.array(request, { minLength: 1, maxLength: 10 }),
        (matches, requests) => {
          const indexed = matcherOf([{ domains: ['*'], matches }]);
          // One route alone is simply tried: the loop is the specification.
          const alone = matches.map((match) => matcherOf([{ domains: ['*'], matches: [match] }]));
          for (const one of requests) {
            const first = alone.findIndex((matcher) => matcher.match(view(one)) !== undefined);
            expect(indexed.match(view(one))).toBe(first === -1 ? undefined : `h0r${first}`);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('try only those whose path can match', () => {
    let reads = 0;
    const counting = {
      ...view({ path: '/service-777/x' }),
      get method() {
        reads += 1;
        return 'GET';
      },
    };
    const matches = Array.from({ length: 1_000 }, (_, index): RouteMatch => ({
      path: { kind: 'prefix', value: `/service-${index}` },
      method: 'GET',
    }));
    expect(matcherOf([{ domains: ['*'], matches }]).match(counting)).toBe('h0r777');
    expect(reads).toBe(1);
  });
});

describe('a wrong configuration', () => {
  it('is refused with every issue and its path', () => {
    const matches: RouteMatch[] = [
      { path: { kind: 'regex', value: '(a' } },
      { path: { kind: 'exact', value: 'relative' } },
      { path: { kind: 'prefix', value: '/a%2Fb' } },
      {
        path: { kind: 'prefix', value: '/' },
        headers: [{ name: 'x', match: { kind: 'regex', value: '(?=a)' } }],
        query: [{ name: 'q', match: { kind: 'regex', value: 'x'.repeat(1_025) } }],
      },
    ];
    let caught: unknown;
    try {
      matcherOf([
        { domains: ['*', 'a.*.b', ''], matches },
        { domains: ['*', 'A.example', 'a.example.'], matches: [] },
      ]);
    } catch (error) {
      caught = error;
    }
    expect(isTulleError(caught) && caught.issues.map((issue) => issue.path)).toEqual([
      '/virtualHosts/0/routes/0/match/path/value',
      '/virtualHosts/0/routes/1/match/path/value',
      '/virtualHosts/0/routes/2/match/path/value',
      '/virtualHosts/0/routes/3/match/headers/0/match/value',
      '/virtualHosts/0/routes/3/match/query/0/match/value',
      '/virtualHosts/0/domains/1',
      '/virtualHosts/0/domains/2',
      '/virtualHosts/1/domains/0',
      '/virtualHosts/1/domains/2',
    ]);
    expect(String(caught)).toMatch(/missing closing \)/);
  });

  it('says when it needs the regex engine', () => {
    const config = configOf([{ domains: ['*'], matches: [{ path: { kind: 'regex', value: '/a' } }] }]);
    expect(usesRegex(config)).toBe(true);
    expect(() => compileRoutes(config, () => 0)).toThrow(/loadRegexEngine/);
    expect(
      usesRegex(configOf([{ domains: ['*'], matches: [{ path: { kind: 'exact', value: '/a' } }] }])),
    ).toBe(false);
  });

  it('with a route name twice is refused', () => {
    const route = {
      name: 'same',
      match: { path: { kind: 'prefix' as const, value: '/' } },
      action: { kind: 'direct' as const, status: 200 },
    };
    const config: RouteConfig = {
      name: 'r',
      virtualHosts: [{ name: 'h', domains: ['*'], routes: [route, route] }],
    };
    expect(() => compileRoutes(config, () => 0)).toThrow(/names another route too/);
  });
});

it('a route for gRPC takes gRPC requests only, few routes or many', () => {
  const path = { kind: 'bytes-prefix', value: '/a.B/' } as const;
  const others = Array.from({ length: 20 }, (_, n): RouteMatch => ({
    path: { kind: 'exact', value: `/${n}` },
  }));
  for (const more of [[], others]) {
    const matcher = matcherOf([{ domains: ['*'], matches: [{ path, grpc: true }, ...more, { path }] }]);
    const at = (contentType?: string): unknown =>
      matcher.match(
        view({
          path: '/a.B/C',
          headers: contentType === undefined ? [] : [['content-type', contentType]],
        }),
      );
    const [grpc, last] = [matcher.payloads[0], matcher.payloads.at(-1)];
    for (const type of ['application/grpc', 'application/grpc+proto', 'application/grpc; charset=utf-8'])
      expect([type, at(type)]).toEqual([type, grpc]);
    for (const type of [undefined, 'application/json', 'application/grpc-web', 'application/grpcx'])
      expect([type, at(type)]).toEqual([type, last]);
    expect(matcher.explain(view({ path: '/a.B/C' }))?.[0]).toMatchObject({ failed: 'grpc' });
  }
});
