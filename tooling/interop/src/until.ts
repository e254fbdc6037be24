import { setTimeout as sleep } from 'node:timers/promises';

/** Asks again and again until an answer satisfies. @throws Error with the last fault when it never does */
export async function until<T>(what: string, ask: () => Promise<T> | T, timeoutMs = 30_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > deadline)
        throw new Error(`${what}: not within ${timeoutMs / 1000} s`, { cause: error });
    }
    await sleep(50);
  }
}
