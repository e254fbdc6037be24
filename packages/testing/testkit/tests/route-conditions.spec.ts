import { addMetadata, CONTINUE, putFilterState } from '@tulle/filter';
import type { AuthzMetadataTest, Route, RouteMatch } from '@tulle/model';
import { httpListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { Caller, TestRequest } from '../src/index.ts';
import { filter, started } from './support.ts';

const ALL: RouteMatch['path'] = { kind: 'prefix', value: '/' };

/** Which of the routes, in order, each request takes; `none` for 404. */
async function taken(
  matches: readonly RouteMatch[],
  requests: readonly (TestRequest & { readonly from?: Caller })[],
  more: {
    readonly random?: () => number;
    readonly tls?: boolean;
    readonly filters?: Parameters<typeof httpListener>[0]['filters'];
  } = {},
): Promise<string[]> {
  const routes = matches.map((match, index): Route => ({
    name: `r${index}`,
    match,
    action: { kind: 'direct', status: 200, body: `r${index}` },
  }));
  const test = await started({
    listeners: [
      httpListener({
        port: 8080,
        routes,
        allowConnect: true,
        ...(more.filters && { filters: more.filters }),
        ...(more.tls === true && {
          tls: {
            certificate: { kind: 'workload' as const },
            trust: { kind: 'mesh' as const },
            clientCertificate: 'accept' as const,
          },
        }),
      }),
    ],
    clusters: [],
    ...(more.random && { random: more.random }),
  });
  const found: string[] = [];
  for (const { from, ...request } of requests) {
    const response = await test.client(from).request(request);
    found.push(response.status === 200 ? response.body : 'none');
  }
  return found;
}

/** Who asks is found out when a route is there already, and asked for once more. */
const findsOut = filter('finds-out', {
  requestHeaders(stream) {
    const [name = '', role = ''] = (stream.request.headers.get('x-who') ?? '').split(',');
    if (name !== '') addMetadata(stream, 'own', { who: { name }, role });
    stream.rematch();
    return CONTINUE;
  },
})({});

/** Texts about a request; whether it is matched again then. */
const putsDown = (again: boolean) =>
  filter('puts-down', {
    requestHeaders(stream) {
      const [tenant = '', from = ''] = (stream.request.headers.get('x-put') ?? '').split(',');
      if (tenant !== '') putFilterState(stream, 'tenant', tenant);
      if (from !== '') putFilterState(stream, 'from', from);
      if (again) stream.rematch();
      return CONTINUE;
    },
  })({});

const header = (name: string, value: string): TestRequest => ({ headers: { [name]: value } });

describe('a route', () => {
  it('asks for pseudo-headers, of which the path has its query', async () => {
    const matches: RouteMatch[] = [
      { path: ALL, headers: [{ name: ':method', match: { kind: 'regex', value: 'PUT|DELETE' } }] },
      { path: ALL, headers: [{ name: ':authority', match: { kind: 'suffix', value: '.example.org' } }] },
      { path: ALL, headers: [{ name: ':path', match: { kind: 'contains', value: '?x=' } }] },
      { path: ALL, headers: [{ name: ':scheme', match: { kind: 'exact', value: 'https' } }] },
    ];
    expect(
      await taken(matches, [
        { method: 'PUT' },
        { method: 'PATCH', headers: { host: 'a.example.org' } },
        { path: '/a?x=1' },
        { path: '/a?y=1' },
      ]),
    ).toEqual(['r0', 'r1', 'r2', 'none']);
  });

  it('takes whole numbers of a range, and no other text', async () => {
    const match = { kind: 'range', from: -1, to: 10 } as const;
    const matches: RouteMatch[] = [{ path: ALL, headers: [{ name: 'x-n', match }] }];
    const values = ['-1', '9', '+3', '10', '-2', '1.5', '', '0x1', '9a'];
    expect(
      await taken(
        matches,
        values.map((value) => header('x-n', value)),
      ),
    ).toEqual(['r0', 'r0', 'r0', ...Array.from({ length: 6 }, () => 'none')]);
  });

  it('says what an absent field is where a condition is inverted', async () => {
    const inverted = (absent?: 'fails' | 'empty', value = 'a'): RouteMatch[] => [
      {
        path: ALL,
        headers: [{ name: 'x', match: { kind: 'exact', value }, invert: true, ...(absent && { absent }) }],
      },
    ];
    const requests = [{}, header('x', 'a'), header('x', 'b')];
    expect(await taken(inverted(), requests)).toEqual(['r0', 'none', 'r0']);
    expect(await taken(inverted('fails'), requests)).toEqual(['none', 'none', 'r0']);
    expect(await taken(inverted('empty'), requests)).toEqual(['r0', 'none', 'r0']);
    expect(await taken(inverted('empty', ''), [{}])).toEqual(['none']);
  });

  it('compares paths in any case where it is told to', async () => {
    const matches: RouteMatch[] = [
      { path: { kind: 'exact', value: '/Exact', ignoreCase: true } },
      { path: { kind: 'prefix', value: '/Pre', ignoreCase: true } },
      { path: { kind: 'bytes-prefix', value: '/By', ignoreCase: true } },
      { path: { kind: 'exact', value: '/Case' } },
    ];
    const paths = ['/eXACT', '/pRE/x', '/prefix', '/bYtes', '/case', '/Case'];
    // With many routes they are found by hash, and these are not.
    const many = Array.from({ length: 20 }, (_, index): RouteMatch => ({
      path: { kind: 'exact', value: `/other/${index}` },
    }));
    for (const list of [matches, [...matches, ...many]])
      expect(
        await taken(
          list,
          paths.map((path) => ({ path })),
        ),
      ).toEqual(['r0', 'r1', 'none', 'r2', 'none', 'r3']);
  });

  it('matches by a template of paths', async () => {
    const matches: RouteMatch[] = [
      { path: { kind: 'template', value: '/users/{id}/files/{file=**}' } },
      { path: { kind: 'template', value: '/v1/*/{kind=shelves/*}' } },
    ];
    const paths = ['/users/7/files/a/b', '/users/7/files', '/users/7/x', '/v1/a/shelves/9', '/v1/a/b/9'];
    expect(
      await taken(
        matches,
        paths.map((path) => ({ path })),
      ),
    ).toEqual(['r0', 'none', 'none', 'r1', 'none']);
  });

  it('takes a share of the requests, by one draw for all routes', async () => {
    let drawn = 0;
    const random = (): number => drawn;
    const matches: RouteMatch[] = [
      { path: ALL, percent: 20 },
      { path: ALL, percent: 50 },
      { path: { kind: 'exact', value: '/never' }, percent: 0 },
    ];
    const found: string[] = [];
    for (drawn of [0.1, 0.3, 0.6])
      found.push(...(await taken(matches, [{}, { path: '/never' }], { random })));
    expect(found).toEqual(['r0', 'r0', 'r1', 'r1', 'none', 'none']);
  });

  it('is for callers that proved who they are, or for others', async () => {
    const matches: RouteMatch[] = [
      { path: ALL, provenPeer: true },
      { path: ALL, provenPeer: false },
    ];
    const identity = 'spiffe://mesh.test/ns/default/sa/web';
    expect(
      await taken(matches, [{ from: { tls: { identity } } }, { from: { tls: {} } }], { tls: true }),
    ).toEqual(['r0', 'r1']);
  });

  it('is for requests of which filters found something out, when they ask for it', async () => {
    const test = (text: string): AuthzMetadataTest => ({
      namespace: 'own',
      path: ['who', 'name'],
      value: { text: { kind: 'regex', value: text } },
    });
    const matches: RouteMatch[] = [
      {
        path: ALL,
        metadata: [
          test('ann?a'),
          { namespace: 'own', path: ['role'], value: { text: { kind: 'exact', value: 'cook' } } },
        ],
      },
      { path: ALL, metadata: [{ ...test('.*'), invert: true }] },
      { path: ALL },
    ];
    const requests = ['anna,cook', 'anna,guest', 'constructor,cook', ''].map((who) => header('x-who', who));
    expect(await taken(matches, requests, { filters: [findsOut] })).toEqual(['r0', 'r2', 'r2', 'r1']);
  });

  it('is for requests of which filters put something down, when they ask for it', async () => {
    const matches: RouteMatch[] = [
      {
        path: ALL,
        filterState: [
          { key: 'tenant', match: { kind: 'regex', value: 'ac.e' } },
          { key: 'from', cidrs: ['10.0.0.0/8', 'fd00::/8'] },
        ],
      },
      { path: ALL, filterState: [{ key: 'tenant', match: { kind: 'prefix', value: '' } }] },
      { path: ALL },
    ];
    const requests = [
      'acme,10.1.2.3:80',
      'acme,[fd00::1]:9',
      'acme,11.1.2.3:80',
      'acme,nowhere',
      'other,10.1.2.3',
      '',
    ].map((what) => header('x-put', what));
    expect(await taken(matches, requests, { filters: [putsDown(true)] })).toEqual([
      'r0',
      'r0',
      'r1',
      'r1',
      'r1',
      'r2',
    ]);
    expect(await taken(matches, requests.slice(0, 1), { filters: [putsDown(false)] })).toEqual(['r2']);
  });

  it('is for CONNECT, which other methods do not take', async () => {
    const matches: RouteMatch[] = [{ path: { kind: 'connect', value: '' } }, { path: ALL }];
    expect(await taken(matches, [{ path: '/' }])).toEqual(['r1']);
  });

  it('is refused with the place where a condition is none', async () => {
    await expect(
      taken([{ path: ALL, headers: [{ name: ':protocol', match: { kind: 'present' } }] }], []),
    ).rejects.toThrow(/headers\/0\/name ":protocol" is no pseudo-header/);
    await expect(taken([{ path: { kind: 'template', value: '/a/{b=**}/c' } }], [])).rejects.toThrow(
      /path\/value .*\*\* stands last/,
    );
    await expect(taken([{ path: { kind: 'regex', value: '/a', ignoreCase: true } }], [])).rejects.toThrow(
      /ignoreCase means nothing with regex/,
    );
  });
});
