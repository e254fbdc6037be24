import { isTulleError } from '@tulle/filter';
import { createProxy, httpListener, route } from '@tulle/proxy';
import { afterEach, describe, expect, it } from 'vitest';
import { teapot, type TeapotConfig } from './teapot.ts';

describe('the teapot filter', () => {
  const proxies: ReturnType<typeof createProxy>[] = [];
  afterEach(async () => {
    await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
  });

  async function start(config: TeapotConfig): Promise<string> {
    const proxy = createProxy({
      listeners: [
        httpListener({
          port: 0,
          filters: [teapot(config)],
          routes: [route('/', { kind: 'direct', status: 200, body: 'tea\n' })],
        }),
      ],
    });
    proxies.push(proxy);
    await proxy.start();
    return `http://127.0.0.1:${(proxy.addresses()['http'] as { port: number }).port}`;
  }

  it('refuses coffee and pours tea', async () => {
    const base = await start({ path: '/coffee' });
    expect((await fetch(`${base}/coffee`)).status).toBe(418);
    expect(await (await fetch(`${base}/tea`)).text()).toBe('tea\n');
  });

  it('names every fault of its configuration', async () => {
    let error: unknown;
    await start({ pth: '/coffee' } as unknown as TeapotConfig).catch((caught: unknown) => {
      error = caught;
    });
    expect(isTulleError(error) && error.code).toBe('TULLE_CONFIG_INVALID');
    expect(String((error as Error).message)).toMatch(/pth/);
  });
});
