import { DELIVER, RETRY } from '@tulle/filter';
import type { Endpoint } from '@tulle/model';
import { cluster, httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import { HttpClient, httpUpstream, type TestProxy, type TestResponse, type Upstream } from '../src/index.ts';
import { filter, started } from './support.ts';

const WEB = 'spiffe://mesh.local/ns/default/sa/web';
const API = 'spiffe://mesh.local/ns/default/sa/api';
const tls = { certificate: { kind: 'workload' as const }, trust: { kind: 'mesh' as const } };

const again = filter(
  'again',
  {
    attemptEnd: ({ attempt }) => {
      if (attempt.number > 1 || (attempt.status < 500 && attempt.grpcStatus <= 0)) return DELIVER;
      attempt.retryDelayMs = 1;
      return RETRY;
    },
  },
  { scope: 'attempt' },
);

interface Mesh {
  readonly outbound: TestProxy;
  readonly inbound: TestProxy;
  readonly app: Upstream;
  readonly other: Upstream;
  ask(method: string, body?: string, headers?: Record<string, string>): Promise<TestResponse>;
}

/**
 * A caller's proxy that knows two endpoints: the sidecar of the app 10.0.0.1:80, which is asked first, and a plain
 * mesh service that always answers.
 */
async function mesh(endpoint: Partial<Endpoint> = { mode: 'sidecar' }): Promise<Mesh> {
  const inbound = await started({
    listeners: [
      httpListener({
        host: '10.0.1.1',
        port: 15_006,
        direction: 'inbound',
        tls,
        routes: [route('/', 'app')],
      }),
    ],
    clusters: [cluster('app', ['10.0.0.1:80'])],
    upstreams: { '10.0.0.1:80': () => ({ body: 'app' }) },
  });
  const { network, clock } = inbound;
  // The memory network pretends TLS: what stands before the sidecar proves the id, and shows the caller's.
  network.listen(
    '10.0.1.1:443',
    (near) => {
      const far = network.connect('10.0.1.1:15006', { tls: { identity: WEB } });
      near.onBytes = () => {
        far.send(near.received);
        near.received = '';
        if (near.ended) far.end();
      };
      far.onBytes = () => {
        near.send(far.received);
        far.received = '';
        if (far.ended) near.end();
      };
    },
    { identity: API },
  );
  const other = httpUpstream(network, '10.0.1.2:443', () => ({ body: 'other' }), { identity: API });
  const outbound = await started({
    network,
    clock,
    listeners: [httpListener({ port: 8080, filters: [again({})], routes: [route('/', 'api')] })],
    clusters: [
      cluster(
        'api',
        [
          { address: { host: '10.0.1.1', port: 443 }, identity: API, weight: 1_000, ...endpoint },
          { address: { host: '10.0.1.2', port: 443 }, identity: API },
        ],
        { tls, balance: { policy: 'round-robin' } },
      ),
    ],
  });
  return {
    outbound,
    inbound,
    app: inbound.upstream('10.0.0.1:80'),
    other,
    async ask(method, body, headers = {}) {
      const client = new HttpClient(network.connect('127.0.0.1:8080'));
      const answered = client.request({ method, headers, ...(body === undefined ? {} : { body }) });
      await clock.advance(100);
      return answered;
    },
  };
}

describe('a request that the proxy of the endpoint could not deliver', () => {
  it.each([
    ['POST', 'pay'],
    ['POST', undefined],
    ['PATCH', 'change'],
  ])('is sent elsewhere, though it is a %s with the body %s', async (method, body) => {
    const test = await mesh();
    test.inbound.network.refuse('10.0.0.1:80', {});
    const answer = await test.ask(method, body);
    expect([answer.status, answer.body]).toEqual([200, 'other']);
    expect(test.other.requests.map((request) => [request.method, request.body])).toEqual([
      [method, body ?? ''],
    ]);
    expect(test.outbound.records[0]?.attempts.map(({ status }) => status)).toEqual([503, 200]);
    expect(test.app.requests).toHaveLength(0);
  });

  it('is sent elsewhere as a gRPC call too, which its proxy refuses by a status of gRPC', async () => {
    const test = await mesh();
    test.inbound.network.refuse('10.0.0.1:80', {});
    const answer = await test.ask('POST', 'call', { 'content-type': 'application/grpc' });
    expect([answer.status, answer.body]).toEqual([200, 'other']);
    expect(test.outbound.records[0]?.attempts.map(({ status, grpcStatus }) => [status, grpcStatus])).toEqual([
      [200, 14],
      [200, -1],
    ]);
    expect(test.inbound.records[0]).toMatchObject({ status: 200, grpcStatus: 14 });
  });

  it('is not repeated as a gRPC call when it was delivered', async () => {
    const test = await mesh();
    test.app.answer = () => 'reset';
    const answer = await test.ask('POST', 'call', { 'content-type': 'application/grpc' });
    expect(answer.header('grpc-status')).toBe('14');
    expect(test.other.requests).toHaveLength(0);
    expect(test.outbound.records[0]?.retryRefused).toBe('unsafe');
  });

  it('is not repeated when it was delivered: the app may have done it', async () => {
    const test = await mesh();
    test.app.answer = () => 'reset';
    expect((await test.ask('POST', 'pay')).status).toBe(503);
    expect(test.other.requests).toHaveLength(0);
    expect(test.outbound.records[0]?.retryRefused).toBe('unsafe');
  });

  it('is not repeated because the app says that it was not delivered', async () => {
    const test = await mesh();
    test.app.answer = () => ({ status: 503, headers: { 'x-tulle-unsent': '1' } });
    const answer = await test.ask('POST', 'pay');
    expect([answer.status, answer.header('x-tulle-unsent')]).toEqual([503, undefined]);
    expect(test.other.requests).toHaveLength(0);
  });

  it('is not repeated because somebody says so who is no proxy of the mesh', async () => {
    const test = await mesh({});
    test.inbound.network.refuse('10.0.0.1:80', {});
    const answer = await test.ask('POST', 'pay');
    expect([answer.status, answer.header('x-tulle-unsent')]).toEqual([503, undefined]);
    expect(test.other.requests).toHaveLength(0);
  });

  it('is told only to a caller that proved who it is', async () => {
    const test = await mesh();
    test.inbound.network.refuse('10.0.0.1:80', {});
    const { network } = test.inbound;
    const ask = async (address: string, identity?: string): Promise<string | undefined> => {
      const client = new HttpClient(
        network.connect(address, identity === undefined ? {} : { tls: { identity } }),
      );
      return (await client.request({ method: 'POST' })).header('x-tulle-unsent');
    };
    expect(await ask('10.0.1.1:15006', WEB)).toBe('1');
    test.outbound.network.refuse('10.0.1.1:443', {});
    test.outbound.network.refuse('10.0.1.2:443', {});
    const answered = ask('127.0.0.1:8080');
    await test.outbound.clock.advance(100);
    expect(await answered).toBeUndefined();
  });
});
