import type { Listener, ProxyConfig } from '@tulle/model';
import { cluster, httpListener, route } from '@tulle/proxy';
import { expect, it } from 'vitest';
import {
  fakeClock,
  HttpClient,
  memoryNetwork,
  testProxy,
  type MemoryNetwork,
  type TestProxy,
} from '../src/index.ts';

const HTTP = httpListener({ name: 'web', host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] });
const at = (port: number) => ({ host: '127.0.0.1', port });

async function listening(
  ...ports: readonly number[]
): Promise<{ readonly test: TestProxy; readonly network: MemoryNetwork }> {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const test = await testProxy({
    clock,
    network,
    listeners: [{ ...HTTP, additionalAddresses: ports.map(at) }],
    clusters: [cluster('api', ['10.0.0.1:80'])],
    upstreams: { '10.0.0.1:80': () => ({ body: 'ok' }) },
  });
  return { test, network };
}

async function statusAt(network: MemoryNetwork, port: number): Promise<number | string> {
  try {
    return (await new HttpClient(network.connect(at(port))).request()).status;
  } catch (error) {
    return (error as Error).message;
  }
}

const withAddresses = (config: ProxyConfig, ...ports: readonly number[]): ProxyConfig => {
  const [listener] = config.listeners as [Listener];
  return {
    ...config,
    version: `${config.version}+`,
    listeners: [{ ...listener, additionalAddresses: ports.map(at) }],
  };
};

it('are served as the first is, and counted with it', async () => {
  const { test, network } = await listening(8081, 8082);
  expect([
    await statusAt(network, 8080),
    await statusAt(network, 8081),
    await statusAt(network, 8082),
  ]).toEqual([200, 200, 200]);
  expect(test.meter.value('tulle_listener_downstream_cx_total', { listener: 'web' })).toBe(3);
  expect(test.proxy.addresses()).toEqual({ web: at(8080) });
  await test.stop();
  expect(await statusAt(network, 8081)).toContain('nobody listens');
});

it('come and go while the others serve on, connections too', async () => {
  const { test, network } = await listening(8081);
  const kept = new HttpClient(network.connect(at(8080)));
  await kept.request();
  await test.proxy.update(withAddresses(test.proxy.config, 8082));
  expect([await statusAt(network, 8080), await statusAt(network, 8082)]).toEqual([200, 200]);
  expect(await statusAt(network, 8081)).toContain('nobody listens');
  expect((await kept.request()).status).toBe(200);
  await test.stop();
});

it('are refused by path where one cannot be had, and nothing changes', async () => {
  const { test, network } = await listening();
  const taken = await memoryTaken(network, 8082);
  await expect(test.proxy.update(withAddresses(test.proxy.config, 8081, 8082))).rejects.toMatchObject({
    issues: [{ path: '/listeners/0/additionalAddresses/1' }],
  });
  expect(await statusAt(network, 8080)).toBe(200);
  expect(await statusAt(network, 8081)).toContain('nobody listens');
  await taken();
  await expect(test.proxy.update(withAddresses(test.proxy.config, 8080))).rejects.toMatchObject({
    issues: [{ path: '/listeners/0/additionalAddresses/0' }],
  });
  await test.stop();
});

async function memoryTaken(network: MemoryNetwork, port: number): Promise<() => Promise<void>> {
  const listening = await network.transport.listen(at(port), { mayUseTls: false, accept: () => {} });
  return async () => listening.close();
}
