import { createMeshTls, type MeshTls } from '@tulle/spiffe';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { connect, TLSSocket } from 'node:tls';
import { expect, it, vi } from 'vitest';
import { controlPlane, join, type TestClient, type TestControlPlane } from './control-plane.ts';

const patient = { timeout: 15_000, interval: 5 };

async function member(
  plane: TestControlPlane,
  serviceAccount: string,
): Promise<{ client: TestClient; mesh: MeshTls }> {
  const { token } = await plane.ca.createJoinToken({ namespace: 'default', serviceAccount });
  const client = await join(plane, { joinToken: token, serviceAccount });
  await client.ready();
  return { client, mesh: createMeshTls({ identity: client }) };
}

it(
  '500 full handshakes between two members lose none while leaves, then issuers, turn over',
  { timeout: 90_000 },
  async () => {
    const plane = await controlPlane();
    const [web, api] = [await member(plane, 'web'), await member(plane, 'api')];
    const sockets = new Set<Socket>();
    const clientSerials = new Set<string>();
    const serverSerials = new Set<string>();
    const failures: unknown[] = [];
    const server = createServer((raw) => {
      sockets.add(raw);
      raw.on('error', () => undefined);
      raw.on('close', () => sockets.delete(raw));
      const handshake = api.mesh.inbound({ expected: [web.client.spiffeId] });
      if (handshake === undefined) return raw.destroy();
      const socket = new TLSSocket(raw, handshake.options);
      socket.on('error', (error: Error) => failures.push(error));
      socket.on('secure', () => {
        const verdict = handshake.verify(socket);
        if (!verdict.ok || socket.isSessionReused()) {
          failures.push(verdict);
          socket.destroy();
          return;
        }
        clientSerials.add(verdict.serial);
        socket.end('welcome');
      });
      return undefined;
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const bound = server.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;

    const handshake = async (): Promise<void> => {
      const outbound = web.mesh.outbound({ expected: [api.client.spiffeId] });
      const socket = connect({ host: '127.0.0.1', port, ...outbound?.options });
      let welcomed = false;
      socket.on('error', (error: Error) => failures.push(error));
      socket.on('secureConnect', () => {
        const verdict = outbound?.verify(socket);
        if (verdict?.ok === true) serverSerials.add(verdict.serial);
        else failures.push(verdict);
      });
      socket.on('data', () => (welcomed = true));
      await once(socket, 'close');
      if (!welcomed) failures.push('ended without a welcome');
    };
    const phase = async (rotate: () => Promise<void>, rounds: number): Promise<void> => {
      const before = plane.ca.status().leafEpoch;
      let rotating: Promise<void> | undefined;
      for (let round = 0; round < rounds; round++) {
        if (round === Math.floor(rounds / 4)) rotating = rotate();
        await Promise.all(Array.from({ length: 10 }, handshake));
      }
      await rotating;
      // Both sides have turned over; one more handshake shows the new serials.
      for (const { client } of [web, api])
        await vi.waitFor(
          () =>
            expect(client.events.filter((event) => event.kind === 'renewed').at(-1)).toMatchObject({
              leafEpoch: before + 1,
            }),
          patient,
        );
      await handshake();
    };

    try {
      await phase(() => plane.ca.rotateLeaves(), 25);
      expect(failures).toEqual([]);
      expect([clientSerials.size, serverSerials.size]).toEqual([2, 2]);
      await phase(() => plane.ca.rotateIssuer(), 25);
      expect(failures).toEqual([]);
      expect([clientSerials.size, serverSerials.size]).toEqual([3, 3]);
      expect(plane.ca.status().issuers).toHaveLength(2);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
      await Promise.all([web.client.close(), api.client.close()]);
      await plane.close();
    }
  },
);
