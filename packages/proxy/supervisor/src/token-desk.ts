import type { Loan, SharedLimit, TokenLender } from '@tulle/time';
import type { ToSupervisor } from './protocol.ts';

/**
 * A request may wait for the answer. It is short, but longer behind a burst of connections that change hands (each waits
 * for the one before) or on a busy machine; past this the supervisor hangs. One that is gone is known at once.
 */
const ANSWER_TIMEOUT_MS = 250;
/** Answers that are late: so many are known again, so that their tokens are given back. */
const MAX_LATE = 1_000;

/** The supervisor's {@link TokenLender}, as an engine process has it. */
export interface TokenDesk extends TokenLender {
  /** An answer has come. */
  lent(id: number, granted: number, retryInMs: number): void;
}

interface Asked {
  readonly limit: SharedLimit;
  readonly key: string;
}

/**
 * @param parties processes that share
 * @param send throws nothing; @returns whether there is somebody to send to
 */
export function createTokenDesk(
  parties: number,
  send: (message: ToSupervisor) => boolean,
  answerTimeoutMs: number = ANSWER_TIMEOUT_MS,
): TokenDesk {
  const waiting = new Map<number, Asked & { answer(loan: Loan): void }>();
  /** Given up, the oldest first. */
  const late = new Map<number, Asked>();
  let nextId = 1;
  return {
    parties,
    borrow(limit, key, want) {
      const id = nextId++;
      if (!send({ kind: 'borrow', id, limit, key, want }))
        return Promise.reject(new Error('the supervisor is gone'));
      const { promise, resolve, reject } = Promise.withResolvers<Loan>();
      const timer = setTimeout(() => {
        waiting.delete(id);
        late.set(id, { limit, key });
        if (late.size > MAX_LATE) late.delete(late.keys().next().value as number);
        reject(new Error(`the supervisor did not answer within ${answerTimeoutMs} ms`));
      }, answerTimeoutMs);
      waiting.set(id, {
        limit,
        key,
        answer(loan) {
          clearTimeout(timer);
          resolve(loan);
        },
      });
      return promise;
    },
    giveBack(limit, key, tokens) {
      send({ kind: 'give-back', limit, key, tokens });
    },
    lent(id, granted, retryInMs) {
      const asked = waiting.get(id);
      waiting.delete(id);
      if (asked !== undefined) return asked.answer({ granted, retryInMs });
      const gaveUp = late.get(id);
      late.delete(id);
      if (gaveUp !== undefined && granted > 0)
        send({ kind: 'give-back', limit: gaveUp.limit, key: gaveUp.key, tokens: granted });
    },
  };
}
