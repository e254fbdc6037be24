/** Whether somebody answered with a promise. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

/** Text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Somebody answered with a promise where nobody may wait for one. Left alone, its failure would end the process; so it
 * is told instead. @param tell the sentence of what went wrong, once at once and once more where the promise rejects
 */
export function disown(
  promise: PromiseLike<unknown>,
  tell: (message: string, error?: unknown) => void,
): void {
  tell('it returned a promise; it is synchronous, and what it waits for comes too late');
  promise.then(undefined, (error: unknown) => tell(`its promise rejected: ${messageOf(error)}`, error));
}
