import { cluster, httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { UpstreamRequest } from '../src/index.ts';
import { simple, started } from './support.ts';

const GATEWAY = 'spiffe://mesh.local/ns/edge/sa/gateway';
const OTHER = 'spiffe://mesh.local/ns/default/sa/web';
const ADMIN = 'URI=spiffe://mesh.local/ns/a/sa/admin';

/** Every way to claim an identity or an earlier hop that is known to work somewhere. */
const CLAIMS: readonly (readonly [string, string])[] = [
  'Forwarded',
  'X-Forwarded',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Port',
  'X-Forwarded-Proto',
  'X-Forwarded-User',
  'X-Forwarded-Prefix',
  'X-Forwarded-Client-Cert',
  'X-Real-IP',
  'X-Client-IP',
  'X-Cluster-Client-IP',
  'True-Client-IP',
  'X-Original-URL',
  'X-Original-Forwarded-For',
  'X-Rewrite-URL',
  'X-Envoy-Original-Path',
  'X-Envoy-External-Address',
  'X-Tulle-Unsent',
  'X_Forwarded_For',
  'X_Forwarded_Client_Cert',
  'X-Forwarded_Client-Cert',
  'X_Real_IP',
  'True_Client_IP',
  'x_tulle_anything',
].map((name) => [name, name.toLowerCase().endsWith('cert') ? ADMIN : '6.6.6.6'] as const);

const tls = {
  certificate: { kind: 'workload' as const },
  trust: { kind: 'mesh' as const },
  clientCertificate: 'accept' as const,
};

/** Fields of a request that were not there before, but for those of every request. */
function claims(request: UpstreamRequest | undefined): (readonly [string, string])[] {
  const usual = ['host', 'x-request-id', 'transfer-encoding', 'content-length'];
  return (request?.headers ?? []).filter(([name]) => !usual.includes(name));
}

describe('what a caller claims of itself', () => {
  it('reaches nobody, however it is spelt; what the connection proves does', async () => {
    const test = await simple({ handler: { tls } });
    await test.client({ host: '192.0.2.7', tls: { identity: OTHER } }).request({
      headers: [...CLAIMS, ...CLAIMS.slice(0, 5), ['x-mine', 'stays'], ['x_mine', 'stays too']],
    });
    expect(claims(test.upstream('10.0.0.1:80').requests[0])).toEqual([
      ['x-mine', 'stays'],
      ['x_mine', 'stays too'],
      ['x-forwarded-for', '192.0.2.7'],
      ['x-forwarded-proto', 'https'],
      ['x-forwarded-client-cert', `URI=${OTHER}`],
    ]);
  });

  it('is no more believed behind the body', async () => {
    const test = await simple();
    await test.client().request({
      method: 'POST',
      chunks: ['abc'],
      trailers: { ...Object.fromEntries(CLAIMS), 'x-checksum': '1' },
    });
    expect(test.upstream('10.0.0.1:80').requests[0]?.trailers).toEqual([['x-checksum', '1']]);
  });

  it('passes where only the workload itself can connect', async () => {
    const test = await simple({ handler: { identityHeaders: 'keep' } });
    await test.client().request({
      method: 'POST',
      headers: [['X-Forwarded-For', '10.9.9.9']],
      chunks: ['a'],
      trailers: { 'x-forwarded-user': 'u' },
    });
    const [request] = test.upstream('10.0.0.1:80').requests;
    expect([request?.headerAll('x-forwarded-for'), request?.trailers]).toEqual([
      ['10.9.9.9'],
      [['x-forwarded-user', 'u']],
    ]);
  });

  describe('holds by the identity of the peer that forwards it', () => {
    const forwarded = {
      'X-Forwarded-For': '203.0.113.9, 203.0.113.10',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Client-Cert': `By=spiffe://x;${ADMIN}`,
    };
    const ask = async (
      trustedForwarders: readonly string[],
      identity: string | undefined,
      headers: Record<string, string> = forwarded,
    ): Promise<unknown> => {
      const test = await simple({ handler: { tls, trustedForwarders } });
      await test
        .client({ host: '192.0.2.7', tls: identity === undefined ? {} : { identity } })
        .request({ headers });
      const [request] = test.upstream('10.0.0.1:80').requests;
      return ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-client-cert'].map((name) =>
        request?.headerAll(name),
      );
    };

    it.each([[GATEWAY], ['spiffe://mesh.local/ns/edge/*']])('%s', async (pattern) => {
      expect(await ask([pattern], GATEWAY)).toEqual([
        ['203.0.113.9, 203.0.113.10, 192.0.2.7'],
        ['https'],
        [`By=spiffe://x;${ADMIN},URI=${GATEWAY}`],
      ]);
      expect(await ask([pattern], GATEWAY, {})).toEqual([['192.0.2.7'], ['https'], [`URI=${GATEWAY}`]]);
    });

    it.each([
      ['another identity', OTHER],
      ['one whose name only begins alike', `${GATEWAY}-evil`],
      ['none', undefined],
    ])('not of %s', async (_what, identity) => {
      expect(await ask([GATEWAY], identity)).toEqual([
        ['192.0.2.7'],
        ['https'],
        identity === undefined ? [] : [`URI=${identity}`],
      ]);
    });

    it('which must be one', async () => {
      await expect(ask(['gateway', 'spiffe://*'], GATEWAY)).rejects.toMatchObject({
        issues: [
          { path: '/listeners/0/filterChains/0/handler/trustedForwarders/0' },
          { path: '/listeners/0/filterChains/0/handler/trustedForwarders/1' },
        ],
      });
    });
  });
});

