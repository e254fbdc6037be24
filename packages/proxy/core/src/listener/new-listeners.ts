import { isInternalAddress, isUnixAddress, type InternalAddress, type ListenAddress } from '@tulle/model';
import type { CompiledListener } from '../compile/compiled-listener.ts';
import type { Engine } from '../engine.ts';
import { ListenerRuntime } from './listener.ts';

/** Which socket passes from a listener that leaves to a new one. */
interface Legacy {
  readonly from: ListenerRuntime;
  readonly to: ListenerRuntime;
  readonly address: ListenAddress | InternalAddress;
}

/**
 * Listeners that are new, or whose addresses changed: their sockets are bound before anything else changes, since that can
 * fail. Those of listeners that leave go on serving, for the new one that has their address.
 */
export class NewListeners {
  readonly runtimes: ListenerRuntime[] = [];
  /** JSON pointer of the address that was bound last. */
  at = '';
  readonly #engine: Engine;
  readonly #running: ReadonlyMap<string, ListenerRuntime>;
  readonly #next: ReadonlyMap<string, CompiledListener>;
  #legacies: Legacy[] = [];

  /** @param next what is to run after the change */
  constructor(
    engine: Engine,
    running: ReadonlyMap<string, ListenerRuntime>,
    next: ReadonlyMap<string, CompiledListener>,
  ) {
    this.#engine = engine;
    this.#running = running;
    this.#next = next;
  }

  /** @param path JSON pointer of the listener @throws when an address cannot be had; {@link at} says which */
  async open(listener: CompiledListener, path: string): Promise<void> {
    const to = new ListenerRuntime(this.#engine, listener);
    this.runtimes.push(to);
    const { address, additionalAddresses = [], unbound } = listener.config;
    if (unbound === true) return;
    for (const [index, one] of [address, ...additionalAddresses].entries()) {
      this.at = index === 0 ? `${path}/address` : `${path}/additionalAddresses/${index - 1}`;
      const from = this.#leavingAt(one);
      if (from === undefined) await to.bind(one);
      else this.#legacies.push({ from, to, address: one });
    }
  }

  /** They are not taken into use. */
  async abandon(): Promise<void> {
    this.#legacies = [];
    for (const runtime of this.runtimes.splice(0)) await runtime.abandon();
  }

  /** The change is certain: sockets of listeners that leave pass on. */
  inherit(): void {
    for (const { from, to, address } of this.#legacies) to.inherit(from, address);
  }

  /** The running listener at this address when it leaves (renamed, or moved elsewhere). */
  #leavingAt(address: ListenAddress | InternalAddress): ListenerRuntime | undefined {
    if (!isInternalAddress(address) && !isUnixAddress(address) && address.port === 0) return undefined;
    for (const [name, runtime] of this.#running) {
      const next = this.#next.get(name);
      const stays = next !== undefined && sameAddresses(runtime.compiled, next);
      if (!stays && runtime.listensAt(address)) return runtime;
    }
    return undefined;
  }
}

/** Whether a listener stays where it is. */
export function sameAddresses(a: CompiledListener, b: CompiledListener): boolean {
  const of = ({ config: { address, additionalAddresses = [], unbound = false } }: CompiledListener): string =>
    JSON.stringify([address, ...additionalAddresses, unbound]);
  return of(a) === of(b);
}
