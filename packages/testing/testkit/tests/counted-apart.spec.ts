import { DELIVER, RETRY } from '@tulle/filter';
import { httpListener, route } from '@tulle/proxy';
import type { VirtualCluster } from '@tulle/model';
import { expect, it } from 'vitest';
import { filter, started } from './support.ts';

const KINDS: readonly VirtualCluster[] = [
  { name: 'posts', headers: [{ name: ':method', match: { kind: 'exact', value: 'POST' } }] },
  { name: 'old', headers: [{ name: ':path', match: { kind: 'prefix', value: '/old' } }] },
];

/** Repeats what failed, once. */
const again = filter(
  'again',
  { attemptEnd: ({ attempt }) => (attempt.number === 1 && attempt.status === 503 ? RETRY : DELIVER) },
  { scope: 'attempt' },
)({});

it('requests are counted by route and by the first kind that they are of, as they came', async () => {
  let asked = 0;
  const action = { kind: 'forward' as const, clusters: [{ name: 'api' }] };
  const test = await started({
    listeners: [
      httpListener({
        host: '127.0.0.1',
        port: 8080,
        filters: [again],
        routes: {
          virtualHosts: [
            {
              name: 'shop',
              domains: ['*'],
              virtualClusters: KINDS,
              routes: [
                {
                  ...route('/old', 'api'),
                  statPrefix: 'legacy',
                  action: { ...action, rewrite: { path: { kind: 'prefix', value: '/new' } } },
                },
                { ...route('/here', 'api'), action: { kind: 'direct', status: 200 } },
                route('/', 'api'),
              ],
            },
            { name: 'plain', domains: ['plain.example'], routes: [{ ...route('/', 'api'), name: 'p' }] },
          ],
        },
      }),
    ],
    clusters: [
      {
        name: 'api',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
      },
    ],
    upstreams: {
      '10.0.0.1:80': ({ target }) => ({ status: target === '/new/flaky' && asked++ === 0 ? 503 : 201 }),
    },
  });
  const client = test.client();
  await client.request({ path: '/old/a' });
  const repeated = client.request({ path: '/old/flaky' });
  await test.clock.advance(1_000);
  await repeated;
  await client.request({ method: 'POST', path: '/old/b', body: 'x' });
  await client.request({ path: '/c' });
  await client.request({ path: '/here' });
  await client.request({ path: '/', headers: { host: 'plain.example' } });
  const of = (name: string, scope: string, own: string, more = {}): number =>
    test.meter.value(`tulle_vhost_upstream_rq_${name}`, {
      virtual_host: 'shop',
      scope,
      name: own,
      ...more,
    }) ?? 0;
  const created = { response_code: '201' };
  expect(of('code_total', 'route', 'legacy', created)).toBe(3);
  expect(of('total', 'route', 'legacy')).toBe(4);
  expect(of('code_total', 'vcluster', 'old', created)).toBe(2);
  expect(of('retry_total', 'vcluster', 'old')).toBe(1);
  expect(of('retry_success_total', 'vcluster', 'old')).toBe(1);
  expect(of('code_total', 'vcluster', 'posts', created)).toBe(1);
  expect(of('retry_total', 'vcluster', 'posts')).toBe(0);
  expect(of('code_total', 'vcluster', 'other', created)).toBe(1);
});
