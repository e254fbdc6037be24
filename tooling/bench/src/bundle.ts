import { join } from 'node:path';
import { build } from 'tsup';

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
    silent: true,
  });
  return join(directory, 'program.js');
}
