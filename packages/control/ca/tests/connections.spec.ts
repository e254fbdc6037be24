import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type TLSSocket } from 'node:tls';
import { noMeter, type Meter } from '@tulle/telemetry';
import { createKeyAndCsr } from '@tulle/spiffe';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { observeConnections } from '../src/metrics.ts';
import type { MeshGrpcServerOptions } from '../src/mesh-grpc-server.ts';
import { controlPlane, join, web, webId, type TestControlPlane } from './control-plane.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});
async function start(grpc: Partial<MeshGrpcServerOptions>): Promise<TestControlPlane> {
  const plane = await controlPlane({ grpc });
  opened.push(() => plane.close());
  return plane;
}
/** A connection that does nothing. */
async function silent(plane: TestControlPlane, identified: boolean): Promise<TLSSocket> {
  const { csrDer, privateKeyPem } = await createKeyAndCsr(webId);
  const cert = (await plane.ca.issueLocal(webId, csrDer)).certificateChainPem;
  const socket = connect({
    port: plane.grpc.port,
    host: '127.0.0.1',
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
    ...(identified ? { cert, key: privateKeyPem } : {}),
  });
  opened.push(() => socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

describe('connections to the control plane', () => {
  it('end when nobody calls on them, also when they speak HTTP/2 and have proved who they are', async () => {
    const plane = await start({ idleTimeoutMs: 50 });
    const socket = await silent(plane, true);
    const session = connectHttp2('https://control', { createConnection: () => socket });
    opened.push(() => session.destroy());
    session.on('error', () => undefined);
    await once(session, 'close');
    await vi.waitFor(() =>
      expect(plane.grpc.stats()).toMatchObject({ connections: 0, idleEnded: 1, unauthenticatedExpired: 0 }),
    );
  });

  it('stay while there is a call, and end some time after it', async () => {
    const plane = await start({ idleTimeoutMs: 300 });
    const { token } = await plane.ca.createJoinToken(web);
    const member = await join(plane, { joinToken: token });
    await member.ready();
    await vi.waitFor(() => expect(plane.grpc.stats().connections).toBe(1)); // that of its Watch
    await new Promise((resolve) => setTimeout(resolve, 900)); // thrice the bound
    expect(plane.grpc.stats()).toMatchObject({ connections: 1 });
    await member.close();
    await vi.waitFor(() => expect(plane.grpc.stats().connections).toBe(0));
  });

  it('without a certificate are few, and end soon, whatever they do', async () => {
    const plane = await start({ maxUnauthenticated: 1, unauthenticatedLifetimeMs: 3_000 });
    const reads = new Map<string, () => number>();
    const meter: Meter = {
      ...noMeter,
      observed(name, { labels }, read) {
        reads.set([name, ...Object.values(labels ?? {})].join(' '), read);
        return () => undefined;
      },
    };
    observeConnections(meter, plane.grpc);
    const first = (await silent(plane, false)).resume();
    await vi.waitFor(() => expect(plane.grpc.stats().unauthenticated).toBe(1));
    const second = (await silent(plane, false)).resume();
    if (!second.closed) await once(second, 'close');
    expect(plane.grpc.stats()).toMatchObject({ unauthenticatedDropped: 1, unauthenticatedExpired: 0 });
    await silent(plane, true); // whoever proves who it is has room
    await once(first, 'close');
    await vi.waitFor(() => expect(plane.grpc.stats().unauthenticated).toBe(0));
    expect(Object.fromEntries([...reads].map(([name, read]) => [name, read()]))).toEqual({
      tulle_control_connections: 1,
      tulle_control_unauthenticated_connections: 0,
      'tulle_control_connections_ended_total maxConnections': 0,
      'tulle_control_connections_ended_total maxUnauthenticated': 1,
      'tulle_control_connections_ended_total unauthenticatedLifetimeMs': 1,
      'tulle_control_connections_ended_total idleTimeoutMs': 0,
    });
  });
});
