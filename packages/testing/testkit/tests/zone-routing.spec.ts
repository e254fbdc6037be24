import type { Cluster, Endpoint } from '@tulle/model';
import { httpListener, route, type ProxyZone } from '@tulle/proxy';
import { expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { started } from './support.ts';

const HERE: ProxyZone = { locality: { region: 'r', zone: 'a' }, cluster: 'proxies' };

const at = (zone: string, host: string, health: Endpoint['health'] = 'healthy'): Endpoint => ({
  address: { host, port: 80 },
  locality: { region: 'r', zone },
  health,
});
const api: Cluster = {
  name: 'api',
  balance: { policy: 'round-robin' },
  zoneRouting: { minEndpoints: 2 },
  discovery: { kind: 'static', endpoints: [at('a', '10.0.0.1'), at('b', '10.0.0.2')] },
};
const proxies = (...endpoints: readonly Endpoint[]): Cluster => ({
  name: 'proxies',
  discovery: { kind: 'static', endpoints },
});

async function withClusters(
  clusters: readonly Cluster[],
  zone: ProxyZone | undefined = HERE,
): Promise<TestProxy> {
  return started({
    ...(zone && { zone }),
    listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] })],
    clusters: [...clusters],
    upstreams: { '10.0.0.1:80': () => ({ body: 'a' }), '10.0.0.2:80': () => ({ body: 'b' }) },
  });
}

async function asked(test: TestProxy): Promise<string> {
  const answers: string[] = [];
  for (let i = 0; i < 6; i++) answers.push((await test.client().request()).body);
  return answers.toSorted().join('');
}

it('keeps callers in their place by the cluster that the proxy is one of, and follows that', async () => {
  const test = await withClusters([api, proxies(at('a', '10.9.0.1'), at('b', '10.9.0.2'))]);
  expect(await asked(test)).toBe('aaaaaa');
  const { config } = test.proxy;
  const change = async (cluster: Cluster): Promise<void> => {
    await test.proxy.update({ ...config, version: `${Math.random()}`, clusters: [api, cluster] });
  };
  await change(proxies(at('a', '10.9.0.1')));
  expect(await asked(test)).toBe('aaabbb');
  await change(proxies(at('a', '10.9.0.1'), at('b', '10.9.0.2')));
  expect(await asked(test)).toBe('aaaaaa');
  // Of callers whose health is not believed nobody knows where they are.
  await change(
    proxies(at('a', '10.9.0.1', 'unhealthy'), at('a', '10.9.0.3', 'unhealthy'), at('b', '10.9.0.2')),
  );
  expect(await asked(test)).toBe('aaabbb');
});

it('does nothing where nobody says where the proxy is', async () => {
  const test = await started({
    listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] })],
    clusters: [api, proxies(at('a', '10.9.0.1'), at('b', '10.9.0.2'))],
    upstreams: { '10.0.0.1:80': () => ({ body: 'a' }), '10.0.0.2:80': () => ({ body: 'b' }) },
  });
  expect(await asked(test)).toBe('aaabbb');
});

it('is refused beside weights of localities, and without the cluster of the proxy', async () => {
  const own = proxies(at('a', '10.9.0.1'));
  await expect(withClusters([{ ...api, localityWeighted: true }, own])).rejects.toThrow(
    '/clusters/0/zoneRouting',
  );
  await expect(withClusters([api])).rejects.toThrow('/clusters/0/zoneRouting');
});
