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

/** Whether an address is a Unix socket. */
export function isUnixAddress(address: ListenAddress): address is UnixAddress {
  return 'path' in address;
}

/** `host:port`, `[v6]:port` or the socket's path: how logs, metrics and dumps print an address. */
export function formatAddress(address: ListenAddress): string {
  if (isUnixAddress(address)) return address.path;
  const { host, port, namespace } = address;
  const at = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return namespace === undefined ? at : `${at}@${namespace}`;
}
