import {
  CONTINUE,
  defineHttpFilter,
  isTulleError,
  type FetchReply,
  type FetchRequest,
  type FilterHost,
} from '@tulle/filter';
import { cluster, httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import { runChain, type ChainRun } from '../src/index.ts';
import { anything, started } from './support.ts';

const defaults = { timeoutMs: 1_000, maxBodyBytes: 1_000 };

/** Makes the call at each request; what came of it is kept. */
function caller(request: Partial<FetchRequest> & { readonly url: string }) {
  const outcomes: (FetchReply | { readonly code: string; readonly message: string })[] = [];
  let host: FilterHost | undefined;
  const filter = defineHttpFilter({
    apiVersion: 1,
    id: 'caller',
    config: anything<object>(),
    effects: 'external',
    create(given) {
      host = given;
      return {
        async requestHeaders(): Promise<typeof CONTINUE> {
          try {
            outcomes.push(await given.fetch({ ...defaults, ...request }));
          } catch (error) {
            outcomes.push(
              isTulleError(error)
                ? { code: error.code, message: error.message }
                : { code: 'none', message: String(error) },
            );
          }
          return CONTINUE;
        },
      };
    },
  });
  return {
    filter: filter({}),
    outcomes,
    host: (): FilterHost => host as FilterHost,
    async run(more: Omit<ChainRun, 'filters'> = {}) {
      const result = await runChain({ filters: [filter({})], ...more });
      return { result, outcome: outcomes[0] };
    },
  };
}

const text = (reply: unknown): string => Buffer.from((reply as FetchReply).body).toString();

describe('host.fetch', () => {
  it('asks the host of a URL, by name, and gives the whole reply; the proxy records its own requests only', async () => {
    const { result, outcome } = await caller({
      url: 'http://issuer.example/keys?x=1',
      headers: ['accept', 'application/json'],
    }).run({
      names: { 'issuer.example': ['10.0.2.1'] },
      services: {
        '10.0.2.1:80': () => ({ status: 203, headers: { 'x-a': '1' }, chunks: ['{"ke', 'ys":[]}'] }),
      },
    });
    expect(outcome).toMatchObject({ status: 203 });
    expect((outcome as FetchReply).headers.get('x-a')).toBe('1');
    expect(text(outcome)).toBe('{"keys":[]}');
    const [request] = result.serviceRequests['10.0.2.1:80'] ?? [];
    expect(request).toMatchObject({ method: 'GET', target: '/keys?x=1' });
    expect([request?.header('host'), request?.header('accept')]).toEqual([
      'issuer.example',
      'application/json',
    ]);
    expect(request?.header('x-forwarded-for')).toBeUndefined();
    expect(result.records).toHaveLength(1);
    expect(result.response?.status).toBe(200);
  });

  it('sends a body, also a larger one than is kept for replay', async () => {
    const body = 'b'.repeat(200_000);
    const { result } = await caller({
      url: 'http://10.0.2.1:8080/check',
      method: 'POST',
      body: Buffer.from(body),
      headers: ['content-type', 'text/plain'],
    }).run({ services: { '10.0.2.1:8080': () => ({ body: 'ok' }) } });
    const [request] = result.serviceRequests['10.0.2.1:8080'] ?? [];
    expect(request?.body).toBe(body);
    expect(request?.header('content-length')).toBe('200000');
  });

  it('asks a cluster of the configuration, with its balancing, instead of the host', async () => {
    const { result, outcome } = await caller({ url: 'http://auth.mesh/check', cluster: 'other' }).run({
      request: [{}, {}],
    });
    expect(outcome).toMatchObject({ status: 200 });
    expect(result.upstreamRequests.map((request) => [request.target, request.header('host')])).toContainEqual(
      ['/check', 'auth.mesh'],
    );
    expect(result.meter.value('tulle_cluster_upstream_rq_total', { cluster: 'other' })).toBeGreaterThan(0);
  });

  it('asks for exactly the target and host that are given', async () => {
    const target = "/a//b/./c/%2e/~'(x);y=1,2?z=/../&w=%20?";
    const { result } = await caller({
      url: 'http://10.0.2.1/base',
      target,
      authority: 'shop.example:8080',
    }).run({
      services: { '10.0.2.1:80': () => ({ body: 'ok' }) },
    });
    const [request] = result.serviceRequests['10.0.2.1:80'] ?? [];
    expect([request?.target, request?.header('host')]).toEqual([target, 'shop.example:8080']);
  });

  it('uses a connection again', async () => {
    const asked = caller({ url: 'http://10.0.2.1/' });
    const { result } = await asked.run({
      request: [{}, {}, {}],
      services: { '10.0.2.1:80': () => ({ body: 'ok' }) },
    });
    expect(result.serviceRequests['10.0.2.1:80']?.map((request) => request.connectionIndex)).toEqual([
      0, 0, 0,
    ]);
  });

  it('does not follow redirects', async () => {
    const { result, outcome } = await caller({ url: 'http://10.0.2.1/' }).run({
      services: {
        '10.0.2.1:80': () => ({ status: 302, headers: { location: 'http://10.0.2.1/elsewhere' } }),
      },
    });
    expect(outcome).toMatchObject({ status: 302 });
    expect(result.serviceRequests['10.0.2.1:80']).toHaveLength(1);
  });

  it.each<[string, ChainRun['services'], Partial<FetchRequest>, string]>([
    ['nobody listens', {}, {}, 'TULLE_UPSTREAM_CONNECT'],
    ['there is no answer', { '10.0.2.1:80': () => 'silence' }, {}, 'TULLE_REQUEST_TIMEOUT'],
    ['the connection is reset', { '10.0.2.1:80': () => 'reset' }, {}, 'TULLE_UPSTREAM_RESET'],
    [
      'the answer is no HTTP',
      { '10.0.2.1:80': () => 'SSH-2.0-OpenSSH\r\n\r\n' },
      {},
      'TULLE_UPSTREAM_PROTOCOL',
    ],
    [
      'the reply does not end',
      { '10.0.2.1:80': () => 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\nabc' },
      {},
      'TULLE_REQUEST_TIMEOUT',
    ],
    [
      'the reply is too large',
      { '10.0.2.1:80': () => ({ body: 'x'.repeat(1_001) }) },
      {},
      'TULLE_UPSTREAM_PROTOCOL',
    ],
    [
      'the reply is too large, in pieces without end',
      { '10.0.2.1:80': () => ({ chunks: Array.from({ length: 50 }, () => 'x'.repeat(100)) }) },
      {},
      'TULLE_UPSTREAM_PROTOCOL',
    ],
    ['the cluster is unknown', {}, { cluster: 'nope' }, 'TULLE_CLUSTER_NOT_FOUND'],
    ['the name is unknown', {}, { url: 'http://nowhere.example/' }, 'TULLE_UPSTREAM_NO_ENDPOINT'],
    ['the URL is none', {}, { url: 'issuer.example/keys' }, 'TULLE_CONFIG_INVALID'],
    ['the URL has credentials', {}, { url: 'http://a:b@10.0.2.1/' }, 'TULLE_CONFIG_INVALID'],
    ['the scheme is another', {}, { url: 'file:///etc/passwd' }, 'TULLE_CONFIG_INVALID'],
    ['the target has a blank', {}, { target: '/a b' }, 'TULLE_CONFIG_INVALID'],
    ['the target has a line end', {}, { target: '/a\r\nx: y' }, 'TULLE_CONFIG_INVALID'],
    ['the target has a fragment', {}, { target: '/a#b' }, 'TULLE_CONFIG_INVALID'],
    ['the target is no path', {}, { target: 'http://evil/' }, 'TULLE_CONFIG_INVALID'],
    ['the host is none', {}, { authority: 'a b' }, 'TULLE_CONFIG_INVALID'],
    ['the host is empty', {}, { authority: '' }, 'TULLE_CONFIG_INVALID'],
    ['the method is none', {}, { method: 'GE T' }, 'TULLE_CONFIG_INVALID'],
    ['a header is none', {}, { headers: ['x-a', 'a\r\nb: c'] }, 'TULLE_HEADER_INVALID'],
    ['a header belongs to the engine', {}, { headers: ['content-length', '5'] }, 'TULLE_HEADER_INVALID'],
  ])('rejects by code when %s', async (_what, services, change, code) => {
    const { result, outcome } = await caller({ url: 'http://10.0.2.1/', ...change }).run({
      services: services ?? {},
    });
    expect(outcome).toMatchObject({ code });
    expect((outcome as { message: string }).message).not.toBe('');
    expect(result.response?.status).toBe(200);
    expect(result.log.lines.filter((line) => line.level === 'error')).toEqual([]);
  });

  it('speaks TLS to https, and believes only who proves a name', async () => {
    const asked = caller({ url: 'https://10.0.2.1/' });
    const test = await started({
      listeners: [httpListener({ port: 8080, filters: [asked.filter], routes: [route('/', 'api')] })],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      upstreams: { '10.0.0.1:80': () => ({ body: 'ok' }) },
    });
    test.network.listen('10.0.2.1:443', () => {});
    await test.client().request();
    expect(asked.outcomes[0]).toMatchObject({ code: 'TULLE_UPSTREAM_TLS' });
  });

  it('ends with the filter: a call under way rejects, a later one is not made', async () => {
    const asked = caller({ url: 'http://10.0.2.1/' });
    const listener = (filters: Parameters<typeof httpListener>[0]['filters']) =>
      httpListener({ port: 8080, filters: filters ?? [], routes: [route('/', 'api')] });
    const test = await started({
      listeners: [listener([asked.filter])],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      upstreams: { '10.0.0.1:80': () => ({ body: 'ok' }), '10.0.2.1:80': () => 'silence' },
    });
    const host = asked.host();
    const call = host.fetch({ ...defaults, url: 'http://10.0.2.1/' });
    const ended = call.then(
      () => 'answered',
      (error: { code: string }) => error.code,
    );
    await test.upstream('10.0.2.1:80').next();
    const [first] = test.proxy.config.listeners;
    const [chain] = first?.filterChains ?? [];
    if (first === undefined || chain?.handler.kind !== 'http') throw new Error('no chain');
    await test.proxy.update({
      ...test.proxy.config,
      version: '2',
      listeners: [{ ...first, filterChains: [{ ...chain, handler: { ...chain.handler, filters: [] } }] }],
    });
    expect(await ended).toBe('TULLE_DRAINING');
    await expect(host.fetch({ ...defaults, url: 'http://10.0.2.1/' })).rejects.toMatchObject({
      code: 'TULLE_DRAINING',
    });
    await test.clock.settle();
    expect(test.upstream('10.0.2.1:80').requests).toHaveLength(1);
    expect(test.proxy.stats.streams).toBe(0);
  });

  it('keeps addresses that worked when a later look-up fails', async () => {
    const asked = caller({ url: 'http://issuer.example/' });
    const test = await started({
      listeners: [httpListener({ port: 8080, filters: [asked.filter], routes: [route('/', 'api')] })],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      upstreams: { '10.0.0.1:80': () => ({ body: 'ok' }), '10.0.2.1:80': () => ({ body: 'keys' }) },
      names: { 'issuer.example': ['10.0.2.1'] },
    });
    await test.client().request();
    test.network.names.delete('issuer.example');
    await test.clock.advance(60_000);
    await test.client().request();
    expect(asked.outcomes.map((outcome) => text(outcome))).toEqual(['keys', 'keys']);
  });
});
