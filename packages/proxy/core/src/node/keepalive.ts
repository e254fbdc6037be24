import type { Socket } from 'node:net';
import type { TcpKeepalive } from '@tulle/model';

/** Has the kernel ask whether the other end lives; takes effect also before the socket is connected. */
export function setKeepalive(socket: Socket, { idleMs = 0, intervalMs, probes }: TcpKeepalive): void {
  // The types of Node 24 leave out what it takes besides.
  const set: (enable: boolean, idleMs: number, intervalMs?: number, probes?: number) => unknown =
    socket.setKeepAlive.bind(socket);
  set(true, idleMs, intervalMs, probes);
}
