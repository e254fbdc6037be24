/** Data and queues that guests with one VM id have in common, in this process. */
export interface SharedStore {
  readonly data: Map<string, { readonly value: Uint8Array; readonly cas: number }>;
  readonly queues: Map<number, SharedQueue>;
  readonly queueIds: Map<string, number>;
}

export interface SharedQueue {
  readonly items: Uint8Array[];
  /** Whoever registered it last is told of what comes. */
  ready: () => void;
}

/** Keys and queues of one store, and items of one queue. */
export const MOST_SHARED = 10_000;

const stores = new Map<string, { readonly store: SharedStore; users: number }>();
let queues = 0;

/** @returns the store of a VM id, and what to call when it is needed no more: with its last user it goes */
export function sharedStore(vmId: string): { readonly store: SharedStore; readonly release: () => void } {
  let entry = stores.get(vmId);
  if (entry === undefined) {
    entry = { store: { data: new Map(), queues: new Map(), queueIds: new Map() }, users: 0 };
    stores.set(vmId, entry);
  }
  const own = entry;
  own.users++;
  let released = false;
  return {
    store: own.store,
    release() {
      if (released) return;
      released = true;
      if (--own.users === 0 && stores.get(vmId) === own) stores.delete(vmId);
    },
  };
}

/** Numbers of queues are the process's. */
export function nextQueueId(): number {
  return ++queues;
}
