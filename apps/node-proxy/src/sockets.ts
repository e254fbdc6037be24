import { closeSync } from 'node:fs';
import net from 'node:net';
import { networkNamespaces, SystemCallError, type NetworkNamespaces } from '@tulle/intercept';
import { isUnixAddress, type ListenAddress, type NetworkOptions } from '@tulle/model';
import { bindSocket, type BoundSocket, type SocketHandle } from '@tulle/supervisor';

/**
 * Of sockets of the proxy inside the network of a workload, so that the rules there let them pass: "tulle" read as a
 * number, far from the small ones that other programs choose.
 */
export const PROXY_MARK = 0x7411e;

type CreateServerHandle = (address: null, port: 0, addressType: -1, fd: number) => SocketHandle | number;

/** Binds in the network that the address says. @throws Error naming the address */
export function bindInside(namespaces: NetworkNamespaces): (address: ListenAddress) => BoundSocket {
  return (address) => {
    if (isUnixAddress(address) || address.namespace === undefined) return bindSocket(address);
    const namespace = namespaces.open({ path: address.namespace });
    try {
      const { fd, address: bound } = namespace.listen(address, { mark: PROXY_MARK });
      // The handle of a descriptor, as `listen({ fd })` makes it: private API of Node, like that of the supervisor.
      const create = (net as unknown as { readonly _createServerHandle: CreateServerHandle })
        ._createServerHandle;
      const handle = create(null, 0, -1, fd);
      if (typeof handle === 'number') throw new Error(`a listening socket cannot be taken over: ${handle}`);
      return { handle, address: { ...address, port: bound.port } };
    } finally {
      namespace.close();
    }
  };
}

/** Whether programs in a network speak IPv6 to themselves, so that the proxy can take theirs there. */
export function hasIpv6(namespaces: NetworkNamespaces, path: string): boolean {
  const namespace = namespaces.open({ path });
  try {
    closeSync(namespace.listen({ host: '::1', port: 0 }).fd);
    return true;
  } catch (error) {
    if (error instanceof SystemCallError && ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(error.code))
      return false;
    throw error;
  } finally {
    namespace.close();
  }
}

/** Makes sockets for connections that leave from the network of a workload. */
export function openInside(): (network: NetworkOptions, family: 4 | 6) => number {
  const namespaces = networkNamespaces();
  return ({ namespace: path, mark }, family) => {
    const options = mark === undefined ? {} : { mark };
    if (path === undefined) return namespaces.own.socket(family, options);
    // Opened each time: another workload may have the same path by now.
    const namespace = namespaces.open({ path });
    try {
      return namespace.socket(family, options);
    } finally {
      namespace.close();
    }
  };
}
