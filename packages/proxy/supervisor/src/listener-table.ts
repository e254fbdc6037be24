import { formatAddress, isUnixAddress, type Address } from '@tulle/model';
import { rmSync } from 'node:fs';
import { bindSocket, type BoundSocket } from './bound-socket.ts';

/** The supervisor's sockets: bound once, lent to processes, closed when the configuration needs them no more. */
export interface ListenerTable {
  /** Binds and keeps the socket for the supervisor's life, whether or not a process uses it. */
  pin(address: Address, bound?: (fd: number) => void): Address;
  /**
   * The socket for an address, bound now if it was not yet.
   * @param holder who borrows it, e.g. a process's generation
   */
  acquire(address: Address, holder: number): { readonly key: string; readonly socket: BoundSocket };
  /** The holder's configuration dropped it: closed once nobody holds it. */
  release(key: string, holder: number): void;
  /** The holder is gone, by drain or crash: its sockets stay for its successor. */
  forget(holder: number): void;
  /** Closes what nobody holds; called when every process stands on the current configuration. */
  sweep(): void;
  /** Addresses held now. */
  addresses(): readonly Address[];
  closeAll(): void;
}

interface Entry {
  readonly socket: BoundSocket;
  readonly holders: Set<number>;
  pinned: boolean;
}

/** An empty table. @param make binds a socket */
export function createListenerTable(make: (address: Address) => BoundSocket = bindSocket): ListenerTable {
  const entries = new Map<string, Entry>();

  const bind = (key: string, address: Address): Entry => {
    const entry: Entry = { socket: make(address), holders: new Set(), pinned: false };
    entries.set(key, entry);
    return entry;
  };

  const close = (key: string, entry: Entry): void => {
    entries.delete(key);
    entry.socket.handle.close();
    if (isUnixAddress(entry.socket.address)) rmSync(entry.socket.address.path, { force: true });
  };

  /** Port 0 means "one of your choice": the first such socket that the holder does not hold yet, so that all workers share them in order. */
  const keyOf = (address: Address, holder: number): string => {
    const text = formatAddress(address);
    if (isUnixAddress(address) || address.port !== 0) return text;
    for (let n = 0; ; n++) {
      const key = `${text}#${n}`;
      if (entries.get(key)?.holders.has(holder) !== true) return key;
    }
  };

  return {
    pin(address, bound) {
      const found = [...entries.values()].find(
        (e) => formatAddress(e.socket.address) === formatAddress(address),
      );
      const entry = found ?? bind(formatAddress(address), address);
      entry.pinned = true;
      const { fd } = entry.socket.handle;
      if (fd !== undefined && fd >= 0) bound?.(fd);
      const real = formatAddress(entry.socket.address);
      if (found === undefined && real !== formatAddress(address)) {
        // Found later under the number that it got.
        entries.delete(formatAddress(address));
        entries.set(real, entry);
      }
      return entry.socket.address;
    },
    acquire(address, holder) {
      const key = keyOf(address, holder);
      const entry = entries.get(key) ?? bind(key, address);
      entry.holders.add(holder);
      return { key, socket: entry.socket };
    },
    release(key, holder) {
      const entry = entries.get(key);
      if (entry === undefined) return;
      entry.holders.delete(holder);
      if (entry.holders.size === 0 && !entry.pinned) close(key, entry);
    },
    forget(holder) {
      for (const entry of entries.values()) entry.holders.delete(holder);
    },
    sweep() {
      for (const [key, entry] of entries) if (entry.holders.size === 0 && !entry.pinned) close(key, entry);
    },
    addresses: () => [...entries.values()].map((e) => e.socket.address),
    closeAll() {
      for (const [key, entry] of entries) close(key, entry);
    },
  };
}
