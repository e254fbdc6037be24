import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packedRegistry } from '@tulle/packages-check/registry';
import { freePort, type Running, start } from '@tulle/processes';
import { type Block, ROOT } from './blocks.ts';

/** What a block is for: its directives, by name. */
const KNOWN = new Set([
  'registry',
  'copy',
  'file',
  'run',
  'start',
  'output',
  'ports',
  'with',
  'stub',
  'same-as',
]);

/** How long a command that must succeed in the end is tried again. */
const RETRY_MS = 30_000;

/**
 * Does what a page says, from top to bottom, in an empty directory:
 *
 * - `<!-- copy: DIRECTORY -->`, before any block, puts a directory's `src` of this clone there first.
 * - `<!-- registry -->`, before any block, has npm install this clone's packages as if they were published (`pnpm build` must have
 *   been run); else all of them are there already.
 * - `<!-- file: NAME -->` writes the block to a file.
 * - `<!-- run -->` runs it with `sh -e`; it must end with 0, or with N after `<!-- run: exit N -->`. After `<!-- run: retry -->` it is tried
 *   until it does and its output is the one wanted: a mesh takes a change in a moment, not at once.
 * - `<!-- start: PATTERN -->` starts it and waits until it says so; it runs to the end of the page.
 * - `<!-- output -->` compares the block with what the last command printed; `…` stands for anything.
 * - `<!-- ports: 8080 9001 -->`, before any block, replaces these ports by free ones everywhere.
 *
 * `tulle` is the one of this clone. @throws Error naming page and line
 */
export async function runGuide(blocks: readonly Block[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'tg-')); // short: sockets lie below it
  const packages = mkdtempSync(join(tmpdir(), 'tgp-'));
  const bin = join(directory, '.bin');
  mkdirSync(bin);
  symlinkSync(join(ROOT, 'apps/cli/bin/tulle.mjs'), join(bin, 'tulle'));
  const published = blocks.some(({ directives }) => 'registry' in directives);
  const packed = published ? await packedRegistry(ROOT, packages) : undefined;
  if (packed === undefined) linkPackages(join(directory, 'node_modules'));
  const env = {
    ...(packed === undefined ? {} : npmSettings(packed.registry.url, packages)),
    PATH: [bin, join(ROOT, 'node_modules/.bin'), process.env['PATH'] ?? ''].join(delimiter),
    TULLE_STATE_DIR: join(directory, 's'),
    TULLE_RUN_DIR: join(directory, 'r'),
    NO_COLOR: '1',
  };
  for (const { directives } of blocks)
    if (directives['copy'] !== undefined)
      cpSync(join(ROOT, directives['copy'], 'src'), join(directory, 'src'), { recursive: true });
  const ports = new Map<string, number>();
  for (const { directives } of blocks)
    for (const port of directives['ports']?.split(' ') ?? []) ports.set(port, await freePort());
  const running: Running[] = [];
  const textOf = (block: Block): string =>
    block.text.replace(/\b\d{4,5}\b/g, (number) => String(ports.get(number) ?? number));
  const fail = (block: Block, why: string): never => {
    const beside = running.map(({ text }) => text.trim()).filter((text) => text !== '');
    throw new Error(
      [`${block.page}:${block.line}: ${why}`, ...beside].join('\nand what runs beside it said: '),
    );
  };
  const shell = (block: Block): Running => start('sh', ['-ec', textOf(block)], { cwd: directory, env });

  const runOnce = async (block: Block, wanted: Block | undefined): Promise<string | undefined> => {
    const [, exit = '0'] = /exit (\d+)/.exec(block.directives['run'] ?? '') ?? [];
    const program = shell(block);
    const limit = setTimeout(() => void program.stop('SIGKILL'), 120_000);
    const { code, out } = await program.ended;
    clearTimeout(limit);
    if (code !== Number(exit)) return `ended with ${code}, not ${exit}:\n${program.text}`;
    if (
      wanted !== undefined &&
      !matches(textOf(wanted), wanted.directives['output'] === 'all' ? program.text : out)
    )
      return `printed\n${program.text}\nbut the page says\n${textOf(wanted)}`;
    return undefined;
  };

  try {
    for (const [i, block] of blocks.entries()) {
      const { file, run, start: pattern, output } = block.directives;
      for (const name of Object.keys(block.directives))
        if (!KNOWN.has(name)) fail(block, `there is no directive ${name}`);
      if (file !== undefined) {
        mkdirSync(dirname(join(directory, file)), { recursive: true });
        writeFileSync(join(directory, file), textOf(block));
      } else if (pattern !== undefined) {
        // In the shell's place, so that a signal reaches it; `env` takes the settings that may stand before a command.
        const program = start('sh', ['-ec', `exec env ${textOf(block)}`], { cwd: directory, env });
        running.push(program);
        await program.said(new RegExp(pattern), 60_000).catch((error: Error) => fail(block, error.message));
      } else if (run !== undefined) {
        const next = blocks[i + 1];
        const wanted = next?.directives['output'] === undefined ? undefined : next;
        const deadline = performance.now() + (run.includes('retry') ? RETRY_MS : 0);
        let fault = await runOnce(block, wanted);
        while (fault !== undefined && performance.now() < deadline) {
          await sleep(200);
          fault = await runOnce(block, wanted);
        }
        if (fault !== undefined) fail(block, fault);
      } else if (output !== undefined && blocks[i - 1]?.directives['run'] === undefined) {
        fail(block, 'an output needs a run before it');
      }
    }
  } finally {
    for (const program of running.toReversed()) await program.stop();
    packed?.registry.close();
    for (const made of [directory, packages]) rmSync(made, { recursive: true, force: true });
  }
}

/** A cache of its own, since npm would else use what an earlier run has left there under the same version. */
function npmSettings(registry: string, directory: string): Readonly<Record<string, string>> {
  return {
    npm_config_registry: `${registry}/`,
    npm_config_cache: join(directory, 'npm'),
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_fetch_retries: '4',
    // npm runs under the pinned Node here, which otherwise trusts only its own list of authorities.
    NODE_USE_SYSTEM_CA: '1',
  };
}

/** Packages of others that pages use. */
const OF_OTHERS = ['@bufbuild/protobuf', '@grpc/grpc-js', '@grpc/proto-loader'];

/** What a reader has installed by npm, here from the workspace: every package of it, the test runner, and what pages use. */
function linkPackages(into: string): void {
  const link = (name: string, directory: string): void => {
    mkdirSync(dirname(join(into, name)), { recursive: true });
    symlinkSync(directory, join(into, name));
  };
  for (const file of globSync('packages/*/*/package.json', { cwd: ROOT })) {
    const { name } = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as { readonly name: string };
    link(name, join(ROOT, dirname(file)));
  }
  link('vitest', join(ROOT, 'node_modules/vitest'));
  for (const name of OF_OTHERS) link(name, join(ROOT, 'tooling/guides/node_modules', name));
}

/** Whether a text is what a page shows, `…` for anything; blanks at the ends of lines and runs of them do not count. */
export function matches(shown: string, text: string): boolean {
  const tidy = (one: string): string =>
    one
      .replace(/[ \t]+/g, ' ')
      .replace(/ $/gm, '')
      .trim();
  const pattern = tidy(shown)
    .split('…')
    .map((part) => part.replace(/[\^$.*+?()[\]{}|]/g, '\\$&'))
    .join('[^]*');
  return new RegExp(`^${pattern}$`).test(tidy(text));
}
