import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Registry } from './registry.ts';
import { run } from './run.ts';

/** What an empty directory gets: npm's dependencies by name and range, and files by path. */
export interface Contents {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
}

/** An ESM package in a new directory, with its dependencies installed by npm as a user would. */
export async function installed(directory: string, registry: Registry, contents: Contents): Promise<void> {
  const { dependencies, devDependencies = {}, files = {} } = contents;
  mkdirSync(directory);
  const all = {
    'package.json': JSON.stringify({ type: 'module', dependencies, devDependencies }),
    '.npmrc': `registry=${registry.url}/\n`,
    ...files,
  };
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  const patient = ['--fetch-timeout=20000', '--fetch-retries=4']; // npm waits five minutes for a silent registry
  await run('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', ...patient], directory);
}

/** The two module resolutions that users have. */
export const RESOLUTIONS: readonly (readonly string[])[] = [
  ['--module', 'nodenext'],
  ['--module', 'esnext', '--moduleResolution', 'bundler'],
];

/**
 * Checks a file under `strict`.
 * @returns what is wrong in it or in Tulle's declarations; those of other people's packages are not judged.
 */
export async function typeFaults(
  directory: string,
  file: string,
  resolution: readonly string[],
  emit: boolean,
): Promise<string[]> {
  const args = ['--strict', '--target', 'es2024', '--types', 'node', '--pretty', 'false'];
  const output = await run(
    'tsc',
    [file, ...args, ...resolution, ...(emit ? [] : ['--noEmit'])],
    directory,
  ).catch((error: Error) => error.message);
  const ours = /^([\w-]+\.ts|node_modules\/(@tulle|tulle)\b).*error TS/;
  return output.split('\n').filter((line) => ours.test(line));
}
