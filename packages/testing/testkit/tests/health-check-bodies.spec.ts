import { httpListener, route } from '@tulle/proxy';
import type { HealthCheck, HttpHealthCheck } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import {
  fakeClock,
  memoryNetwork,
  type Answer,
  type TestConnection,
  type TestProxy,
  type TestProxyOptions,
} from '../src/index.ts';
import { started } from './support.ts';

const RHYTHM = {
  intervalMs: 1_000,
  timeoutMs: 500,
  unhealthyThreshold: 3,
  healthyThreshold: 1,
  noTrafficIntervalMs: 1_000,
};
const hex = (text: string): string => Buffer.from(text).toString('hex');

function proxy(
  healthCheck: HealthCheck,
  answer: Answer = {},
  options: Partial<TestProxyOptions> = {},
): Promise<TestProxy> {
  return started({
    listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] })],
    clusters: [
      {
        name: 'api',
        panicThresholdPercent: 0,
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
        healthCheck,
      },
    ],
    ...(options.network === undefined && {
      upstreams: { '10.0.0.1:80': ({ target }) => (target === '/healthz' ? answer : { body: 'served' }) },
    }),
    ...options,
  });
}

/** Whether an endpoint that answers so is well by the first check, which decides alone. */
async function isWell(check: Partial<HttpHealthCheck>, answer: Answer): Promise<boolean> {
  const test = await proxy({ kind: 'http', path: '/healthz', ...RHYTHM, ...check }, answer);
  await test.clock.advance(600);
  return (await test.client().request()).status === 200;
}

describe('an HTTP health check', () => {
  it('sends a body, with its length, over one connection', async () => {
    const test = await proxy({
      kind: 'http',
      path: '/healthz',
      ...RHYTHM,
      method: 'POST',
      send: hex('are you well?'),
    });
    await test.clock.advance(2_600);
    const { requests } = test.upstream('10.0.0.1:80');
    expect(requests.length).toBe(3);
    for (const request of requests) {
      expect(request).toMatchObject({ method: 'POST', target: '/healthz', connectionIndex: 0 });
      expect(request.header('content-length')).toBe('13');
      expect(String(request.body)).toBe('are you well?');
    }
  });

  it.each([
    ['all of it, in this order', ['one', 'three'], 'one two three', true],
    ['over pieces', ['one', 'three'], ['on', 'e t', 'wo thr', 'ee'], true],
    ['not in another order', ['three', 'one'], 'one two three', false],
    ['no byte twice', ['one', 'e t'], 'one two', false],
    ['nothing that is not there', ['four'], 'one two three', false],
  ] as const)('looks for bytes in the answer: %s', async (_, receive, body, well) => {
    const answer = typeof body === 'string' ? { body } : { chunks: body };
    expect(await isWell({ receive: receive.map(hex) }, answer)).toBe(well);
  });

  it.each([
    [undefined, 1_021, true],
    [undefined, 1_022, false],
    [10, 7, true],
    [10, 8, false],
    [0, 60_000, true],
  ])('looks within %s bytes, behind %i others: %s', async (receiveWithinBytes, before, well) => {
    const within = receiveWithinBytes === undefined ? {} : { receiveWithinBytes };
    const answer = { body: `${'x'.repeat(before)}yes` };
    expect(await isWell({ receive: [hex('yes')], ...within }, answer)).toBe(well);
  });

  it('takes an answer without the bytes for one that no healthy endpoint gives, whatever its status', async () => {
    const check = { receive: [hex('yes')], retriableStatuses: [{ from: 429, to: 429 }] };
    const answer: { body: string; status: number } = { body: 'yes', status: 200 };
    const test = await proxy({ kind: 'http', path: '/healthz', ...RHYTHM, ...check }, answer);
    await test.clock.advance(100);
    Object.assign(answer, { body: 'no', status: 429 });
    await test.clock.advance(1_000);
    expect((await test.client().request()).status).toBe(503);
    expect(test.log.lines.map(({ message }) => message).join()).toContain(
      'failed its health check: status 429',
    );
  });

  it.each([
    [{ 'x-envoy-upstream-healthchecked-cluster': 'locations-v2' }, true],
    [{ 'x-envoy-upstream-healthchecked-cluster': 'orders' }, false],
    [{}, false],
  ])('asks who answers: %o', async (headers, well) => {
    const serviceName = { kind: 'regex', value: 'loc.*-v[0-9]' } as const;
    expect(await isWell({ serviceName }, { headers })).toBe(well);
  });

  it.each([
    [{}, 'tulle-health-check'],
    [{ withoutUserAgent: true }, undefined],
    [{ headers: [{ name: 'User-Agent', value: 'mine' }] }, 'mine'],
    [{ withoutUserAgent: true, headers: [{ name: 'user-agent', value: 'mine' }] }, 'mine'],
  ])('says who asks: %o', async (check, agent) => {
    const test = await proxy({ kind: 'http', path: '/healthz', ...RHYTHM, ...check });
    await test.clock.advance(100);
    const [asked] = test.upstream('10.0.0.1:80').requests;
    expect(
      asked?.headers.filter(([name]) => name.toLowerCase() === 'user-agent').map(([, is]) => is),
    ).toEqual(agent === undefined ? [] : [agent]);
  });

  it('is refused where it could not hold', async () => {
    const wrong: HttpHealthCheck = {
      kind: 'http',
      path: '/healthz',
      ...RHYTHM,
      send: hex('x'),
      receive: [hex('12345')],
      receiveWithinBytes: 4,
      serviceName: { kind: 'regex', value: '(' },
    };
    await expect(proxy(wrong)).rejects.toMatchObject({
      issues: [
        {
          path: '/clusters/0/healthCheck/send',
          message: expect.stringContaining('method is GET') as unknown,
        },
        { path: '/clusters/0/healthCheck/receive', message: expect.stringContaining('5 bytes') as unknown },
        {
          path: '/clusters/0/healthCheck/serviceName/value',
          message: expect.stringContaining('no RE2') as unknown,
        },
      ],
    });
  });
});

describe('a TCP health check', () => {
  it.each([
    [1, 'PROXY UNKNOWN\r\n'],
    [2, Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex').toString('latin1')],
  ] as const)('begins with a header of the PROXY protocol: version %i', async (proxyProtocol, header) => {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    let asked: TestConnection | undefined;
    network.listen('10.0.0.1:80', (connection) => void (asked = connection));
    const receive = [hex('pong')];
    await proxy(
      { kind: 'tcp', ...RHYTHM, proxyProtocol, send: hex('ping'), receive },
      {},
      { clock, network },
    );
    await clock.advance(100);
    expect(asked?.received).toBe(`${header}ping`);
  });
});
