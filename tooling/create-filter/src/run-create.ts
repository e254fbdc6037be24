import type { Readable, Writable } from 'node:stream';
import { relative, resolve } from 'node:path';
import { askFor } from './ask.ts';
import { createPackage } from './create.ts';
import { completeOptions, readArguments, USAGE, UsageError } from './options.ts';
import { VERSION } from './versions.ts';

/** What the command has of its process. */
export interface CreateIo {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable;
}

/** @returns the exit code: 0, 64 for a mistake on the command line, 1 when it could not be written */
export async function runCreate(args: readonly string[], io: CreateIo): Promise<number> {
  try {
    const given = readArguments(args);
    if (given.help) {
      io.stdout.write(USAGE);
      return 0;
    }
    if (given.version) {
      io.stdout.write(`${VERSION}\n`);
      return 0;
    }
    const { CI } = io.env;
    const interactive =
      !given.yes && (CI === undefined || CI === '' || CI === 'false') && io.stdin.isTTY && io.stdout.isTTY;
    const options = completeOptions(interactive === true ? await askFor(given, io.stdin, io.stdout) : given);
    const directory = resolve(io.cwd, options.directory);
    const files = createPackage(options, directory);
    const at = relative(io.cwd, directory) || '.';
    io.stdout.write(
      `${options.names.packageName} is in ${at}:\n${files.map((file) => `  ${file}`).join('\n')}\n\n` +
        `Next:\n${at === '.' ? '' : `  cd ${at}\n`}  npm install\n  npm test\n\n` +
        'src/filter.ts is the filter; README.md says how to use and publish it.\n',
    );
    return 0;
  } catch (error) {
    const usage = error instanceof UsageError;
    io.stderr.write(
      `error: ${error instanceof Error ? error.message : String(error)}\n${usage ? '--help shows how it is used\n' : ''}`,
    );
    return usage ? 64 : 1;
  }
}
