/** Requests under way over a channel: each has a number, an answer, and an end when the channel breaks. */
export interface Pending {
  /** @param send sends the request under the number it is given */
  ask<T>(send: (id: number) => void): Promise<T>;
  /** Answers; an unknown number (given up meanwhile) is ignored. */
  resolve(id: number, value: unknown): void;
  reject(id: number, error: Error): void;
  /** The channel broke: rejects what is under way, and whatever is asked from now on. */
  end(error: Error): void;
}

/** @param timeoutMs a request that takes longer is given up. @param what names the other side in that error */
export function createPending(timeoutMs: number, what: string): Pending {
  const waiting = new Map<
    number,
    { resolve(value: never): void; reject(error: Error): void; timer: NodeJS.Timeout }
  >();
  let nextId = 1;
  let ended: Error | undefined;
  const take = (id: number): ReturnType<typeof waiting.get> => {
    const found = waiting.get(id);
    if (found === undefined) return undefined;
    waiting.delete(id);
    clearTimeout(found.timer);
    return found;
  };
  return {
    async ask<T>(send: (id: number) => void) {
      if (ended !== undefined) throw ended;
      const id = nextId++;
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const timer = setTimeout(
        () => take(id)?.reject(new Error(`${what} did not answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      waiting.set(id, { resolve, reject, timer });
      send(id);
      return promise;
    },
    resolve: (id, value) => take(id)?.resolve(value as never),
    reject: (id, error) => take(id)?.reject(error),
    end(error) {
      ended = error;
      for (const id of [...waiting.keys()]) take(id)?.reject(error);
    },
  };
}
