import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { CliError, EXIT } from '../cli/exit-codes.ts';

/**
 * Looks for a program as `execvp` does, so that a slip of the pen is told before anything joins a mesh for it.
 * @throws CliError 1 when there is none, or it may not be executed
 */
export function findProgram(command: string, cwd: string, path: string | undefined): void {
  const candidates = command.includes('/')
    ? [resolve(cwd, command)]
    : (path ?? '/usr/local/bin:/usr/bin:/bin')
        .split(delimiter)
        .map((dir) => join(dir === '' ? cwd : dir, command));
  let there = false;
  for (const candidate of candidates) {
    try {
      if (!statSync(candidate).isFile()) continue;
      there = true;
      accessSync(candidate, constants.X_OK);
      return;
    } catch {
      // not this one
    }
  }
  throw new CliError(
    EXIT.failed,
    `cannot start ${command}: ${there ? 'it may not be executed' : 'there is no such program'}`,
    'what follows -- is the command line of your program',
  );
}
