import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';

export { freePort, freePorts } from '@tulle/testkit/free-port';

/** How a program is started. */
export interface StartOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads; default nothing. */
  readonly input?: string;
  /** Whether it goes on reading after that ({@link Running.write}). Default false. */
  readonly interactive?: boolean;
}

/** How a program ended. */
export interface Ended {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A program that was started. */
export interface Running {
  readonly pid: number;
  /** Resolves once it ended and all its output is read. */
  readonly ended: Promise<Ended>;
  /** What it wrote so far, both streams. */
  readonly text: string;
  /** Resolves once its output matches. @throws Error with the output when it ends, or `timeoutMs` pass, before. */
  said(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** Gives it more to read. */
  write(text: string): void;
  /** Sends a signal (default SIGTERM) and waits for the end; after ten seconds SIGKILL, to all that it started. */
  stop(signal?: NodeJS.Signals): Promise<Ended>;
}

const DEFAULT_WAIT_MS = 30_000;
const KILL_AFTER_MS = 10_000;
const ORPHAN_GRACE_MS = 3_000;

/** Each ends the group of a program that runs. */
const running = new Set<() => void>();
let isWatched = false;

/**
 * What runs ends with this process, however that ends: a group of its own does not hear the terminal's Ctrl-C. Whoever listens to
 * the signal beside this ends what it started in its own way, and again the sure way is that of the exit.
 */
function watch(): void {
  if (isWatched) return;
  isWatched = true;
  process.on('exit', () => {
    for (const kill of running) kill();
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    // The first that is called: those that listen once are still counted.
    process.prependListener(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
    });
}

/** Starts a program in a process group of its own, so that what it leaves behind can be ended too; it ends with this process at last. */
export function start(command: string, args: readonly string[], options: StartOptions = {}): Running {
  const child = spawn(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined); // one that ends early reads nothing
  if (options.interactive === true) child.stdin.write(options.input ?? '');
  else child.stdin.end(options.input ?? '');
  let [out, err, text] = ['', '', ''];
  const listeners = new Set<() => void>();
  const hear = (): void => {
    for (const listener of [...listeners]) listener();
  };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk;
    text += chunk;
    hear();
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    err += chunk;
    text += chunk;
    hear();
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on('error', (error) => {
      err += `${command} did not start: ${error.message}\n`;
      text += `${command} did not start: ${error.message}\n`;
      resolve({ code: 127, out, err });
    });
    child.on('close', (code) => resolve({ code, out, err }));
    // One that it left behind may hold its output for ever.
    child.on('exit', () => {
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, ORPHAN_GRACE_MS).unref();
    });
  });
  const killGroup = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // the group has ended
    }
  };
  watch();
  running.add(killGroup);
  void ended.then(() => running.delete(killGroup));
  return {
    pid: child.pid ?? 0,
    ended,
    get text() {
      return text;
    },
    said: (pattern, timeoutMs = DEFAULT_WAIT_MS) =>
      new Promise((resolve, reject) => {
        const done = (): void => {
          clearTimeout(timer);
          listeners.delete(look);
        };
        const fail = (why: string): void => {
          done();
          reject(
            new Error(`${command} ${args.slice(0, 3).join(' ')} ${why} without saying ${pattern}:\n${text}`),
          );
        };
        const look = (): void => {
          const match = pattern.exec(text);
          if (match === null) return;
          done();
          resolve(match);
        };
        const timer = setTimeout(() => fail(`ran for ${timeoutMs / 1000} s`), timeoutMs);
        listeners.add(look);
        look();
        void ended.then(({ code }) => fail(`ended with ${code}`));
      }),
    write: (more) => void child.stdin.write(more),
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      const timer = setTimeout(killGroup, KILL_AFTER_MS);
      if (child.exitCode === null && child.signalCode === null && child.pid !== undefined)
        await once(child, 'exit');
      clearTimeout(timer);
      killGroup();
      return ended;
    },
  };
}

/** Runs a program to its end. @throws Error with its output when it ends with another code than 0, or takes too long */
export async function runToEnd(
  command: string,
  args: readonly string[],
  options: StartOptions & { readonly timeoutMs?: number } = {},
): Promise<string> {
  const program = start(command, args, options);
  const { timeoutMs = 120_000 } = options;
  const timer = setTimeout(() => void program.stop('SIGKILL'), timeoutMs);
  const { code, out } = await program.ended;
  clearTimeout(timer);
  if (code === 0) return out;
  throw new Error(
    `${command} ${args.slice(0, 3).join(' ')} ended with ${code ?? `a signal (after ${timeoutMs / 1000} s it is killed)`}:\n${program.text}`,
  );
}
