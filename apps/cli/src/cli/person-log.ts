import type { SidecarOptions } from '@tulle/sidecar';
import { paint, type Io } from './io.ts';

type Log = NonNullable<SidecarOptions['log']>;

/** The same message again within this time is counted, not shown: whoever tries again every second says so once. */
const QUIET_MS = 30_000;

/**
 * A log for a person: one line a warning or error, `tulle: warning: message (field value, …)`.
 * @param from `error` leaves warnings out
 */
export function personLog(
  io: Io,
  from: 'warn' | 'error' = 'warn',
  nowMs: () => number = () => performance.now(),
): Log {
  const p = paint(io, 'err');
  const shown = new Map<string, { atMs: number; again: number }>();
  const line =
    (mark: string) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      const before = shown.get(message);
      if (before !== undefined && nowMs() - before.atMs < QUIET_MS) {
        before.again += 1;
        return;
      }
      shown.set(message, { atMs: nowMs(), again: 0 });
      const parts = Object.entries(fields).map(([name, value]) => `${name} ${textOf(value)}`);
      if (before !== undefined && before.again > 0) parts.push(`${before.again} times more meanwhile`);
      io.err(`tulle: ${mark} ${message}${parts.length === 0 ? '' : p.dim(` (${parts.join(', ')})`)}\n`);
    };
  return {
    debug: () => {},
    info: () => {},
    warn: from === 'warn' ? line(p.yellow('warning:')) : () => {},
    error: line(p.red('error:')),
  };
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return value.message;
  return JSON.stringify(value) ?? 'undefined';
}
