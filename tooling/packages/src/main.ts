/** `pnpm pack:check`: the packages as their users get them. Needs `pnpm build` before it, and the npm registry. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { consume } from './consumer.ts';
import { type Packed, packAll } from './pack.ts';
import { run } from './run.ts';

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

try {
  const packed = await packAll(root, scratch);
  const queue = [...packed];
  const faults: string[] = [];
  const worker = async (): Promise<void> => {
    for (let one = queue.shift(); one; one = queue.shift()) faults.push(...(await lint(one)));
  };
  await Promise.all([worker(), worker()]);
  faults.push(...(await consume(packed, join(scratch, 'consumer'), typesNode)));
  for (const fault of faults) console.error(fault);
  console.log(
    `packages: ${packed.length} packed, installed, type-checked and imported; ${faults.length} faults`,
  );
  process.exitCode = faults.length > 0 ? 1 : 0;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
