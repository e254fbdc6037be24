import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { manifestOf } from './manifest.ts';
import type { FilterNames } from './names.ts';
import { UsageError, type CreateOptions } from './options.ts';

const TEMPLATES = join(import.meta.dirname, '../templates');

/**
 * Writes the package.
 * @param directory absolute
 * @returns the files, relative to it
 * @throws UsageError when there is something already; nothing is written then
 */
export function createPackage(options: CreateOptions, directory: string): string[] {
  checkEmpty(directory, options.directory);
  const files = new Map<string, string>([
    ['package.json', `${JSON.stringify(manifestOf(options), null, 2)}\n`],
  ]);
  for (const part of ['common', options.kind])
    for (const path of filesIn(join(TEMPLATES, part))) {
      const text = readFileSync(join(TEMPLATES, part, path), 'utf8');
      // npm would read over a .gitignore, and leave it out of this package.
      files.set(path.replace(/^_/, '.'), fill(text, options));
    }
  for (const [path, text] of files) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return [...files.keys()].sort();
}

function checkEmpty(directory: string, given: string): void {
  if (!existsSync(directory)) return;
  if (!statSync(directory).isDirectory())
    throw new UsageError(`${given} is there already, and is no directory`);
  const found = readdirSync(directory).filter((name) => name !== '.git');
  if (found.length > 0)
    throw new UsageError(
      `${given} is not empty: it has ${found.slice(0, 3).join(', ')}${found.length > 3 ? ' and more' : ''}; name another with --directory`,
    );
}

function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
}

/** The templates are a real filter named `sample`; here it gets its own name. */
function fill(
  text: string,
  { names, phase }: { readonly names: FilterNames; readonly phase: string },
): string {
  return text
    .replaceAll('tulle-filter-sample', names.packageName)
    .replaceAll('x-sample', `x-${names.short}`)
    .replaceAll('sample_', `${names.code.toLowerCase()}_`)
    .replaceAll('SAMPLE', names.code)
    .replaceAll('Sample', names.type)
    .replaceAll(/\bsample\b/g, names.identifier)
    .replaceAll("phase: 'custom'", `phase: '${phase}'`)
    .replaceAll('phase: custom', `phase: ${phase}`);
}
