import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Ended, type Running, start } from '@tulle/processes';

const TULLE = join(import.meta.dirname, '../../../../apps/cli/bin/tulle.mjs');

/** The command of this clone, with directories of its own. */
export interface TulleProcesses {
  readonly directory: string;
  /** Starts a command that goes on. */
  start(...args: readonly string[]): Running;
  /** Runs a command to its end. @throws Error with its output when it ends with another code than 0 */
  run(...args: readonly string[]): Promise<string>;
  /** Puts resources into the mesh and waits until every proxy has confirmed them. */
  apply(yaml: string): Promise<void>;
  /** Ends everything that was started, the newest first. */
  close(): Promise<void>;
}

export function tulleProcesses(directory: string): TulleProcesses {
  const env = {
    TULLE_STATE_DIR: join(directory, 's'),
    TULLE_RUN_DIR: join(directory, 'r'),
    NO_COLOR: '1',
  };
  const running: Running[] = [];
  const spawn = (args: readonly string[], input?: string): Running =>
    start(process.execPath, [TULLE, ...args], {
      cwd: directory,
      env,
      ...(input === undefined ? {} : { input }),
    });
  const finished = async (args: readonly string[], input?: string): Promise<string> => {
    const one = spawn(args, input);
    const { code, out }: Ended = await one.ended;
    if (code !== 0) throw new Error(`tulle ${args.join(' ')} ended with ${String(code)}:\n${one.text}`);
    return out;
  };
  return {
    directory,
    start(...args) {
      const one = spawn(args);
      running.push(one);
      return one;
    },
    run: (...args) => finished(args),
    async apply(yaml) {
      await finished(['apply', '-f', '-'], yaml);
    },
    async close() {
      for (const one of running.splice(0).toReversed()) await one.stop();
    },
  };
}

/** A page of an admin interface on a Unix socket. */
export async function adminPage(socketPath: string, path: string): Promise<string> {
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, headers: { host: 'localhost' }, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () =>
        response.statusCode === 200
          ? resolve(text)
          : reject(new Error(`${path} answered ${response.statusCode}: ${text}`)),
      );
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** Lines of a file, none while it is not there. */
export async function linesOf(file: string): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}
