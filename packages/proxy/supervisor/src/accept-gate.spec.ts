import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { TcpAddress } from '@tulle/model';
import { afterEach, describe, expect, it } from 'vitest';
import { AcceptGate, type ConnectionHandle } from './accept-gate.ts';
import { bindSocket } from './bound-socket.ts';

interface Offered {
  readonly connection: ConnectionHandle;
  done(error: Error | null): void;
}

describe('the gate before a server', () => {
  const open: (() => void)[] = [];
  afterEach(() => {
    for (const close of open.splice(0)) close();
  });

  /** A process: a real server on a real socket, and what goes to the supervisor. */
  const makeProcess = async (): Promise<{
    gate: AcceptGate;
    server: Server;
    offers: Offered[];
    served: Socket[];
    call(): Socket;
    next(): Promise<Socket>;
  }> => {
    const offers: Offered[] = [];
    let nowMs = 0;
    const gate = new AcceptGate({
      offer: (_key, _connections, connection, done) => void offers.push({ connection, done }),
      changed: () => {},
      nowMs: () => nowMs++,
    });
    const { handle, address } = bindSocket({ host: '127.0.0.1', port: 0 });
    gate.guard('key', handle);
    const served: Socket[] = [];
    const server = createServer((socket) => void served.push(socket.on('error', () => {})));
    server.listen(handle as never);
    await once(server, 'listening');
    open.push(() => server.close());
    return {
      gate,
      server,
      offers,
      served,
      call() {
        const { host, port } = address as TcpAddress;
        const socket = connect(port, host).on('error', () => {});
        open.push(() => socket.destroy());
        return socket;
      },
      async next() {
        const [socket] = (await once(server, 'connection')) as [Socket];
        return socket;
      },
    };
  };

  it('counts connections until they are closed, by whom and how ever', async () => {
    const { gate, call, next } = await makeProcess();
    const ends: ((socket: Socket, caller: Socket) => void)[] = [
      (socket) => void socket.destroy(),
      (socket) => void socket.end(),
      (socket) => void socket.resetAndDestroy(),
      (_, caller) => void caller.destroy(),
      (_, caller) => void caller.resetAndDestroy(),
    ];
    for (const end of ends) {
      const coming = next();
      const caller = call();
      const socket = await coming;
      socket.resume();
      caller.resume();
      if (caller.connecting) await once(caller, 'connect');
      expect(gate.connections).toBe(1);
      const closed = new Promise((resolve) => socket.once('close', resolve)); // after an error or without
      end(socket, caller);
      await closed;
      expect(gate.connections).toBe(0);
    }
  });

  it('gives away what is more than another has, keeps it when nobody can be asked, and takes what others give', async () => {
    const { gate, offers, call, next } = await makeProcess();
    const first = next();
    call();
    await first; // nobody else is known
    gate.least = 1;
    const second = next();
    call();
    await second;
    expect(offers).toHaveLength(0);
    const caller = call();
    await expect.poll(() => offers.length).toBe(1);
    expect(gate.connections).toBe(2);
    const back = next();
    offers[0]?.done(new Error('the supervisor is gone'));
    await back;
    expect(gate.connections).toBe(3);
    expect(caller.destroyed).toBe(false);

    call();
    await expect.poll(() => offers.length).toBe(2);
    const taken = next();
    expect(gate.take('other', offers[1]?.connection as ConnectionHandle)).toBe(false);
    expect(gate.take('key', offers[1]?.connection as ConnectionHandle)).toBe(true);
    await taken;
    expect(gate.connections).toBe(4);
  });

  it('closes its copy of what another has, and takes nothing when its server is closed', async () => {
    const { gate, server, offers, call } = await makeProcess();
    gate.least = -1;
    const caller = call();
    await expect.poll(() => offers.length).toBe(1);
    let closed = 0;
    const connection = offers[0]?.connection as ConnectionHandle;
    const close = connection.close.bind(connection);
    connection.close = (callback) => {
      closed += 1;
      close(callback);
    };
    offers[0]?.done(null);
    expect([closed, gate.connections]).toEqual([1, 0]);
    caller.destroy();
    server.close();
    expect(gate.take('key', connection)).toBe(false);
  });
});
