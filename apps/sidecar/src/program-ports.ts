import { connect } from 'node:net';

/** First look after this, then at twice the distance each time, up to {@link SLOWEST_MS}. */
const FASTEST_MS = 20;
const SLOWEST_MS = 500;
const TELL_EVERY_MS = 5_000;
/** A full accept queue makes a connect hang; the next look decides. */
const CONNECT_TIMEOUT_MS = 1_000;

/**
 * Looks until the program accepts on each of its ports on 127.0.0.1; a connection that it makes is closed at once.
 * (No system tells of another process's `listen`, so that this is one of the few places that look again and again.)
 * @param stillWaiting called every five seconds with the ports that are missing
 * @returns false when it was aborted before
 */
export async function programAccepts(
  ports: readonly number[],
  signal: AbortSignal,
  stillWaiting: (missing: readonly number[], waitedMs: number) => void,
): Promise<boolean> {
  const startedMs = performance.now();
  let missing = [...ports];
  let pauseMs = FASTEST_MS;
  let nextTellMs = TELL_EVERY_MS;
  while (!signal.aborted) {
    const answers = await Promise.all(missing.map(async (port) => accepts(port)));
    missing = missing.filter((_, i) => answers[i] === false);
    if (missing.length === 0) return !signal.aborted;
    const waitedMs = performance.now() - startedMs;
    if (waitedMs >= nextTellMs) {
      nextTellMs += TELL_EVERY_MS;
      stillWaiting(missing, waitedMs);
    }
    await pause(pauseMs, signal);
    pauseMs = Math.min(SLOWEST_MS, pauseMs * 2);
  }
  return false;
}

async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const done = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => done(false));
    socket.once('connect', () => done(true)).once('error', () => done(false));
  });
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
