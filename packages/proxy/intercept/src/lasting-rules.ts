import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

/** Commands of nft(8) after which there is no such table, whether there was one or not; for the beginning of others. */
export function dropCommands(table: string): string {
  return `add table inet ${table}; delete table inet ${table}`;
}

/**
 * Puts rules into force, in the network namespace that the caller is in, that belong to nobody: they stay when this process
 * ends, however it ends, until {@link dropRules} or the end of the namespace. Those of a table of that name are
 * replaced in one step.
 * @param commands of `captureCommands` for this table, `lasting`
 * @throws Error with what nft says, or that it is not installed; nothing is changed then
 */
export async function keepRules(table: string, commands: string): Promise<void> {
  await nft(`${dropCommands(table)}; ${commands}`, 'put into force');
}

/** Takes rules away that {@link keepRules} put there, if any; in the network namespace that the caller is in. @throws Error with what nft says */
export async function dropRules(table: string): Promise<void> {
  await nft(dropCommands(table), 'taken away');
}

/** The child is begun before anything is awaited, so that it is where the caller is. */
async function nft(commands: string, done: string): Promise<void> {
  const child = spawn('nft', [commands], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = Promise.withResolvers<string | undefined>();
  child.once('error', (error: NodeJS.ErrnoException) =>
    ended.resolve(error.code === 'ENOENT' ? 'nft is not installed' : error.message),
  );
  const said = text(child.stderr);
  child.once('close', (code) => {
    if (code === 0) return ended.resolve(undefined);
    void said.then((all) => ended.resolve(all.trim().split('\n')[0] || `nft ended with ${code}`));
  });
  const wrong = await ended.promise;
  if (wrong !== undefined) throw new Error(`the capture rules could not be ${done}: ${wrong}`);
}
