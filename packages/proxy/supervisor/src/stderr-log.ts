import type { Log } from '@tulle/filter';

/** How urgent a line is; the least urgent first. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** A log whose level can be changed while it runs, by `POST /logging?level=debug` of the admin interface for instance. */
export interface StderrLog extends Log {
  level: LogLevel;
}

/** A log of JSON lines on standard error. @param level what is less urgent is left out */
export function createStderrLog(level: LogLevel = 'info'): StderrLog {
  const line =
    (at: LogLevel) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void => {
      if (LEVELS.indexOf(at) < LEVELS.indexOf(log.level)) return;
      process.stderr.write(
        `${JSON.stringify({ time: new Date().toISOString(), level: at, message, ...fields })}\n`,
      );
    };
  const log: StderrLog = {
    level,
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
  };
  return log;
}

const { debug, info, warn, error } = createStderrLog();
/** The same from `info` up, for good. What a process uses that was given no other. */
export const stderrLog: Log = Object.freeze({ debug, info, warn, error });
