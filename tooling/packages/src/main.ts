/** `pnpm pack:check`: the packages as their users get them. Needs `pnpm build` before it, and the npm registry. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import { consumeAll } from './consumer.ts';
import { runCustomProxy } from './custom-proxy.ts';
import type { Packed } from './pack.ts';
import { packedRegistry } from './packed-registry.ts';
import { plainNode } from './plain-node.ts';
import { run } from './run.ts';
import { checkVersions } from './versions.ts';
import { runAuthor } from './author.ts';

const root = join(import.meta.dirname, '../../..');
const typesNode =
  /'@types\/node': (\S+)/.exec(readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8'))?.[1] ?? 'latest';
const scratch = mkdtempSync(join(tmpdir(), 'tulle-packages-'));

async function lint({ name, tarball, specifiers }: Packed): Promise<string[]> {
  const entrypoints = specifiers.map((specifier) => specifier.slice(name.length + 1) || '.');
  const commands = [
    ['publint', 'run', tarball, '--strict'],
    [
      'attw',
      tarball,
      '--profile',
      'esm-only',
      '--no-definitely-typed',
      '--format',
      'ascii',
      '--entrypoints',
      ...entrypoints,
    ],
  ] as const;
  const faults: string[] = [];
  for (const [command, ...args] of commands) {
    if (command === 'attw' && specifiers.length === 0) continue; // only a command: no entry to resolve
    await run(command, args, scratch).catch((error: Error) => faults.push(`${name}: ${error.message}`));
  }
  return faults;
}

/** Runs a check, shows what it found and how long it took. */
async function check(what: string, faultsOf: () => Promise<readonly string[]>): Promise<boolean> {
  const started = performance.now();
  const faults = await faultsOf().catch((error: Error) => [error.message]);
  for (const fault of faults) console.error(fault);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${faults.length === 0 ? '√' : '×'} ${what}, ${seconds} s`);
  return faults.length === 0;
}

try {
  const { packed, registry } = await packedRegistry(root, scratch);
  const node = await plainNode(root);
  const queue = [...packed];
  const lintAll = async (): Promise<string[]> => {
    const faults: string[] = [];
    for (let one = queue.shift(); one; one = queue.shift()) faults.push(...(await lint(one)));
    return faults;
  };
  const results = [
    await check(
      'a release versions a copy: together by the highest bump, peers only where they fall out of range',
      () => checkVersions(root, join(scratch, 'versions')),
    ),
    await check(`${packed.length} packages packed and linted`, async () =>
      (await Promise.all([lintAll(), lintAll()])).flat(),
    ),
    await check('all installed by name and range, type-checked, imported, their commands started', () =>
      consumeAll(packed, registry, join(scratch, 'all'), typesNode),
    ),
    await check(`a custom proxy of four packages checked, compiled and run on Node ${node.version}`, () =>
      runCustomProxy(registry, join(scratch, 'custom-proxy'), node.command, typesNode),
    ),
    await check(`the command installed, a mesh of two programs run by it on Node ${node.version}`, () =>
      runCommand(registry, join(scratch, 'command'), node.command),
    ),
    await check(
      'a filter created by npm, tested, packed, allowed, and seen in a request of a running mesh',
      () => runAuthor(registry, join(scratch, 'author'), node.command),
    ),
  ];
  registry.close();
  const failed = results.filter((ok) => !ok).length;
  console.log(`${results.length - failed} passed, ${failed} failed, 0 skipped`);
  process.exitCode = failed > 0 ? 1 : 0;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
