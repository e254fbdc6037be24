import type { Supervisor } from '@tulle/supervisor';

/** So long nothing may be under way: that callers were told takes some 50 ms, on a busy machine some 150. */
const QUIET_MS = 250;
const LOOK_EVERY_MS = 25;

/** Resolves when no stream was under way for a quarter of a second, at most after `limitMs`. */
export async function untilQuiet(supervisor: Supervisor, limitMs: number): Promise<void> {
  const deadlineMs = performance.now() + limitMs;
  let quietSinceMs = performance.now();
  while (performance.now() < deadlineMs) {
    const streams = (await supervisor.stats()).reduce((sum, stats) => sum + (stats['streams'] ?? 0), 0);
    const nowMs = performance.now();
    if (streams > 0) quietSinceMs = nowMs;
    else if (nowMs - quietSinceMs >= QUIET_MS) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
