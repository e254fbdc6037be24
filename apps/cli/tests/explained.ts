import { expect } from 'vitest';
import type { TulleBench } from './tulle-bench.ts';

/** A program that says hello to whatever is asked, at the port that it is given. */
export const SERVER: string =
  "require('http').createServer((q,r)=>r.end('hello')).listen(process.argv[1],'127.0.0.1',()=>console.log('up'))";

/** What a proxy says of a request. */
export interface Explained {
  readonly proxy: string;
  readonly explanation: {
    readonly status: number;
    readonly code: string;
    readonly path: string;
    readonly dryRun: boolean;
    readonly peerIdentity?: string;
    readonly reasons: readonly unknown[];
  };
}

/** What `tulle explain` says with these arguments, proxy by proxy. */
export async function explain(
  { tulle }: Pick<TulleBench, 'tulle'>,
  ...args: string[]
): Promise<readonly Explained[]> {
  const { code, out, err } = await tulle('explain', ...args, '-o', 'json');
  expect([code, err]).toEqual([0, '']);
  return (JSON.parse(out) as { readonly explanations: readonly Explained[] }).explanations;
}
