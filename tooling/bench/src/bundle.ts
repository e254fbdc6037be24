import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'tsup';

/** Packages of CommonJS ask for Node's modules so. */
const REQUIRE = {
  js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
};

/**
 * One JavaScript file of a program and all that it imports, as somebody runs it who installed the packages: reading
 * types away at start would cost a Node process some 35 MiB that no user pays.
 * @returns its path in `directory`
 */
export async function bundle(program: string, directory: string): Promise<string> {
  await build({
    config: false,
    entry: { program },
    outDir: directory,
    format: 'esm',
    target: 'node22',
    platform: 'node',
    noExternal: [/.*/],
    removeNodeProtocol: false,
    banner: REQUIRE,
    silent: true,
  });
  return join(directory, 'program.js');
}

/**
 * The sidecar likewise, in a package of its name, since its engine process is found by that; what it loads when it is needed
 * stays apart.
 * @returns the path of its program
 */
export async function bundleSidecar(directory: string): Promise<string> {
  const source = (name: string): string =>
    fileURLToPath(new URL(`../../../apps/sidecar/src/${name}.ts`, import.meta.url));
  mkdirSync(directory, { recursive: true });
  writeFileSync(
    join(directory, 'package.json'),
    JSON.stringify({
      name: '@tulle/sidecar',
      type: 'module',
      exports: { './engine-main': './engine-main.js' },
    }),
  );
  await build({
    config: false,
    entry: { main: source('main'), 'engine-main': source('engine-main') },
    outDir: directory,
    format: 'esm',
    target: 'node22',
    platform: 'node',
    splitting: true,
    noExternal: [/.*/],
    removeNodeProtocol: false,
    banner: REQUIRE,
    silent: true,
  });
  return join(directory, 'main.js');
}
