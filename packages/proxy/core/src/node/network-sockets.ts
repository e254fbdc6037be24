import { isIPv6, Socket as NetSocket, type SocketConstructorOpts } from 'node:net';
import { formatAddress, type NetworkOptions, type TcpAddress } from '@tulle/model';

/** Makes a TCP socket that is not connected, in a network and with a mark. @returns its descriptor */
export type OpenSocket = (network: NetworkOptions, family: 4 | 6) => number;

/** Begins to connect by a socket of that network; where there can be none, it fails like any connection. */
export function connectInside(
  open: OpenSocket | undefined,
  address: TcpAddress,
  network: NetworkOptions,
  options: SocketConstructorOpts,
): NetSocket {
  try {
    if (open === undefined)
      throw new Error(
        `cannot connect to ${formatAddress(address)} from ${network.namespace ?? 'here'} with a mark: give nodeTransport({ openSocket })`,
      );
    const raw = new NetSocket({ ...options, fd: open(network, isIPv6(address.host) ? 6 : 4) });
    raw.setNoDelay(true);
    return raw.connect({ host: address.host, port: address.port });
  } catch (error) {
    const never = new NetSocket();
    setImmediate(() => never.destroy(error as Error));
    return never;
  }
}
