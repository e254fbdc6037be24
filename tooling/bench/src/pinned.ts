import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findProgram } from './find-program.ts';

/** Where things run: the subject alone on one core, client and origin on the other. */
const SUBJECT_CORE = '0';
const OTHER_CORE = '1';

/** Starts a subject's program on its core. @param logFile takes its output */
export function startPinned(
  command: string,
  args: readonly string[],
  logFile: string,
  children: ChildProcess[],
): ChildProcess {
  const log = openSync(logFile, 'a');
  const [program, ...rest] = pinned(SUBJECT_CORE, command, args);
  const child = spawn(program as string, rest, { stdio: ['ignore', log, log] });
  children.push(child);
  return child;
}

/** `taskset` execs the program, so its process id stays the one we know. */
function pinned(core: string, command: string, args: readonly string[]): string[] {
  const taskset = findProgram('taskset');
  if (taskset === undefined)
    throw new Error('taskset is not installed (Debian: util-linux); without it the figures mean little');
  return [taskset, '-c', core, command, ...args];
}

/** A command line that runs beside the subject. */
export function beside(command: string, args: readonly string[]): [program: string, args: string[]] {
  const [program, ...rest] = pinned(OTHER_CORE, command, args);
  return [program as string, rest];
}

/** Starts a program of this directory beside the subject, and speaks with it over IPC. */
export function pinnedFork(script: string, children: ChildProcess[]): ChildProcess {
  const [taskset, args] = beside(process.execPath, [fileURLToPath(new URL(script, import.meta.url))]);
  // fork, so that the pair speaks IPC; taskset becomes the process it starts.
  const child = fork(args.at(-1) as string, [], { execPath: taskset, execArgv: args.slice(0, -1) });
  children.push(child);
  return child;
}

/** A child's next message. @throws Error when it ends or does not speak in time */
export async function messageOf<T>(child: ChildProcess, withinMs: number, what: string): Promise<T> {
  const gone = new AbortController();
  try {
    return (await Promise.race([
      once(child, 'message', { signal: gone.signal }).then(([message]) => message as T),
      once(child, 'exit', { signal: gone.signal }).then(() => {
        throw new Error(`${what} ended`);
      }),
      sleep(withinMs, undefined, { signal: gone.signal }).then(() => {
        throw new Error(`${what} did not answer within ${withinMs / 1000} s`);
      }),
    ])) as T;
  } finally {
    gone.abort();
  }
}

/** Ends a child, by force after 5 s. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const hard = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(hard);
}

/** Waits until somebody listens. @throws Error with the end of the log when the program ends, or after 10 s */
export async function listening(
  port: number,
  program: ChildProcess | undefined,
  logFile: string,
): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const socket = net.connect(port, '127.0.0.1');
    const connected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (connected) return;
    if (program !== undefined && (program.exitCode !== null || program.signalCode !== null))
      throw new Error(`it ended; its output:\n${endOf(logFile)}`);
    await sleep(50);
  }
  throw new Error(`it did not listen within 10 s; its output:\n${endOf(logFile)}`);
}

/** What a program said last, or the error that it said, short. */
export function endOf(logFile: string): string {
  const said = readFileSync(logFile, 'utf8');
  const error = said.split('\n').find((line) => /^\w*Error: /.test(line));
  return error === undefined ? said.slice(-500) : error.slice(0, 500);
}
