import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ResourceText } from '@tulle/resources';
import { CliError, EXIT, usageError } from '../cli/exit-codes.ts';
import type { Io } from '../cli/io.ts';

/** Most files that one command reads: beyond it a directory was probably given by mistake. */
const MAX_FILES = 10_000;

/**
 * Reads what `-f` names: files, directories (their .yaml, .yml and .json, and those of subdirectories; in order of
 * name), `-` for standard input.
 * @throws CliError 65 naming the path that cannot be read
 */
export async function readFiles(io: Io, paths: readonly string[]): Promise<ResourceText[]> {
  if (paths.length === 0)
    throw usageError('-f is missing', '-f FILE: a file or directory of resources, or - for standard input');
  const texts: ResourceText[] = [];
  for (const path of paths) {
    if (path === '-') {
      texts.push({ file: '-', text: await io.readStdin() });
      continue;
    }
    for (const file of await filesOf(io, path)) {
      if (texts.length >= MAX_FILES)
        throw usageError(
          `${path} has more than ${MAX_FILES} files`,
          'name the directories that hold resources',
        );
      texts.push({ file, text: await readFile(resolve(io.cwd, file), 'utf8').catch(refuse(file)) });
    }
  }
  return texts;
}

async function filesOf(io: Io, path: string): Promise<string[]> {
  const info = await stat(resolve(io.cwd, path)).catch(refuse(path));
  if (!info.isDirectory()) return [path];
  const entries = (await readdir(resolve(io.cwd, path), { withFileTypes: true }).catch(refuse(path))).sort(
    (a, b) => (a.name < b.name ? -1 : 1),
  );
  const files: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) files.push(...(await filesOf(io, join(path, entry.name))));
    else if (/\.(?:ya?ml|json)$/.test(entry.name)) files.push(join(path, entry.name));
  }
  return files;
}

function refuse(path: string): (error: unknown) => never {
  return (error) => {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new CliError(
      EXIT.invalid,
      `cannot read ${path}: ${code === 'ENOENT' ? 'no such file or directory' : code}`,
      undefined,
      { cause: error },
    );
  };
}
