import { packAll, type Packed } from './pack.ts';
import { startRegistry, type Registry } from './registry.ts';
import { run } from './run.ts';

/** The packages of this clone as if they had been published, see {@link startRegistry}. Needs `pnpm build` before it. */
export async function packedRegistry(
  root: string,
  scratch: string,
): Promise<{ readonly packed: readonly Packed[]; readonly registry: Registry }> {
  const packed = await packAll(root, scratch);
  const upstream = (await run('npm', ['config', 'get', 'registry'], scratch)).trim();
  return { packed, registry: await startRegistry(packed, upstream) };
}
