import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { CliError, EXIT } from '../cli/exit-codes.ts';

/** How a program is started beside its sidecar. */
export interface ProgramOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Directory of the cgroup v2 that it is started in. Default: that of this process. */
  readonly cgroup?: string;
  /** Whether a terminal sends its signals to program and sidecar alike. */
  readonly terminal: boolean;
  /** Called when it is to end, before it is told: takes the program out of the mesh. Must not throw. */
  readonly leave: () => Promise<void>;
}

/** It enters the cgroup itself and then becomes the program, so that none of its sockets is made before. */
function inCgroup({ command, args, cgroup }: ProgramOptions): [string, string[]] {
  if (cgroup === undefined) return [command, [...args]];
  const enter = 'echo $$ >"$0/cgroup.procs" && exec "$@"';
  return ['/bin/sh', ['-c', enter, cgroup, command, ...args]];
}

/** What orders an end; the others are passed on as they come. */
const ENDING: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGTERM']);
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/**
 * Runs a program to its end. Each signal reaches it once: in a terminal Ctrl-C goes to everybody in front of it, so it
 * is not passed on; elsewhere the program has a session of its own and gets what we get. The first order to end is passed
 * on when callers know that it leaves: a program that ends gracefully would else wait for calls that go on coming.
 * @returns its exit code, or 128 + the number of the signal that ended it
 * @throws CliError 1 when it cannot be started
 */
export async function runProgram(options: ProgramOptions): Promise<number> {
  // Before the program is there: a signal that found nobody listening would end us at once, and leave the program alone.
  let leaving = false;
  const forward = new Map(
    FORWARDED.map((signal) => [
      signal,
      (): void => {
        const first = !leaving && ENDING.has(signal);
        leaving ||= first;
        const left = first ? options.leave() : Promise.resolve();
        if (options.terminal && (signal === 'SIGINT' || signal === 'SIGQUIT')) return;
        if (first) void left.then(() => program.kill(signal));
        else program.kill(signal); // asked again: at once
      },
    ]),
  );
  for (const [signal, pass] of forward) process.on(signal, pass);
  const [file, args] = inCgroup(options);
  const program = spawn(file, args, {
    stdio: 'inherit',
    env: { ...options.env },
    detached: !options.terminal,
  });
  try {
    return await new Promise<number>((resolve, reject) => {
      program.on('error', (error: NodeJS.ErrnoException) =>
        reject(
          new CliError(
            EXIT.failed,
            `cannot start ${options.command}: ${error.code === 'ENOENT' ? 'there is no such program' : error.code === 'EACCES' ? 'it may not be executed' : error.message}`,
            'what follows -- is the command line of your program',
            { cause: error },
          ),
        ),
      );
      program.on('exit', (code, signal) =>
        resolve(signal === null ? (code ?? EXIT.failed) : 128 + constants.signals[signal]),
      );
    });
  } finally {
    for (const [signal, pass] of forward) process.off(signal, pass);
  }
}
