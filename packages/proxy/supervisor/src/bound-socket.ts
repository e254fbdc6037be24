// The one file that uses private API of Node: `net._createServerHandle`, which `node:cluster` itself is built on. It
// binds a socket without accepting on it, so that the supervisor can hold the socket while only its children accept.
// Where it is gone, one process that accepts by itself needs none of it.
import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { TulleError } from '@tulle/filter';
import { formatAddress, isUnixAddress, type Address } from '@tulle/model';

/**
 * A bound socket as Node carries it: `net.Server.listen()` takes it, and so does `subprocess.send()` as its handle.
 * Opaque otherwise.
 */
export interface SocketHandle {
  close(callback?: () => void): void;
  /** File descriptor of the socket, where Node tells it. */
  readonly fd?: number;
}

interface BindingHandle extends SocketHandle {
  /** 0, or a negative errno; also tells of a bind that failed. */
  getsockname(out: { address?: string; port?: number }): number;
}

type CreateServerHandle = (
  address: string,
  port: number,
  addressType: 4 | 6 | -1,
  fd?: number,
  flags?: number,
) => BindingHandle | number;

/** A socket that is bound and not yet accepting. */
export interface BoundSocket {
  readonly handle: SocketHandle;
  /** With the port that the system chose where 0 was asked for. */
  readonly address: Address;
}

/** Whether this Node can bind without accepting; where not, {@link bindSocket} refuses and {@link holdSocket} is left. */
export function canBindSockets(): boolean {
  return typeof (net as { _createServerHandle?: unknown })._createServerHandle === 'function';
}

/**
 * Binds. Connections are refused until the first process listens on the handle; from then on the kernel queues them
 * whether or not a process is there to accept.
 * @throws TulleError `TULLE_CONFIG_INVALID` naming the address and the reason
 */
export function bindSocket(address: Address): BoundSocket {
  const create = (net as { _createServerHandle?: CreateServerHandle })._createServerHandle;
  if (create === undefined) {
    throw new TulleError(
      'TULLE_CONFIG_UNSUPPORTED',
      `Node ${process.versions.node} cannot bind ${formatAddress(address)} without accepting on it, which holding a socket across restarts needs; run it with Node 24`,
    );
  }
  if (isUnixAddress(address)) {
    const handle = create(address.path, -1, -1);
    if (typeof handle === 'number') throw refused(address, handle);
    return { handle, address };
  }
  const family = net.isIP(address.host);
  if (family === 0) {
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      `cannot listen on ${formatAddress(address)}: ${JSON.stringify(address.host)} is no IP address; write e.g. 127.0.0.1 or ::1`,
    );
  }
  const handle = create(address.host, address.port, family as 4 | 6);
  if (typeof handle === 'number') throw refused(address, handle);
  const name: { address?: string; port?: number } = {};
  // libuv puts the error of a bind off until the handle is used; asking for the name brings it out.
  const fault = handle.getsockname(name);
  if (fault !== 0) {
    handle.close();
    throw refused(address, fault);
  }
  return { handle, address: { host: address.host, port: name.port ?? address.port } };
}

/**
 * Holds an address with public API alone, for a process that also accepts on it: an ordinary server, whose handle the
 * engine's server takes over. What connects before that is closed instead of refused.
 * @throws TulleError `TULLE_CONFIG_INVALID` naming the address and the reason
 */
export async function holdSocket(address: Address): Promise<BoundSocket> {
  const server = net.createServer((early) => early.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(refused(address, error.errno ?? 0)));
    server.listen(
      isUnixAddress(address) ? { path: address.path } : { host: address.host, port: address.port },
      resolve,
    );
  });
  const bound = server.address();
  return {
    handle: server,
    address:
      isUnixAddress(address) || bound === null || typeof bound === 'string'
        ? address
        : { host: address.host, port: bound.port },
  };
}

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there; stop it or choose another port (0 lets the system choose)',
  EACCES: 'this user may not; choose a port above 1023 or grant CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'this machine has no such address',
};

function refused(address: Address, errno: number): TulleError {
  const code = errno < 0 ? getSystemErrorName(errno) : 'unknown error';
  return new TulleError(
    'TULLE_CONFIG_INVALID',
    `cannot listen on ${formatAddress(address)}: ${code}${HINTS[code] === undefined ? '' : `, ${HINTS[code]}`}`,
    { context: { address: formatAddress(address), reason: code } },
  );
}
