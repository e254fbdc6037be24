import type { InternalAddress } from '@tulle/model';
import { formatAddress } from '@tulle/model';
import type { EngineLimits } from '../limits.ts';
import type { ListenOwner, Socket } from '../ports.ts';
import type { Turn } from '../turn.ts';
import { InternalSocket } from './internal-socket.ts';
import { INTERNAL_CLIENT, type Passed } from './passed.ts';

/** Listeners that take connections of this process, which know no socket of the kernel (Envoy: internal listeners). */
export class InternalListeners {
  readonly #turn: Turn;
  readonly #limits: EngineLimits;
  readonly #owners: Map<string, ListenOwner> = new Map<string, ListenOwner>();

  constructor(turn: Turn, limits: EngineLimits) {
    this.#turn = turn;
    this.#limits = limits;
  }

  /** @returns takes no more */
  listen(name: string, owner: ListenOwner): () => void {
    this.#owners.set(name, owner);
    return () => {
      if (this.#owners.get(name) === owner) this.#owners.delete(name);
    };
  }

  /** Begins to connect; who listens is looked for at the end of the turn. */
  connect(address: InternalAddress, passed: Passed): Socket {
    const bytes = this.#limits.internalBufferBytes;
    const near = new InternalSocket(this.#turn, bytes, INTERNAL_CLIENT);
    near.connectLater(() => this.#join(near, bytes, address, passed));
    return near;
  }

  #join(near: InternalSocket, bytes: number, address: InternalAddress, passed: Passed): void {
    const local = formatAddress(address);
    const owner = this.#owners.get(address.internal);
    if (owner === undefined) return near.fail(refused(`${local}: there is no such listener`));
    const most = this.#limits.maxInternalHops;
    if (passed.depth > most)
      return near.fail(
        refused(`${local}: more than ${most} listeners of this process lead to each other (maxInternalHops)`),
      );
    const far = new InternalSocket(this.#turn, bytes, '', { remote: INTERNAL_CLIENT, local, passed });
    near.joined(far);
    owner.accept(far);
  }
}

const refused = (message: string) => ({ kind: 'refused', reason: 'ECONNREFUSED', message }) as const;
