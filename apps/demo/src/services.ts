import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Where the services' sources are; nothing in there knows that a mesh exists. */
export const servicesDirectory: string = fileURLToPath(new URL('../services/', import.meta.url));

/** A running service. */
export interface Service {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** Ends it the way a machine fails: at once. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts an unchanged program and waits until it says where it listens. @throws Error with its last words when it ends first */
export async function startService(
  name: string,
  command: readonly [string, ...string[]],
  env: Readonly<Record<string, string>> = {},
): Promise<Service> {
  const child = spawn(command[0], command.slice(1), {
    env: { ...process.env, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let lastWords = '';
  child.stderr.on('data', (piece: Buffer) => {
    lastWords = (lastWords + piece.toString()).slice(-2000);
  });
  const port = await Promise.race([
    listens(child),
    once(child, 'exit').then(([code]) => {
      throw new Error(`${name} ended with ${String(code)} before it listened:\n${lastWords}`);
    }),
  ]);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    const hard = setTimeout(() => child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(hard);
  };
  return { name, port, pid: child.pid ?? 0, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') };
}

function listens(child: ChildProcess & { readonly stdout: NodeJS.ReadableStream }): Promise<number> {
  return new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = /listens on 127\.0\.0\.1:(\d+)/.exec(line);
      if (match !== null) resolve(Number(match[1]));
    });
  });
}

const script = (path: string): string => servicesDirectory + path;

export const startFront = (env: Readonly<Record<string, string>>): Promise<Service> =>
  startService('front', [process.execPath, script('front/server.mjs')], env);
export const startReviews = (env: Readonly<Record<string, string>>): Promise<Service> =>
  startService('reviews', [process.execPath, script('reviews/server.mjs')], env);

/** The catalogue: in Python where there is one, so that the shop speaks two languages. */
export function startCatalog(): Promise<Service & { readonly language?: string }> {
  return pythonVersion() === undefined
    ? startService('catalog', [process.execPath, script('catalog/server.mjs')])
    : startService('catalog', ['python3', '-B', script('catalog/server.py')]);
}

/** E.g. `Python 3.11.2`, or `undefined`. */
export function pythonVersion(): string | undefined {
  const asked = spawnSync('python3', ['--version'], { encoding: 'utf8' });
  return asked.status === 0 ? asked.stdout.trim() : undefined;
}
