import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { connFilterCompliance } from '@tulle/filter-compliance';
import type { ConnExtAuthzFilterConfig } from '@tulle/model';
import { fakeClock, grpcUpstream, memoryNetwork, testProxy, type TestProxy } from '@tulle/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import {
  CheckRequestSchema,
  CheckResponseSchema,
  type CheckRequest,
} from './gen/envoy/service/auth/v3/external_auth_pb.js';
import { connExtAuthz } from './index.ts';

const running: TestProxy[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

/** Answers with a code of `google.rpc.Status`, or never. */
async function open(code: number | 'silence', config: Partial<ConnExtAuthzFilterConfig> = {}, tls = false) {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const asked: CheckRequest[] = [];
  const service = grpcUpstream(network, '10.0.9.1:9001', (message) => {
    asked.push(fromBinary(CheckRequestSchema, message));
    return code === 'silence'
      ? code
      : toBinary(CheckResponseSchema, create(CheckResponseSchema, { status: { code } }));
  });
  network.listen('10.0.0.1:80', (connection) => {
    connection.onBytes = () => {
      connection.send(`echo ${connection.received}`);
      connection.received = '';
    };
  });
  const proxy = await testProxy({
    clock,
    network,
    listeners: [
      {
        name: 'test',
        address: { host: '127.0.0.1', port: 8080 },
        filterChains: [
          {
            name: 'tcp',
            ...(tls && {
              tls: {
                certificate: { kind: 'workload' as const },
                trust: { kind: 'mesh' as const },
                clientCertificate: 'accept' as const,
              },
            }),
            handler: {
              kind: 'tcp',
              clusters: [{ name: 'echo' }],
              filters: [
                connExtAuthz({ service: { cluster: 'auth' }, ...config }, { name: 'conn-ext-authz' }),
              ],
            },
          },
        ],
      },
    ],
    clusters: [
      {
        name: 'echo',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
      },
      {
        name: 'auth',
        pool: { protocol: 'http2' },
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.9.1', port: 9001 } }] },
      },
    ],
  });
  running.push(proxy);
  return { proxy, clock, asked, service };
}

const through = async ({ proxy, clock }: Awaited<ReturnType<typeof open>>, waitMs = 10, caller = {}) => {
  const connection = proxy.connect(caller).send('hello');
  await clock.advance(waitMs);
  return { said: connection.received, closed: connection.closed || connection.ended };
};

describe('a service that is asked about connections', () => {
  it('lets those pass that it allows, once asked, and is told who connects and where to', async () => {
    const opened = await open(0);
    expect(await through(opened)).toEqual({ said: 'echo hello', closed: false });
    expect(opened.asked).toHaveLength(1);
    const { source, destination, tlsSession, request } = opened.asked[0]?.attributes ?? {};
    expect(source?.address?.address.value).toMatchObject({ address: '192.0.2.1' });
    expect(destination?.address?.address.value).toMatchObject({
      address: '127.0.0.1',
      portSpecifier: { case: 'portValue', value: 8080 },
    });
    expect([source?.principal, tlsSession, request]).toEqual(['', undefined, undefined]);
    expect(opened.proxy.meter.value('tulle_filter_conn_ext_authz_checks_total', { result: 'allowed' })).toBe(
      1,
    );
  });

  it('is told the proven id, and the server name where it is to be', async () => {
    const caller = { tls: { serverName: 'shop.example', identity: 'spiffe://mesh.local/ns/a/sa/b' } };
    const told = await open(0, { tellServerName: true }, true);
    expect((await through(told, 10, caller)).said).toBe('echo hello');
    const { source, tlsSession } = told.asked[0]?.attributes ?? {};
    expect([source?.principal, tlsSession?.sni]).toEqual(['spiffe://mesh.local/ns/a/sa/b', 'shop.example']);
  });

  it('has those closed that it denies, before a byte goes on', async () => {
    const opened = await open(7);
    expect(await through(opened)).toEqual({ said: '', closed: true });
    expect(opened.proxy.meter.value('tulle_cluster_upstream_cx_total', { cluster: 'echo' })).toBe(0);
    expect(opened.proxy.meter.value('tulle_filter_conn_ext_authz_checks_total', { result: 'denied' })).toBe(
      1,
    );
  });

  it('closes or passes connections when it does not answer, as it is configured', async () => {
    const silent = await open('silence');
    expect(await through(silent, 150)).toEqual({ said: '', closed: false });
    const closing = await open('silence');
    expect(await through(closing, 300)).toEqual({ said: '', closed: true });
    expect(closing.proxy.meter.value('tulle_filter_conn_ext_authz_checks_total', { result: 'timeout' })).toBe(
      1,
    );
    const tolerant = await open('silence', { failureMode: 'allow', timeoutMs: 50 });
    expect((await through(tolerant, 100)).said).toBe('echo hello');
  });

  it('is asked no more where the caller goes away, and nothing fails', async () => {
    const { proxy, clock } = await open('silence');
    const connection = proxy.connect().send('hello');
    await clock.advance(10);
    connection.close(true);
    await clock.advance(1_000);
    expect(proxy.meter.value('tulle_filter_errors_total')).toBe(0);
    expect(proxy.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('compliance', () => {
  const service = { cluster: 'nobody' };
  for (const { name, run } of connFilterCompliance({
    filter: connExtAuthz,
    validConfigs: [],
    waitingConfigs: [{ service }, { service, failureMode: 'allow', timeoutMs: 50 }],
    invalidConfigs: [
      { config: {}, pointers: [''] },
      {
        config: { service: {}, timeoutMs: 0, failureMode: 'open' },
        pointers: ['/service', '/timeoutMs', '/failureMode'],
      },
    ],
  }))
    it(`complies: ${name}`, async () => run());
});
