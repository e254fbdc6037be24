import { readFileSync } from 'node:fs';

/** Those that a process has started, and that run. */
export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
}

/** Empty: it is gone. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

export const isGone = (pid: number): boolean => commandOf(pid) === '';

/** Engine processes of a supervisor. */
export function enginesOf(pid: number): number[] {
  return childrenOf(pid).filter((child) => commandOf(child).includes('engine-main'));
}
