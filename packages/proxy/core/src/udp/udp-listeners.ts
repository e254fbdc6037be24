import { TulleError } from '@tulle/filter';
import { formatAddress, type Address } from '@tulle/model';
import type { Engine } from '../engine.ts';
import type { CompiledUdp } from './compiled-udp.ts';
import { UdpListener } from './udp-listener.ts';

/** Listeners of datagrams of a configuration that is about to be applied; their sockets are bound. */
export interface PreparedUdp {
  /** @returns whether anything changed */
  commit(): boolean;
  abandon(): void;
}

/** Every listener of datagrams of a proxy. */
export class UdpListeners {
  readonly #engine: Engine;
  readonly #listeners: Map<string, UdpListener> = new Map<string, UdpListener>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * Binds what is new, before anything else changes: only this can fail. One that moves to the address of one that leaves
   * takes over its socket, with its sessions.
   * @param open whether new ones are opened: a proxy that drains opens none
   * @throws TulleError `TULLE_CONFIG_INVALID` when an address cannot be had
   */
  async prepare(wanted: readonly CompiledUdp[], open: boolean): Promise<PreparedUdp> {
    const next = new Map<string, { readonly listener: UdpListener; readonly compiled: CompiledUdp }>();
    const fresh: UdpListener[] = [];
    const byAddress = new Map(
      [...this.#listeners.values()].map((one) => [formatAddress(one.compiled.address), one]),
    );
    try {
      for (const compiled of wanted) {
        const running = byAddress.get(formatAddress(compiled.address));
        if (running !== undefined && (running.compiled.name === compiled.name || compiled.address.port !== 0))
          next.set(compiled.name, { listener: running, compiled });
        else if (open) {
          const listener = new UdpListener(this.#engine, compiled);
          fresh.push(listener);
          await bind(listener);
          next.set(compiled.name, { listener, compiled });
        }
      }
    } catch (error) {
      for (const listener of fresh) listener.close();
      throw error;
    }
    return {
      commit: () => {
        let changed = fresh.length > 0;
        const kept = new Set([...next.values()].map(({ listener }) => listener));
        for (const listener of this.#listeners.values())
          if (!kept.has(listener)) {
            listener.close();
            changed = true;
          }
        this.#listeners.clear();
        for (const [name, { listener, compiled }] of next) {
          if (listener.compiled !== compiled && !fresh.includes(listener)) {
            changed ||= !isSame(listener.compiled, compiled);
            listener.replace(compiled);
          }
          listener.activate();
          this.#listeners.set(name, listener);
        }
        return changed;
      },
      abandon: () => {
        for (const listener of fresh) listener.close();
      },
    };
  }

  addresses(): Readonly<Record<string, Address>> {
    return Object.fromEntries([...this.#listeners].map(([name, { address }]) => [name, address]));
  }

  describe(): readonly {
    readonly name: string;
    readonly address: string;
    readonly protocol: 'udp';
    readonly sessions: number;
  }[] {
    return [...this.#listeners].map(([name, { address, sessions }]) => ({
      name,
      address: formatAddress(address),
      protocol: 'udp',
      sessions,
    }));
  }

  async drain(windowMs: number): Promise<void> {
    await Promise.all([...this.#listeners.values()].map((listener) => listener.drain(windowMs)));
  }

  close(): void {
    for (const listener of this.#listeners.values()) listener.close();
    this.#listeners.clear();
  }
}

async function bind(listener: UdpListener): Promise<void> {
  try {
    await listener.bind();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new TulleError('TULLE_CONFIG_INVALID', message, {
      cause: error,
      issues: [{ path: `${listener.compiled.path}/address`, message }],
    });
  }
}

function isSame(a: CompiledUdp, b: CompiledUdp): boolean {
  const text = ({ shares, ...rest }: CompiledUdp): string =>
    JSON.stringify({ ...rest, path: '', shares: shares.map(({ ref, weight }) => [ref.name, weight]) });
  return text(a) === text(b);
}
