import type { SharedLimit, TokenLender } from '@tulle/time';
import { createPending } from './pending.ts';
import type { ToSupervisor } from './protocol.ts';

/**
 * A request may wait for the answer. It takes some 0.2 ms, more behind a burst of connections that change hands (each waits
 * for the one before) or on a busy machine; past this the supervisor hangs. One that is gone is known at once.
 */
const ANSWER_TIMEOUT_MS = 250;

/** The supervisor's {@link TokenLender}, as an engine process has it. */
export interface TokenDesk extends TokenLender {
  /** An answer has come. */
  lent(id: number, granted: number, retryInMs: number): void;
}

/**
 * @param parties processes that share
 * @param send throws nothing; @returns whether there is somebody to send to
 */
export function createTokenDesk(parties: number, send: (message: ToSupervisor) => boolean): TokenDesk {
  const pending = createPending(ANSWER_TIMEOUT_MS, 'the supervisor');
  return {
    parties,
    async borrow(limit: SharedLimit, key: string, want: number) {
      return pending.ask((id) => {
        if (!send({ kind: 'borrow', id, limit, key, want }))
          pending.reject(id, new Error('the supervisor is gone'));
      });
    },
    giveBack(limit, key, tokens) {
      send({ kind: 'give-back', limit, key, tokens });
    },
    lent: (id, granted, retryInMs) => pending.resolve(id, { granted, retryInMs }),
  };
}
