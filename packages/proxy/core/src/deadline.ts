import type { Services } from './services.ts';

/** Settles like `promise`, or rejects with `late()` after `timeoutMs`. */
export function withDeadline<T>(
  engine: Services,
  promise: Promise<T>,
  timeoutMs: number,
  late: () => Error,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = engine.clock.setTimer(timeoutMs, () => reject(late()));
    promise.then(resolve, reject).finally(cancel);
  });
}
