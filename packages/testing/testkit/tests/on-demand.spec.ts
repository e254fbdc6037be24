import { addMetadata, CONTINUE } from '@tulle/filter';
import type { ClusterDiscovery } from '@tulle/model';
import { httpListener, route, tcpListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { filter, started } from './support.ts';

const proxyProtocol = { tlvs: [{ type: 0xe0, namespace: 'to', key: 'address' }] };

function proxy(
  discovery: ClusterDiscovery,
  names: Record<string, string[]> = {},
  filters: readonly ReturnType<ReturnType<typeof filter>>[] = [],
): Promise<TestProxy> {
  return started({
    listeners: [
      httpListener({ name: 'http', port: 8080, routes: [route('/', 'out')], filters }),
      { ...httpListener({ name: 'told', port: 8081, routes: [route('/', 'out')], filters }), proxyProtocol },
      { ...tcpListener({ name: 'bytes', port: 8082, cluster: 'out' }), proxyProtocol },
    ],
    clusters: [{ name: 'out', discovery }],
    names,
    upstreams: {
      '10.0.0.1:80': ({ headers }) => ({
        body: `one for ${headers.find(([name]) => name.toLowerCase() === 'host')?.[1] ?? ''}`,
      }),
      '10.0.0.1:8080': () => ({ body: 'one at 8080' }),
      '10.0.0.2:80': () => ({ body: 'two' }),
    },
  });
}
const ask = (
  test: TestProxy,
  host: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string }> => test.client().request({ headers: { host, ...headers } });

/** A header of PROXY version 2 from 10.1.1.1:1000 to 10.0.0.1:80. @param text of the field that is kept; default: there is none */
function told(text?: string): Buffer {
  const field =
    text === undefined
      ? Buffer.alloc(0)
      : Buffer.from(`\xe0\x00${String.fromCharCode(text.length)}${text}`, 'latin1');
  const addresses = Buffer.from([10, 1, 1, 1, 10, 0, 0, 1, 3, 232, 0, 80]);
  const start = Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0', 'latin1');
  return Buffer.concat([start, Buffer.from([addresses.length + field.length]), addresses, field]);
}

describe('a forward proxy', () => {
  const NAMES = { 'a.test': ['10.0.0.1'], 'b.test': ['10.0.0.1'], 'c.test': ['10.0.0.2'] };

  it('asks the host that a request names, by the port that it names', async () => {
    const test = await proxy({ kind: 'forward-proxy' }, NAMES);
    expect((await ask(test, 'a.test')).body).toBe('one for a.test');
    expect((await ask(test, 'A.test:8080')).body).toBe('one at 8080');
    expect((await ask(test, 'c.test')).body).toBe('two');
    expect((await ask(test, '10.0.0.2')).body).toBe('two');
    // Two names with one address are two hosts.
    expect((await ask(test, 'b.test')).body).toBe('one for b.test');
    expect(test.meter.value('tulle_cluster_membership_total')).toBe(5);
  });

  it('refuses who cannot be found, and finds them once they can be', async () => {
    const test = await proxy({ kind: 'forward-proxy', failureRefresh: { baseMs: 1_000 } }, NAMES);
    expect((await ask(test, 'd.test')).status).toBe(503);
    expect(test.records.at(-1)?.details).toBe('dns_resolution_failure');
    test.network.names.set('d.test', ['10.0.0.2']);
    expect((await ask(test, 'd.test')).status).toBe(503); // it is asked for again in its own time
    await test.clock.advance(1_000);
    expect((await ask(test, 'd.test')).body).toBe('two');
  });

  it('follows a name that moves, and stays where it was while it cannot be found', async () => {
    const test = await proxy({ kind: 'forward-proxy', refreshMs: 1_000 }, NAMES);
    expect((await ask(test, 'a.test')).body).toBe('one for a.test');
    test.network.names.delete('a.test');
    await test.clock.advance(5_000); // its idle connection is retired too
    expect((await ask(test, 'a.test')).body).toBe('one for a.test');
    test.network.names.set('a.test', ['10.0.0.2']);
    await test.clock.advance(30_000);
    expect((await ask(test, 'a.test')).body).toBe('two');
  });

  it('bounds hosts, which go when nobody asks for them', async () => {
    const test = await proxy(
      { kind: 'forward-proxy', maxHosts: 1, hostTtlMs: 10_000, refreshMs: 1_000 },
      NAMES,
    );
    const { transport } = test.network;
    const found = (transport as { resolve: unknown }).resolve;
    (transport as { resolve: unknown }).resolve = () => new Promise(() => {});
    const waiting = ask(test, 'a.test');
    await test.clock.settle();
    expect((await ask(test, 'c.test')).status).toBe(503);
    expect(test.records.at(-1)?.details).toBe('dns_cache_overflow');
    (transport as { resolve: unknown }).resolve = found;
    await test.clock.advance(20_000);
    expect((await waiting).status).toBe(503);
    expect((await ask(test, 'c.test')).body).toBe('two');
  });

  it('forgets the host that was used longest ago for another one, so that one caller cannot shut out the others', async () => {
    const test = await proxy({ kind: 'forward-proxy', maxHosts: 2, hostTtlMs: 300_000 }, NAMES);
    const looked: string[] = [];
    const { transport } = test.network;
    const found = (transport as { resolve(name: string): unknown }).resolve;
    (transport as { resolve: unknown }).resolve = (name: string) => {
      looked.push(name);
      return found.call(transport, name);
    };
    for (const host of ['a.test', 'b.test']) {
      await ask(test, host);
      await test.clock.advance(10);
    }
    await ask(test, 'a.test');
    await test.clock.advance(10);
    expect((await ask(test, 'c.test')).body).toBe('two');
    expect((await ask(test, 'a.test')).status).toBe(200);
    expect(looked).toEqual(['a.test', 'b.test', 'c.test']);
    for (let i = 0; i < 50; i++) await ask(test, `10.9.9.${i}`);
    expect((await ask(test, 'a.test')).status).toBe(200);
    expect(test.meter.value('tulle_forward_proxy_evictions_total')).toBeGreaterThan(50);
    await test.clock.advance(600_000);
    expect(test.proxy.config.clusters).toHaveLength(1);
  });

  it('that is replaced still serves who waits for a look-up', async () => {
    const test = await proxy({ kind: 'forward-proxy' });
    const { transport } = test.network;
    const found = Promise.withResolvers<{ addresses: readonly string[] }>();
    (transport as { resolve: unknown }).resolve = () => found.promise;
    const waiting = ask(test, 'a.test');
    await test.clock.settle();
    const { config } = test.proxy;
    await test.proxy.update({
      ...config,
      version: 'next',
      clusters: config.clusters.map((one) => ({ ...one, connectTimeoutMs: 1_234 })),
    });
    found.resolve({ addresses: ['10.0.0.1'] });
    await test.clock.settle();
    expect(await waiting).toMatchObject({ status: 200, body: 'one for a.test' });
  });

  it('lets requests wait for a look-up, so many of them and so long', async () => {
    const test = await proxy({ kind: 'forward-proxy', maxPendingRequests: 1, queryTimeoutMs: 1_000 });
    const { transport } = test.network;
    const found = (transport as { resolve: unknown }).resolve;
    (transport as { resolve: unknown }).resolve = () => new Promise(() => {});
    const first = ask(test, 'a.test');
    await test.clock.settle();
    expect((await ask(test, 'a.test')).status).toBe(503);
    await test.clock.advance(1_000);
    expect((await first).status).toBe(503);
    (transport as { resolve: unknown }).resolve = found;
  });

  it('forgets a request whose caller goes while it waits', async () => {
    const test = await proxy({ kind: 'forward-proxy', maxPendingRequests: 1 }, NAMES);
    const { transport } = test.network;
    let answer: (found: { addresses: string[] }) => void = () => {};
    (transport as { resolve: unknown }).resolve = () => new Promise((resolve) => (answer = resolve));
    const client = test.client().send({ headers: { host: 'a.test' } });
    await test.clock.settle();
    client.connection.close(true);
    await test.clock.settle();
    const next = ask(test, 'a.test');
    await test.clock.settle();
    answer({ addresses: ['10.0.0.1'] });
    expect((await next).body).toBe('one for a.test');
  });
});

describe('a cluster of original destinations', () => {
  it('goes where a header says, and nowhere else', async () => {
    const test = await proxy({ kind: 'original-dst', header: 'x-to' });
    expect((await ask(test, 'a', { 'x-to': '10.0.0.2:80' })).body).toBe('two');
    expect((await ask(test, 'a', { 'x-to': 'a.test:80' })).status).toBe(503);
    expect((await ask(test, 'a', { 'x-to': '10.0.0.2' })).status).toBe(503);
    expect((await ask(test, 'a')).status).toBe(503);
    expect(test.records.at(-1)?.details).toBe('no_original_destination');
  });

  it('goes where a filter says first, then where a header does', async () => {
    const metadata = { namespace: 'to', path: ['where', 'address'] };
    const says = filter('says', {
      requestHeaders: (stream) => {
        const said = stream.request.headers.get('x-said');
        const address: unknown = said?.startsWith('[') === true ? JSON.parse(said) : said;
        if (said !== undefined) addMetadata(stream, 'to', { where: { address } });
        return CONTINUE;
      },
    })({});
    const test = await proxy({ kind: 'original-dst', header: 'x-to', metadata }, {}, [says]);
    const [one, two] = ['10.0.0.1:80', '10.0.0.2:80'];
    const asked = async (headers: Readonly<Record<string, string>>): Promise<string> => {
      const { status, body } = await ask(test, 'a', headers);
      return status === 200 ? body : String(test.records.at(-1)?.details);
    };
    expect(await asked({ 'x-said': one })).toBe('one for a');
    expect(await asked({ 'x-said': one, 'x-to': two })).toBe('one for a');
    expect(await asked({ 'x-to': two })).toBe('two');
    expect(await asked({ 'x-said': 'junk', 'x-to': two })).toBe('two');
    expect(await asked({ 'x-said': one, 'x-to': 'junk' })).toBe('one for a');
    expect(await asked({ 'x-said': 'junk' })).toBe('invalid_original_destination');
    expect(await asked({ 'x-said': '10.0.0.1' })).toBe('invalid_original_destination');
    expect(await asked({ 'x-said': `["${one}","${two}"]` })).toBe('one for a');
    expect(await asked({ 'x-said': `[5,"${two}"]` })).toBe('no_original_destination');
    expect(await asked({})).toBe('no_original_destination');
  });

  it.each(['told', 'bytes'])(
    'goes where is said of the connection, else where that was going (%s)',
    async (listener) => {
      const metadata = { namespace: 'to', path: ['address'] };
      const test = await proxy({ kind: 'original-dst', metadata });
      const asked = async (text?: string): Promise<string> => {
        const connection = test.connect({ listener });
        connection.send(Buffer.concat([told(text), Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')]));
        await connection.until(
          () => connection.closed || /\r\n\r\n./.test(connection.received),
          () => 'an answer',
        );
        return connection.received.split('\r\n\r\n')[1] ?? '';
      };
      expect(await asked('10.0.0.2:80')).toBe('two');
      expect(await asked()).toBe('one for a');
      expect(await asked('junk')).not.toMatch(/one|two/);
    },
  );

  it('drops endpoints that nobody uses, and has no more than maxHosts', async () => {
    const test = await proxy({ kind: 'original-dst', header: 'x-to', port: 80, maxHosts: 1 });
    expect((await ask(test, 'a', { 'x-to': '10.0.0.1:1234' })).body).toBe('one for a');
    expect((await ask(test, 'a', { 'x-to': '10.0.0.2:1234' })).status).toBe(503);
    expect(test.meter.value('tulle_cluster_membership_total')).toBe(1);
    await test.clock.advance(10_000);
    expect(test.meter.value('tulle_cluster_membership_total')).toBe(0);
    expect((await ask(test, 'a', { 'x-to': '10.0.0.2:1234' })).body).toBe('two');
  });
});
