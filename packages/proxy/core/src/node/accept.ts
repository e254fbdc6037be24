import { Socket as NetSocket, type Server } from 'node:net';
import type { TcpKeepalive } from '@tulle/model';
import { setKeepalive } from './keepalive.ts';
import { NodeSocket } from './node-socket.ts';

/** What libuv's wrapper of an accepted connection is to us: something to put into a socket. */
interface AcceptedHandle {
  close(): void;
}

interface ServerHandle {
  onconnection?: (status: number, client: AcceptedHandle | undefined) => void;
}

/**
 * Accepted sockets that read into our own buffers: `net.Server` has no option for it, so the callback of its handle is
 * replaced and makes the sockets itself. This is private API of Node (decision D1); where it is not there, the caller
 * falls back to ordinary sockets, which are slower and otherwise alike.
 * @param direct asked for each connection; false gives an ordinary socket
 * @param keepalive likewise; what the kernel does about one that is silent
 * @returns whether it could be done
 */
export function acceptDirectly(
  server: Server,
  accept: (socket: NodeSocket) => void,
  direct: () => boolean,
  keepalive: () => TcpKeepalive | undefined,
  onError: (status: number) => void,
): boolean {
  const handle = (server as unknown as { _handle?: ServerHandle | null })._handle;
  if (handle === undefined || handle === null || typeof handle.onconnection !== 'function') return false;
  handle.onconnection = (status, client) => {
    if (status !== 0 || client === undefined) return onError(status);
    accept(adopt(client, direct(), keepalive()));
  };
  return true;
}

function adopt(handle: AcceptedHandle, direct: boolean, keepalive: TcpKeepalive | undefined): NodeSocket {
  const socket = new NodeSocket(direct);
  const options = {
    handle,
    allowHalfOpen: true,
    ...(direct ? { onread: socket.onread } : { pauseOnCreate: true }),
  };
  const raw = new NetSocket(options as ConstructorParameters<typeof NetSocket>[0]);
  raw.setNoDelay(true);
  if (keepalive !== undefined) setKeepalive(raw, keepalive);
  return socket.attach(raw, true);
}
