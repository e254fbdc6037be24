import { createMeshTls, type MeshTls, type VerifiedPeer } from '@tulle/spiffe';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { connect, TLSSocket } from 'node:tls';
import type { IdentityClientOptions } from '../src/identity-client.ts';
import { join, type TestClient, type TestControlPlane } from './control-plane.ts';

/** A workload with an identity, that accepts from others of the mesh and calls them, over real mutual TLS. */
export interface Member {
  readonly client: TestClient;
  readonly mesh: MeshTls;
  readonly port: number;
  /** Serials of the peers that called, and of those that were called. */
  readonly callers: Set<string>;
  readonly called: Set<string>;
  /** What went wrong on either side. */
  readonly failures: unknown[];
  /** A handshake with another member that must succeed; resumed ones where `resume` says so. */
  handshake(to: Member, options?: { readonly resume?: boolean }): Promise<void>;
  /** Handshakes that were resumed. */
  readonly resumed: () => number;
  /** A connection that stays, as an engine keeps it: it ends when its peer's root is removed. */
  stay(to: Member): Promise<{ readonly peer: VerifiedPeer; readonly ended: Promise<void> }>;
  close(): Promise<void>;
}

export async function member(
  plane: TestControlPlane,
  serviceAccount: string,
  options: Partial<IdentityClientOptions> = {},
): Promise<Member> {
  const { token } = await plane.ca.createJoinToken({ namespace: 'default', serviceAccount });
  const client = await join(plane, {
    joinToken: token,
    serviceAccount,
    instance: serviceAccount,
    ...options,
  });
  await client.ready();
  const mesh = createMeshTls({ identity: client });
  const sockets = new Set<Socket>();
  const failures: unknown[] = [];
  const callers = new Set<string>();
  const called = new Set<string>();
  const peers = new Map<TLSSocket, VerifiedPeer>();
  let resumed = 0;

  const endUntrusted = mesh.subscribe(({ removedRoots }) => {
    if (removedRoots.length > 0)
      for (const [socket, peer] of peers) if (!mesh.stillTrusted(peer)) socket.destroy();
  });
  const keep = (socket: TLSSocket, peer: VerifiedPeer): void => {
    peers.set(socket, peer);
    socket.on('close', () => peers.delete(socket));
  };

  const server: Server = createServer((raw) => {
    sockets.add(raw);
    raw.on('error', () => undefined);
    raw.on('close', () => sockets.delete(raw));
    const handshake = mesh.inbound({ expected: ['spiffe://example.org/ns/default/*'] });
    if (handshake === undefined) return void raw.destroy();
    const socket = new TLSSocket(raw, handshake.options);
    socket.on('error', (error: Error) => failures.push(error));
    socket.on('secure', () => {
      const verdict = handshake.verify(socket);
      if (!verdict.ok) {
        failures.push(verdict);
        return void socket.destroy();
      }
      callers.add(verdict.serial);
      keep(socket, verdict);
      socket.once('data', (data: Buffer) => {
        if (data.toString() === 'bye') socket.end('welcome');
        else socket.write('stay');
      });
      return undefined;
    });
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();

  const made: Member = {
    client,
    mesh,
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    callers,
    called,
    failures,
    resumed: () => resumed,
    async handshake(to, { resume = false } = {}) {
      const outbound = mesh.outbound({
        expected: [to.client.spiffeId],
        ...(resume ? { sessionKey: `127.0.0.1:${to.port}` } : {}),
      });
      const socket = connect({ host: '127.0.0.1', port: to.port, ...outbound?.options });
      let welcomed = false;
      socket.on('error', (error: Error) => failures.push(error));
      socket.on('secureConnect', () => {
        const verdict = outbound?.verify(socket);
        if (verdict?.ok === true) called.add(verdict.serial);
        else failures.push(verdict);
        if (socket.isSessionReused()) resumed++;
        socket.write('bye');
      });
      socket.on('data', () => (welcomed = true));
      await once(socket, 'close');
      if (!welcomed) failures.push('ended without a welcome');
    },
    async stay(to) {
      const outbound = mesh.outbound({ expected: [to.client.spiffeId] });
      const socket = connect({ host: '127.0.0.1', port: to.port, ...outbound?.options });
      socket.on('error', () => undefined);
      await once(socket, 'secureConnect');
      const peer = outbound?.verify(socket);
      if (peer?.ok !== true) throw new Error(`not believed: ${peer?.reason}`);
      keep(socket, peer);
      const ended = once(socket, 'close').then(() => undefined);
      socket.write('hello');
      await once(socket, 'data');
      return { peer, ended };
    },
    async close() {
      endUntrusted();
      for (const socket of [...sockets, ...peers.keys()]) socket.destroy();
      server.close();
      mesh.close();
      await client.close();
    },
  };
  return made;
}
