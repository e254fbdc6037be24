import type { Log } from '@tulle/filter';

const line =
  (level: string) =>
  (message: string, fields?: Readonly<Record<string, unknown>>): void => {
    process.stderr.write(
      `${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`,
    );
  };

/** A log of JSON lines on standard error; debug lines are left out. What a process uses that was given no other. */
export const stderrLog: Log = Object.freeze({
  debug: () => {},
  info: line('info'),
  warn: line('warn'),
  error: line('error'),
});
