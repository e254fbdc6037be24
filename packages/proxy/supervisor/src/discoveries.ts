import type { Discover } from '@tulle/model';
import type { ToSupervisor } from './protocol.ts';

/** What an engine process has looked for by its supervisor, which bounds how long that takes. */
export interface Discoveries {
  readonly discover: Discover;
  /** The answer has come. */
  discovered(id: number): void;
  /** Nobody answers any more. */
  end(): void;
}

/** @param send throws nothing */
export function createDiscoveries(send: (message: ToSupervisor) => void): Discoveries {
  const waiting = new Map<number, () => void>();
  let nextId = 1;
  let over = false;
  return {
    discover: async (demand) =>
      new Promise((resolve) => {
        if (over) return resolve();
        const id = nextId++;
        waiting.set(id, resolve);
        send({ kind: 'discover', id, demand });
      }),
    discovered(id) {
      waiting.get(id)?.();
      waiting.delete(id);
    },
    end() {
      over = true;
      for (const resolve of waiting.values()) resolve();
      waiting.clear();
    },
  };
}
