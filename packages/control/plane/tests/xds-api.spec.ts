import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  createApi,
  createControlPlane,
  createLoadReports,
  createXdsServer,
  type Api,
  type XdsServer,
} from '../src/index.ts';
import { noMeter } from '@tulle/telemetry';

const CLUSTER = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
const NODE = encodeURIComponent('spiffe://mesh/ns/default/sa/web~1');
const plane = createControlPlane({ trustDomain: 'mesh.local' });

let xds: XdsServer;
let api: Api;

beforeEach(async () => {
  xds = await createXdsServer();
  api = createApi({ controlPlane: plane, xds, loadReports: createLoadReports(noMeter) });
});

afterEach(async () => {
  await api.close();
  await xds.close();
});

async function call(
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  url: string,
  body?: object | string,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await api.app.inject({
    method,
    url: `/api/v1${url}`,
    ...(body === undefined
      ? {}
      : {
          headers: { 'content-type': 'application/json' },
          payload: typeof body === 'string' ? body : JSON.stringify(body),
        }),
  });
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() };
}

it('a resource is put, read and deleted by node, type and name, in every spelling of the type', async () => {
  const path = `/xds/${NODE}/cluster/${encodeURIComponent('outbound|80||a/b')}`;
  expect(await call('PUT', path, { name: 'outbound|80||a/b', lb_policy: 'RING_HASH' })).toEqual({
    status: 200,
    body: { version: '1' },
  });
  for (const type of ['cluster', 'clusters', 'envoy.config.cluster.v3.Cluster', encodeURIComponent(CLUSTER)])
    expect((await call('GET', path.replace('/cluster/', `/${type}/`))).body).toMatchObject({
      typeUrl: CLUSTER,
      resource: { '@type': CLUSTER, name: 'outbound|80||a/b', lb_policy: 'RING_HASH' },
    });
  expect((await call('GET', `/xds/${NODE}`)).body).toMatchObject({ version: '1', resources: [{}] });
  expect(await call('DELETE', path)).toMatchObject({ status: 200 });
  expect(await call('DELETE', path)).toMatchObject({ status: 404 });
  expect(await call('GET', path)).toMatchObject({ status: 404 });
  expect(await call('GET', `/xds/${NODE}/klaster/a`)).toMatchObject({
    status: 404,
    body: { hint: 'say a word such as cluster, the name of a message, or a type URL' },
  });
});

it('a set is put whole or in part, and forgotten', async () => {
  const clusters = (...names: string[]): object => ({
    resources: names.map((name) => ({ '@type': CLUSTER, name })),
  });
  expect(await call('PUT', '/xds/*?version=v1', clusters('a', 'b'))).toEqual({
    status: 200,
    body: { version: 'v1' },
  });
  expect(await call('POST', '/xds/*?version=v2', clusters('c'))).toMatchObject({ status: 200 });
  const names = async (): Promise<unknown> =>
    ((await call('GET', '/xds/*')).body['resources'] as { name: string }[]).map(({ name }) => name);
  expect(await names()).toEqual(['a', 'b', 'c']);
  await call('PUT', '/xds/*', clusters('d'));
  expect(await names()).toEqual(['d']);
  expect((await call('GET', '/xds')).body).toMatchObject({
    items: [{ node: '*', state: 'disconnected', set: 'own', resources: 0 }],
  });
  expect((await call('GET', '/xds/*/status')).body).toMatchObject({ node: '*', streams: [] });
  expect(await call('DELETE', '/xds/*')).toEqual({ status: 200, body: { removed: '*' } });
  expect(await call('DELETE', '/xds/*')).toMatchObject({ status: 404 });
  expect((await call('GET', '/load-reports')).body).toEqual({ items: [] });
});

it('what is wrong is said with its place, and nothing is changed', async () => {
  const wrong: readonly [string, object | string, number, unknown][] = [
    ['/xds/n', '{', 400, { code: 'TULLE_API_BODY' }],
    ['/xds/n', [], 400, { detail: 'the body is no object' }],
    ['/xds/n', { resources: {} }, 400, { detail: 'resources is no list' }],
    ['/xds/n', { resource: [] }, 400, { detail: '"resource" is no field of a set' }],
    [
      '/xds/n',
      { resources: [5, null, { $typeName: 'envoy.config.cluster.v3.Cluster', name: 7 }] },
      422,
      { faults: [{ path: '/resources/0' }, { path: '/resources/1' }, { path: '/resources/2' }] },
    ],
    ['/xds/n?missing=maybe', { resources: [] }, 400, { detail: 'missing is "maybe"' }],
    ['/xds/n/cluster/a', { '@type': CLUSTER.replace('cluster.v3.Cluster', 'listener.v3.Listener') }, 400, {}],
    [
      '/xds/n/cluster/a',
      { name: 'a', load_assignment: { endpoints: [{ lb_endpoint: [] }] } },
      422,
      {
        faults: [
          {
            path: '/load_assignment/endpoints/0/lb_endpoint',
            message:
              'is no field of envoy.config.endpoint.v3.LocalityLbEndpoints; did you mean lb_endpoints?',
          },
        ],
      },
    ],
    ['/xds/n/cluster/a', { name: 'b' }, 422, { faults: [{ path: '/name' }] }],
    [
      '/xds/n/cluster/a',
      { name: 'a', type: 'EDS', eds_cluster_config: { eds_config: { ads: {} } } },
      409,
      {
        faults: [{ path: '/cluster/a/eds_cluster_config' }],
        hint: 'put what is named first, or say ?missing=allow',
      },
    ],
  ];
  for (const [path, body, status, expected] of wrong)
    expect(await call('PUT', path, body), JSON.stringify(body)).toMatchObject({ status, body: expected });
  expect(xds.nodes()).toEqual([]);
  const eds = { name: 'a', type: 'EDS', eds_cluster_config: { eds_config: { ads: {} } } };
  expect(await call('PUT', '/xds/n/cluster/a?missing=allow', eds)).toMatchObject({ status: 200 });
});
