import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Packed } from './pack.ts';
import { run } from './run.ts';

/**
 * Uses the tarballs as a stranger would, in an empty directory outside the workspace: installs them all with npm, checks
 * the types of every entry under `strict` in both module resolutions, imports every entry, starts every command.
 * @returns what is wrong; declarations of other people's packages are not judged.
 */
export async function consume(
  packed: readonly Packed[],
  directory: string,
  typesNode: string,
): Promise<string[]> {
  mkdirSync(directory);
  const dependencies = Object.fromEntries(packed.map(({ name, tarball }) => [name, `file:${tarball}`]));
  const specifiers = packed.flatMap((one) => one.specifiers);
  const files: Record<string, string> = {
    'package.json': JSON.stringify({
      type: 'module',
      dependencies,
      devDependencies: { '@types/node': typesNode },
    }),
    'every.ts': specifiers
      .map((name, i) => `import * as m${i} from '${name}';\nexport const e${i}: object = m${i};\n`)
      .join(''),
    'every.js': `for (const name of ${JSON.stringify(specifiers)}) {
      await import(name).catch((error) => { console.error(name + ': ' + error.message); process.exitCode = 1; });
    }`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const patient = ['--fetch-timeout=20000', '--fetch-retries=4']; // npm waits five minutes for a silent registry
  await run('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', ...patient], directory);

  const faults: string[] = [];
  for (const resolution of [
    ['--module', 'nodenext'],
    ['--module', 'esnext', '--moduleResolution', 'bundler'],
  ]) {
    const args = [
      'every.ts',
      '--strict',
      '--noEmit',
      '--target',
      'es2024',
      '--types',
      'node',
      '--pretty',
      'false',
    ];
    const output = await run('tsc', [...args, ...resolution], directory).catch(
      (error: Error) => error.message,
    );
    faults.push(
      ...output
        .split('\n')
        .filter((line) => /^(every\.ts|node_modules\/(@tulle|tulle)\b).*error TS/.test(line)),
    );
  }
  const attempts = [
    ['every.js'],
    ...packed.flatMap(({ bins }) => bins.map((bin) => [`node_modules/.bin/${bin}`, '--version'])),
  ];
  for (const args of attempts) {
    await run(process.execPath, args, directory).catch((error: Error) => faults.push(error.message));
  }
  return faults;
}
