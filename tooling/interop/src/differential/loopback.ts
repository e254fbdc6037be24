import { type AddressInfo, connect, createServer, type Server } from 'node:net';

/**
 * Address at which the listeners of this run are. A port cannot be kept free for another process to listen at, so that two runs at once
 * could choose the same one; on Linux the whole of 127.0.0.0/8 is loopback, and each process has an address of its own there.
 */
export const LISTENER_ADDRESS: string =
  process.platform === 'linux'
    ? `127.${64 + ((process.pid >> 16) & 63)}.${(process.pid >> 8) & 255}.${process.pid & 255}`
    : '127.0.0.1';

/** Ports of {@link LISTENER_ADDRESS} that are free, each another one. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listening(LISTENER_ADDRESS)));
  const ports = servers.map(portOf);
  await Promise.all(servers.map(closed));
  return ports;
}

/** A port of 127.0.0.1 at which nobody listens. */
export interface DeadPort {
  readonly port: number;
  close(): Promise<void>;
}

/** Takes such a port, and keeps it: it is the client's own of a connection that stays, which no other process is given to listen at. */
export async function deadPort(): Promise<DeadPort> {
  const server = await listening('127.0.0.1');
  server.on('connection', (other) => other.on('error', () => undefined).resume());
  const socket = connect({ host: '127.0.0.1', port: portOf(server) });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('error', reject);
  });
  return {
    port: (socket.address() as AddressInfo).port,
    async close() {
      socket.destroy();
      await closed(server);
    },
  };
}

function listening(host: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, host, () => resolve(server));
  });
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

const closed = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
