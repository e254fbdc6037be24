import { installed, RESOLUTIONS, typeFaults } from './directory.ts';
import type { Packed } from './pack.ts';
import type { Registry } from './registry.ts';
import { run } from './run.ts';

/**
 * Uses every package as a stranger would, in an empty directory outside the workspace: installs them all, checks the types
 * of every entry under `strict` in both module resolutions, imports every entry but the mains of processes, starts every
 * command.
 * @returns what is wrong
 */
export async function consumeAll(
  packed: readonly Packed[],
  registry: Registry,
  directory: string,
  typesNode: string,
): Promise<string[]> {
  const specifiers = packed.flatMap((one) => one.specifiers);
  const importable = specifiers.filter((name) => !name.endsWith('-main'));
  await installed(directory, registry, {
    dependencies: Object.fromEntries(packed.map(({ name, version }) => [name, `^${version}`])),
    devDependencies: { '@types/node': typesNode },
    files: {
      'every.ts': specifiers
        .map((name, i) => `import * as m${i} from '${name}';\nexport const e${i}: object = m${i};\n`)
        .join(''),
      'every.js': `for (const name of ${JSON.stringify(importable)}) {
        await import(name).catch((error) => { console.error(name + ': ' + error.message); process.exitCode = 1; });
      }`,
    },
  });

  const faults: string[] = [];
  for (const resolution of RESOLUTIONS)
    faults.push(...(await typeFaults(directory, 'every.ts', resolution, false)));
  const attempts = [
    ['every.js'],
    ...packed.flatMap(({ bins }) => bins.map((bin) => [`node_modules/.bin/${bin}`, '--help'])),
  ];
  for (const args of attempts) {
    await run(process.execPath, args, directory).catch((error: Error) => faults.push(error.message));
  }
  return faults;
}
