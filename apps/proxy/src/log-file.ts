import { closeSync, openSync, writeSync } from 'node:fs';
import type { Log } from '@tulle/filter';
import { createStderrLog, type LogLevel, type StderrLog } from '@tulle/supervisor';

/** Where the log of a proxy goes: its own and its engine processes'. */
export interface ProxyLog {
  readonly log: StderrLog;
  /** Takes what engine processes write to standard error; `undefined`: it stays there. */
  readonly engines: ((text: string) => void) | undefined;
  /** Opens the file anew, after it was moved away. */
  reopen(): void;
  close(): void;
}

/** @param path absent: standard error */
export function openLog(path: string | undefined, level: LogLevel): ProxyLog {
  if (path === undefined) return { log: createStderrLog(level), engines: undefined, reopen() {}, close() {} };
  let file = openSync(path, 'a', 0o640);
  const write = (text: string): void => void writeSync(file, text);
  const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
  const line =
    (at: LogLevel): Log['info'] =>
    (message, fields) => {
      if (levels.indexOf(at) < levels.indexOf(log.level)) return;
      write(`${JSON.stringify({ time: new Date().toISOString(), level: at, message, ...fields })}\n`);
    };
  const log: StderrLog = {
    level,
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
  };
  return {
    log,
    engines: write,
    reopen() {
      const next = openSync(path, 'a', 0o640);
      closeSync(file);
      file = next;
    },
    close: () => closeSync(file),
  };
}
