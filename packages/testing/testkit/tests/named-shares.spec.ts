import type { ForwardAction, Route } from '@tulle/model';
import { cluster, httpListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import { started } from './support.ts';

describe('a share of a split that requests name', () => {
  const ROUTE: Route = {
    name: 'split',
    match: { path: { kind: 'prefix', value: '/' } },
    action: {
      kind: 'forward',
      splitHeader: 'x-pick',
      clusters: [
        { name: 'a' },
        {
          clusterHeader: 'X-To',
          host: 'own.example',
          requestHeaders: { add: [{ name: 'x-own', value: '1' }] },
          responseHeaders: { add: [{ name: 'x-out', value: '1' }] },
        },
      ],
    },
  };

  it('leads to that cluster with the edits of the share, and is 503 where there is none of the name', async () => {
    const echo = (request: { header(name: string): string | undefined }) => ({
      body: `${request.header('host')} ${request.header('x-own') ?? 'none'}`,
    });
    const test = await started({
      listeners: [httpListener({ port: 8080, routes: [ROUTE] })],
      clusters: [cluster('a', ['10.0.0.1:80']), cluster('b', ['10.0.0.2:80'])],
      upstreams: { '10.0.0.1:80': echo, '10.0.0.2:80': echo },
    });
    const of = async (headers: Record<string, string>): Promise<unknown[]> => {
      const { status, body, header } = await test
        .client()
        .request({ headers: { host: 'x.example', ...headers } });
      return [status, status === 200 ? body : '', header('x-out')];
    };
    expect([
      await of({ 'x-pick': '0', 'x-to': 'b' }),
      await of({ 'x-pick': '1', 'x-to': 'b' }),
      await of({ 'x-pick': '1', 'x-to': 'a' }),
      await of({ 'x-pick': '1', 'x-to': 'constructor' }),
      await of({ 'x-pick': '1' }),
    ]).toEqual([
      [200, 'x.example none', undefined],
      [200, 'own.example 1', '1'],
      [200, 'own.example 1', '1'],
      [503, '', '1'],
      [503, '', '1'],
    ]);
    expect(test.records.map((record) => record.cluster)).toEqual(['a', 'b', 'a', '', '']);
  });
});

it('leads to a cluster that went and came back, for as long as the route stands', async () => {
  const named = (value: string, action: Pick<ForwardAction, 'clusters' | 'clusterHeader'>): Route => ({
    name: value,
    match: { path: { kind: 'prefix', value } },
    action: { kind: 'forward', ...action },
  });
  const test = await started({
    listeners: [
      httpListener({
        port: 8080,
        routes: [
          named('/header', { clusters: [], clusterHeader: 'x-to' }),
          named('/share', { clusters: [{ clusterHeader: 'x-to' }] }),
        ],
      }),
    ],
    clusters: [cluster('api', ['10.0.0.1:80'])],
    upstreams: { '10.0.0.1:80': () => ({ body: 'here' }) },
  });
  const statuses = async (): Promise<number[]> =>
    Promise.all(
      ['/header', '/share'].map(
        async (path) => (await test.client().request({ path, headers: { 'x-to': 'api' } })).status,
      ),
    );
  const { config } = test.proxy;
  expect(await statuses()).toEqual([200, 200]);
  await test.proxy.update({ ...config, version: '2', clusters: [] });
  expect(await statuses()).toEqual([503, 503]);
  await test.proxy.update({ ...config, version: '3' });
  expect(await statuses()).toEqual([200, 200]);
});
