import { createCa, memoryStore } from '@tulle/ca';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { send } from './load.ts';
import { sum } from './metrics.ts';
import { meshCluster, spiffeId, startSidecar, trustDomain, type Sidecar } from './sidecar.ts';

describe('two proxies with identities of one CA', () => {
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).toReversed()) await stop();
  });

  async function pair(expected: string): Promise<{ caller: Sidecar; called: Sidecar; port: number }> {
    const ca = await createCa({ trustDomain, store: memoryStore() });
    stops.push(async () => ca.close());
    const app = http.createServer((_, response) => response.end('from the app'));
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    stops.push(async () => {
      app.close();
      app.closeAllConnections();
    });
    const called = await startSidecar({
      ca,
      service: 'reviews',
      appPort: (app.address() as AddressInfo).port,
      policies: [
        { name: 'only-front', action: 'ALLOW', rules: [{ from: { identities: [spiffeId('front')] } }] },
      ],
    });
    stops.push(() => called.stop());
    const caller = await startSidecar({
      ca,
      service: 'front',
      outbound: [
        {
          service: 'reviews',
          clusters: [meshCluster('reviews', expected, [called.port('inbound')], 'v1')],
          split: [{ name: 'reviews' }],
        },
      ],
    });
    stops.push(() => caller.stop());
    return { caller, called, port: caller.port('to-reviews') };
  }

  it('believe each other through an issuer between leaf and root', async () => {
    const { called, port } = await pair('reviews');
    expect(await send(undefined, port, { path: '/' })).toMatchObject({ status: 200, body: 'from the app' });
    expect(
      sum(called.metrics(), 'tulle_requests_total', {
        connection_security: 'mutual_tls',
        source_workload: 'front',
      }),
    ).toBe(1);
    expect(sum(called.metrics(), 'tulle_tls_refused_total')).toBe(0);
  });

  it('give no byte to an endpoint that proves another id than the expected one', async () => {
    const { called, port } = await pair('somebody-else');
    expect((await send(undefined, port, { path: '/' })).status).toBe(503);
    expect(sum(called.metrics(), 'tulle_requests_total')).toBe(0);
  });
});
