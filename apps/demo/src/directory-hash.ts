import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** SHA-256 over the names and contents of all files below a directory. */
export function directoryHash(directory: string): string {
  const hash = createHash('sha256');
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile() && !e.parentPath.includes('__pycache__'))
    .map((e) => join(e.parentPath, e.name))
    .toSorted()) {
    hash.update(`${relative(directory, entry)}\0`);
    hash.update(readFileSync(entry));
    hash.update('\0');
  }
  return hash.digest('hex');
}
