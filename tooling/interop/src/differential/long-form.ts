import type { RawProtocol } from '../raw/bootstrap.ts';

/** What runs every night: seeds, and how many times as many configurations of each as in the short form. */
export const LONG_FORM = { seeds: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], times: 2 } as const;

/** How configurations of a seed come in the long form: by either protocol, in turn. */
export function protocolOf(seed: number): RawProtocol {
  return seed % 2 === 0 ? 'state-of-the-world' : 'delta';
}

/** Numbers of `3` and `1-10`; `undefined`: it is neither. */
export function seedsOf(text: string): number[] | undefined {
  const [, from = '', to = from] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text) ?? [];
  if (from === '' || Number(to) < Number(from)) return undefined;
  return Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => Number(from) + i);
}
