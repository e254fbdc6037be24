import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { loadSystemCalls, type Require } from './system-calls.ts';

/**
 * What capturing needs and this machine lacks.
 * @param require loads koffi; default: as Node finds it from here
 * @returns a sentence each, with what helps; empty: nothing
 */
export function missingForCapture(require?: Require): string[] {
  if (process.platform !== 'linux')
    return [`only Linux captures connections, and this is ${process.platform}`];
  const missing: string[] = [];
  if (process.geteuid?.() !== 0) missing.push('it needs root (sudo)');
  if (!isOnPath('nft')) missing.push('nft is not installed (apt-get install nftables)');
  try {
    loadSystemCalls(require);
  } catch (error) {
    missing.push((error as Error).message);
  }
  return missing;
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
