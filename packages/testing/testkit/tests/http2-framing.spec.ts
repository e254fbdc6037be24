import { cluster, httpListener, route } from '@tulle/proxy';
import { expect, it } from 'vitest';
import { fakeClock, http2Upstream, memoryNetwork } from '../src/index.ts';
import { started } from './support.ts';

it('says to a caller of HTTP/1 that a response which HTTP/2 ended with its head is empty', async () => {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  http2Upstream(network, '10.0.0.1:80', ({ target }) => ({ status: Number(target.slice(1)), chunks: [] }));
  const test = await started({
    clock,
    network,
    listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] })],
    clusters: [cluster('api', ['10.0.0.1:80'], { pool: { protocol: 'http2' } })],
  });
  const client = test.client();
  for (const status of [200, 204, 304, 404]) {
    const reply = await client.request({ path: `/${status}` });
    const empty = status === 200 || status === 404 ? '0' : undefined;
    expect([reply.status, reply.header('content-length')]).toEqual([status, empty]);
    const asked = await client.request({ path: `/${status}`, method: 'HEAD' });
    expect([asked.status, asked.header('content-length')]).toEqual([status, undefined]);
  }
  expect(test.records.map(({ code }) => code)).toEqual(test.records.map(() => ''));
});