describe('parameters of path segments', () => {
  const guarded = (pathParameters?: 'keep' | 'strip' | 'refuse') =>
    started({
      listeners: [
        httpListener({
          port: 8080,
          ...(pathParameters === undefined ? {} : { pathParameters }),
          routes: [route('/admin', { kind: 'direct', status: 403 }), route('/', 'api')],
        }),
      ],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      upstreams: { '10.0.0.1:80': (request) => ({ body: request.target }) },
    });
  const ask = async (
    how: 'keep' | 'strip' | 'refuse' | undefined,
    paths: readonly string[],
  ): Promise<(string | number)[]> => {
    const client = (await guarded(how)).client();
    const found: (string | number)[] = [];
    for (const path of paths) {
      const { status, body } = await client.request({ path });
      found.push(status === 200 ? body : status);
    }
    return found;
  };
  const EVASIONS = ['/admin;x=1', '/admin;', '/;x/admin', '/x;y/../admin;z/', '/admin;a/b?q=;c'];

  it('are part of the path unless the listener says otherwise', async () => {
    expect(await ask(undefined, ['/admin;x=1', '/a;b'])).toEqual(['/admin;x=1', '/a;b']);
  });

  it('are removed before the route is matched, and for the origin', async () => {
    expect(await ask('strip', EVASIONS)).toEqual([403, 403, 403, 403, 403]);
    expect(await ask('strip', ['/a;b/c;d?e;f', '/a;b/', '/;', '/a/b'])).toEqual([
      '/a/c?e;f',
      '/a/',
      '/',
      '/a/b',
    ]);
    expect(await ask('strip', ['/admin%3Bx', '/a%3b'])).toEqual([400, 400]);
  });

  it('are refused', async () => {
    expect(await ask('refuse', [...EVASIONS, '/admin%3Bx', '/a;'])).toEqual([
      400, 400, 400, 400, 400, 400, 400,
    ]);
    expect(await ask('refuse', ['/a?b;c'])).toEqual(['/a?b;c']);
  });
});

describe('Max-Forwards', () => {
  it.each([
    ['TRACE', 405],
    ['OPTIONS', 204],
  ])('ends %s at 0 here, and counts down before', async (method, status) => {
    const test = await simple();
    const client = test.client();
    const ask = (value: string) => client.request({ method, headers: { 'max-forwards': value } });
    const answer = await ask('0');
    expect([answer.status, answer.header('allow'), answer.body]).toEqual([status, 'OPTIONS', '']);
    expect(test.upstream('10.0.0.1:80').requests).toHaveLength(0);
    expect((await ask('3')).status).toBe(200);
    expect((await ask('soon')).status).toBe(200);
    expect(test.upstream('10.0.0.1:80').requests.map((one) => one.headerAll('max-forwards'))).toEqual([
      ['2'],
      ['soon'],
    ]);
  });

  it('means nothing for other methods', async () => {
    const test = await simple();
    await test.client().request({ headers: { 'max-forwards': '0' } });
    expect(test.upstream('10.0.0.1:80').requests[0]?.header('max-forwards')).toBe('0');
  });
});
