import type { ConnFilterUse } from '@tulle/filter';
import { testProxy, type TestConnection, type TestProxy } from '@tulle/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { connLimit, connRateLimit } from './index.ts';

let test: TestProxy | undefined;
afterEach(async () => test?.stop());

/** A proxy before a service that echoes; the filter is the chain's. */
async function proxyWith(use: ConnFilterUse): Promise<TestProxy> {
  test = await testProxy({
    listeners: [
      {
        name: 'tcp',
        address: { host: '127.0.0.1', port: 9090 },
        filterChains: [
          { name: 'tcp', handler: { kind: 'tcp', clusters: [{ name: 'echo' }], filters: [use] } },
        ],
      },
    ],
    clusters: [
      {
        name: 'echo',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 7 } }] },
      },
    ],
  });
  test.network.listen('10.0.0.1:7', (connection) => {
    connection.onBytes = () => {
      if (connection.received !== '') connection.send(connection.received);
      connection.received = '';
      if (connection.ended) connection.end();
    };
  });
  return test;
}

async function connect({ connect: open, clock }: TestProxy): Promise<TestConnection> {
  const connection = open();
  connection.send('hello');
  await clock.settle();
  return connection;
}

const served = async (proxy: TestProxy): Promise<boolean> => (await connect(proxy)).received === 'hello';

describe('a limit of connections in a time', () => {
  const use = (tokens: number, intervalMs: number): ConnFilterUse =>
    connRateLimit({ name: 'in', bucket: { capacity: 2, tokens, intervalMs } });

  it('lets as many pass as there are tokens, and again when they come back', async () => {
    const proxy = await proxyWith(use(1, 500));
    expect([await served(proxy), await served(proxy), await served(proxy)]).toEqual([true, true, false]);
    await proxy.clock.advance(499);
    expect(await served(proxy)).toBe(false);
    await proxy.clock.advance(1);
    expect([await served(proxy), await served(proxy)]).toEqual([true, false]);
    await proxy.clock.advance(60_000);
    expect([await served(proxy), await served(proxy), await served(proxy)]).toEqual([true, true, false]);
    expect(proxy.meter.value('tulle_filter_conn_ratelimit_refused_total', { limit: 'in' })).toBe(4);
  });

  it('closes the others, and says why', async () => {
    const proxy = await proxyWith(use(1, 60_000));
    for (let i = 0; i < 2; i += 1) await connect(proxy);
    const third = await connect(proxy);
    expect([third.ended, third.received]).toEqual([true, '']);
    expect(proxy.log.lines.map(({ message }) => message).join()).toContain(
      'TULLE_CONNECTION_LIMITED connection_rate_limited{in}',
    );
  });
});

describe('a limit of connections at a time', () => {
  it('lets another one come when one is gone', async () => {
    const proxy = await proxyWith(connLimit({ name: 'at-once', maxConnections: 2 }));
    const active = (): number | undefined =>
      proxy.meter.value('tulle_filter_conn_limit_active', { limit: 'at-once' });
    const first = await connect(proxy);
    const second = await connect(proxy);
    expect([first.received, second.received, active()]).toEqual(['hello', 'hello', 2]);
    const third = await connect(proxy);
    expect([third.ended, third.received, active()]).toEqual([true, '', 2]);
    expect(proxy.meter.value('tulle_filter_conn_limit_refused_total', { limit: 'at-once' })).toBe(1);
    first.close();
    await proxy.clock.settle();
    expect(active()).toBe(1);
    expect([await served(proxy), await served(proxy)]).toEqual([true, false]);
    expect(proxy.log.lines.map(({ message }) => message).join()).toContain(
      'TULLE_CONNECTION_LIMITED over_connection_limit{at-once}',
    );
  });

  it('leaves one beyond waiting, unheard, where it is told to', async () => {
    const proxy = await proxyWith(connLimit({ name: 'at-once', maxConnections: 1, delayMs: 2_000 }));
    const first = await connect(proxy);
    const second = await connect(proxy);
    await proxy.clock.advance(1_900);
    first.close();
    await proxy.clock.settle();
    expect([second.ended, second.received]).toEqual([false, '']);
    await proxy.clock.advance(200);
    expect([second.ended, second.received]).toEqual([true, '']);
    expect(await served(proxy)).toBe(true);
  });

  it('forgets one beyond that leaves by itself', async () => {
    const proxy = await proxyWith(connLimit({ name: 'at-once', maxConnections: 1, delayMs: 2_000 }));
    const first = await connect(proxy);
    (await connect(proxy)).close();
    await proxy.clock.advance(5_000);
    expect(proxy.meter.value('tulle_filter_conn_limit_active', { limit: 'at-once' })).toBe(1);
    first.close();
    await proxy.clock.settle();
    expect(await served(proxy)).toBe(true);
  });
});
