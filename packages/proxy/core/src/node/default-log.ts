import type { Log } from '@tulle/filter';

/** Levels, the least urgent first. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A log whose level can be changed while it runs. */
export interface LeveledLog extends Log {
  level: LogLevel;
}

/** JSON lines to stderr, from `warn` up unless told otherwise. */
export function defaultLog(
  level: LogLevel = 'warn',
  write: (line: string) => void = (line) => void process.stderr.write(line),
): LeveledLog {
  const log = {
    level,
    debug: (message: string, fields?: Readonly<Record<string, unknown>>) => put('debug', message, fields),
    info: (message: string, fields?: Readonly<Record<string, unknown>>) => put('info', message, fields),
    warn: (message: string, fields?: Readonly<Record<string, unknown>>) => put('warn', message, fields),
    error: (message: string, fields?: Readonly<Record<string, unknown>>) => put('error', message, fields),
  };
  function put(at: LogLevel, message: string, fields: Readonly<Record<string, unknown>> | undefined): void {
    if (LOG_LEVELS.indexOf(at) < LOG_LEVELS.indexOf(log.level)) return;
    write(`${JSON.stringify({ time: new Date().toISOString(), level: at, message, ...fields })}\n`);
  }
  return log;
}
