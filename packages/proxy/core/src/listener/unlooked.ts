import type { Listener, PortRange } from '@tulle/model';
import type { FirstBytes } from './client-hello.ts';

const NOTHING: readonly string[] = Object.freeze([]);

/** What of a connection's first bytes is not looked at, since it was going to a port that servers speak first at. */
export interface Unlooked {
  readonly tls: boolean;
  readonly http: boolean;
}

/** @returns `undefined` where everything is */
export function unlookedAt({ unlookedPorts }: Listener, port: number): Unlooked | undefined {
  if (unlookedPorts === undefined) return undefined;
  const { tls = NO_PORTS, http = NO_PORTS } = unlookedPorts;
  const at = { tls: holds(tls, port), http: holds(http, port) };
  return at.tls || at.http ? at : undefined;
}

const NO_PORTS: readonly PortRange[] = [];

const holds = (ranges: readonly PortRange[], port: number): boolean =>
  ranges.some(({ from, to }) => from <= port && port <= to);

/** What is seen where not all is looked at. */
export function seenOf(seen: FirstBytes | undefined, { tls, http }: Unlooked): FirstBytes | undefined {
  if (seen === undefined) return undefined;
  if (seen.tls ? tls : http) return { tls: false, serverName: undefined, applicationProtocols: NOTHING };
  return seen;
}
