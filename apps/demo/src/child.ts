import { spawn, type ChildProcess } from 'node:child_process';
import { endTree } from './process-tree.ts';

/** A process of the demo. */
export interface Child {
  /** For people, e.g. `reviews v1`. */
  readonly name: string;
  readonly pid: number;
  /** Resolves when it is gone. */
  readonly ended: Promise<void>;
  /**
   * Resolves with the first match in what it writes.
   * @throws Error with the name and last words when it ends, or `timeoutMs` pass, before
   */
  said(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** What it wrote last, both streams. */
  lastWords(): string;
  /** Asks it to end; ends it with all that it started when it has not within ten seconds. */
  stop(): Promise<void>;
  /** Ends it at once, with all that it started. */
  kill(): void;
}

/** How a process is started. */
export interface ChildOptions {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** A busy machine with two cores starts a shop in some ten seconds. */
const SAY_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 10_000;
const KEPT_CHARS = 16_384;

/**
 * Starts a process in a group of its own: Ctrl-C in a terminal reaches the demo alone, which ends everything in order.
 */
export function startChild({ name, command, env, cwd }: ChildOptions): Child {
  const child: ChildProcess = spawn(command[0], command.slice(1), {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let text = '';
  let how: string | undefined;
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const listen of [...listeners]) listen();
  };
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (piece: string) => {
      text = (text + piece).slice(-KEPT_CHARS);
      tell();
    });
  const ended = new Promise<void>((resolve) => {
    const end = (reason: string): void => {
      how ??= reason;
      tell();
      resolve();
    };
    child.on('error', (error) => end(`did not start: ${error.message}`));
    child.on('close', (code, signal) =>
      end(signal === null ? `ended with code ${String(code)}` : `was ended by ${signal}`),
    );
  });
  const lastWords = (): string => text.trimEnd().split('\n').slice(-15).join('\n');
  return {
    name,
    pid: child.pid ?? 0,
    ended,
    lastWords,
    said: async (pattern, timeoutMs = SAY_TIMEOUT_MS) =>
      new Promise((resolve, reject) => {
        const done = (): void => {
          clearTimeout(timer);
          listeners.delete(look);
        };
        const fail = (what: string): void => {
          done();
          const words = lastWords();
          reject(
            new Error(
              `${name} ${what}.\n  It was started as: ${command.join(' ')}\n  ${words === '' ? 'It said nothing.' : `Its last words:\n${words.replace(/^/gm, '    ')}`}`,
            ),
          );
        };
        const look = (): void => {
          const match = pattern.exec(text);
          if (match !== null) {
            done();
            resolve(match);
          } else if (how !== undefined) fail(how);
        };
        const timer = setTimeout(
          () => fail(`runs, but was not ready within ${timeoutMs / 1000} s`),
          timeoutMs,
        );
        listeners.add(look);
        look();
      }),
    async stop() {
      if (how !== undefined) return;
      child.kill('SIGCONT'); // a scene may hold it still
      child.kill('SIGTERM');
      const timer = setTimeout(() => endTree(child.pid ?? 0), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(timer);
    },
    kill() {
      if (how === undefined) endTree(child.pid ?? 0);
    },
  };
}
