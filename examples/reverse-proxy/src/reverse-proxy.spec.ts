import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reverseProxy } from './reverse-proxy.ts';

describe('the reverse proxy example', () => {
  const seen: string[] = [];
  const origin = http.createServer((request, response) => {
    seen.push(request.url ?? '');
    response.end(`origin says ${request.url}`);
  });
  let proxy: ReturnType<typeof reverseProxy>;
  let base = '';

  beforeAll(async () => {
    origin.listen(0, '127.0.0.1');
    await once(origin, 'listening');
    proxy = reverseProxy({ port: 0, origin: `127.0.0.1:${(origin.address() as AddressInfo).port}` });
    await proxy.start();
    base = `http://127.0.0.1:${(proxy.addresses()['web'] as { port: number }).port}`;
  });

  afterAll(async () => {
    await proxy.stop();
    origin.closeAllConnections();
    origin.close();
  });

  it('passes requests on and marks the answer', async () => {
    const answer = await fetch(`${base}/items/1?color=blue`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-served-by')).toBe('tulle');
    expect(await answer.text()).toBe('origin says /items/1?color=blue');
  });

  it('answers health checks itself', async () => {
    expect(await (await fetch(`${base}/healthz`)).text()).toBe('ok\n');
    expect(seen).not.toContain('/healthz');
  });

  it.each(['/admin', '/admin/users', '/x/%2e%2e/admin', '//admin', '/%61dmin'])(
    'never lets %s reach the origin',
    async (path) => {
      const { port } = proxy.addresses()['web'] as { port: number };
      const request = http.get({ host: '127.0.0.1', port, path, agent: false });
      const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
      answer.resume();
      expect([400, 403]).toContain(answer.statusCode);
      expect(seen.filter((url) => url.includes('admin') || url.includes('%61'))).toEqual([]);
    },
  );

  it('refuses a caller who asks too often, and says when to come back', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => fetch(`${base}/items`)));
    const refused = answers.filter((answer) => answer.status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  });
});
