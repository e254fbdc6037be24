import { isInternalAddress, isUnixAddress, type Listener, type TcpAddress } from '@tulle/model';
import type { Socket } from '../ports.ts';
import type { ProxiedFields } from './proxied-fields.ts';
import type { ProxiedAddresses } from './proxy-protocol.ts';

/** A connection that another listener accepted, as far as it got there. */
export interface HandedOver {
  /** Where it was going. */
  readonly asked: TcpAddress;
  /** What a header of the PROXY protocol said, which is read. */
  readonly said: ProxiedAddresses | undefined;
  /** What it said besides; `undefined`: there was none. */
  readonly proxied: ProxiedFields | undefined;
  /** Its first bytes, as far as they came. */
  readonly first: Buffer | undefined;
  readonly peerEnded: boolean;
}

/** Who takes connections that others accepted. */
export interface Taker {
  takeOver(socket: Socket, handed: HandedOver): void;
}

/** Listeners by their addresses, for those that hand over what was going there (Envoy `use_original_dst`). */
export class Takers {
  readonly #takers: Map<string, Taker> = new Map<string, Taker>();

  /** From now on it takes what goes to its addresses. */
  add(taker: Taker, listener: Listener): void {
    for (const key of keysOf(listener)) this.#takers.set(key, taker);
  }

  /** It takes nothing any more; who came in its place stays. */
  remove(taker: Taker, listener: Listener): void {
    for (const key of keysOf(listener)) if (this.#takers.get(key) === taker) this.#takers.delete(key);
  }

  /** Who has this very address, else who has its port at every address; `undefined`: nobody. */
  at({ host, port }: TcpAddress): Taker | undefined {
    const takers = this.#takers;
    if (takers.size === 0) return undefined;
    const exact = takers.get(keyOf(host, port));
    if (exact !== undefined) return exact;
    return (
      (host.includes(':') ? undefined : takers.get(keyOf('0.0.0.0', port))) ?? takers.get(keyOf('::', port))
    );
  }
}

const keyOf = (host: string, port: number): string => `${port} ${host}`;

function keysOf({ address, additionalAddresses = [], hbone }: Listener): string[] {
  // What carries tunnels proves who it is before anything else.
  if (hbone !== undefined) return [];
  return [address, ...additionalAddresses].flatMap((one) =>
    isInternalAddress(one) ||
    isUnixAddress(one) ||
    one.port === 0 ||
    ('namespace' in one && one.namespace !== undefined)
      ? []
      : [keyOf(one.host, one.port)],
  );
}
