import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { runToEnd, type Running, start } from '@tulle/processes';
import { type GoPrograms, goPrograms } from '../go-programs.ts';
import { CACHE, cached } from '../needs.ts';
import type { Need } from '../suite.ts';

const SOURCES = join(import.meta.dirname, '../../programs/proxyless-js');
const FILES = ['package.json', 'package-lock.json', 'echo.mjs', 'server.mjs', 'client.mjs'];
const hash = createHash('sha256');
for (const name of FILES) hash.update(readFileSync(join(SOURCES, name)));
const KEY = `proxyless-js-${hash.digest('hex').slice(0, 12)}`;

/** A client and a server of `@grpc/grpc-js-xds`, installed as their lockfile says. */
export const jsPrograms: Need = cached('@grpc/grpc-js-xds', KEY, async (directory) => {
  await cp(SOURCES, directory, { recursive: true, filter: (path) => basename(path) !== 'node_modules' });
  await runToEnd('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: directory,
    timeoutMs: 300_000,
  });
});

/** The same of grpc-go, in one program. */
export const goProgram: GoPrograms = goPrograms(
  'a program of grpc-go with xDS',
  join(import.meta.dirname, 'go'),
  {
    program: '.',
  },
);

/** Languages of the programs. */
export type Language = 'js' | 'go';

/** Starts one of the programs with a bootstrap. */
export function startProgram(
  language: Language,
  role: 'server' | 'client',
  args: readonly string[],
  bootstrap: string,
): Running {
  const env = {
    GRPC_XDS_BOOTSTRAP: bootstrap,
    // Off by default in grpc-js, where a listener with policies is refused then.
    GRPC_XDS_EXPERIMENTAL_RBAC: 'true',
  };
  return language === 'js'
    ? start(process.execPath, [join(CACHE, KEY, `${role}.mjs`), ...args], { env, interactive: true })
    : start(goProgram.path('program'), [role, ...args], { env, interactive: true });
}
