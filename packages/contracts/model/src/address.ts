/** Where to listen or connect. */
export type Address = TcpAddress | UnixAddress;

/** An IP address (or, for upstreams resolved by DNS, a host name) with a port. */
export interface TcpAddress {
  readonly host: string;
  /** 0 on a listener: the system chooses. */
  readonly port: number;
}

/** Where a listener is. */
export type ListenAddress = ListenTcpAddress | UnixAddress;

export interface ListenTcpAddress extends TcpAddress {
  /** File of the network namespace that it is in, e.g. `/run/netns/web`. Absent: the process's own. */
  readonly namespace?: string;
}

/** A Unix domain socket. */
export interface UnixAddress {
  readonly path: string;
}

/**
 * A listener of the same process, which connections reach without a socket of the kernel (Envoy `EnvoyInternalAddress`): on a listener
 * its own name, on an endpoint that of the listener which takes its connections.
 */
export interface InternalAddress {
  /** Name of the listener (Envoy `server_listener_name`). */
  readonly internal: string;
  /** Tells endpoints apart that one listener takes (Envoy `endpoint_id`). Default none; a listener has none. */
  readonly id?: string;
}

/** Whether an address is a Unix socket. */
export function isUnixAddress(address: ListenAddress | InternalAddress): address is UnixAddress {
  return 'path' in address;
}

/** Whether an address is a listener of the same process. */
export function isInternalAddress(address: ListenAddress | InternalAddress): address is InternalAddress {
  return 'internal' in address;
}

/** `host:port`, `[v6]:port`, the socket's path, or `envoy://listener/id`: how logs, metrics and dumps print an address. */
export function formatAddress(address: ListenAddress | InternalAddress): string {
  if (isUnixAddress(address)) return address.path;
  if (isInternalAddress(address)) return `envoy://${address.internal}/${address.id ?? ''}`;
  const { host, port, namespace } = address;
  const at = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return namespace === undefined ? at : `${at}@${namespace}`;
}
