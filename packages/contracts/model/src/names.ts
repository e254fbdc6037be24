/** Which way, port, subset and host a cluster or route configuration is for (decision D15). */
export interface WireName {
  readonly direction: 'inbound' | 'outbound';
  readonly port: number;
  /** `udp` for datagrams, beside which connections may have the same port; absent for connections. */
  readonly transport?: 'udp';
  /** Version or other subset; `''` for all. */
  readonly subset: string;
  /** Fully qualified service host, e.g. `reviews.default.svc.mesh.local`. */
  readonly host: string;
}

/** `outbound|8080||reviews.default.svc.mesh.local`; of datagrams `outbound|53/udp||dns.default.svc.mesh.local` */
export function formatWireName(name: WireName): string {
  return `${name.direction}|${name.port}${name.transport === undefined ? '' : `/${name.transport}`}|${name.subset}|${name.host}`;
}

/** @returns `undefined` when `text` is no such name */
export function parseWireName(text: string): WireName | undefined {
  const match = /^(inbound|outbound)\|(\d{1,5})(\/udp)?\|([^|]*)\|([^|]*)$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[2]);
  if (port > 65_535) return undefined;
  return {
    direction: match[1] as 'inbound' | 'outbound',
    port,
    ...(match[3] === undefined ? {} : { transport: 'udp' as const }),
    subset: match[4] ?? '',
    host: match[5] ?? '',
  };
}
