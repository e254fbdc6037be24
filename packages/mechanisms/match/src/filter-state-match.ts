import type { FilterStateTest } from '@tulle/model';
import { compileCidrs } from './cidr.ts';
import type { CompileContext } from './compile-context.ts';
import { parseIpPort } from './ip.ts';
import { compileStringMatch } from './value-match.ts';

/** A compiled condition on filter state. @param state texts by key; `undefined` for none */
export type FilterStateCheck = (state: Readonly<Record<string, string>> | undefined) => boolean;

/** Compiles a condition on filter state: what is not there does not fulfil it. @param path JSON pointer of it */
export function compileFilterStateMatch(
  test: FilterStateTest,
  context: CompileContext,
  path: string,
): FilterStateCheck {
  const { key } = test;
  const holds =
    'cidrs' in test
      ? inNetworks(test.cidrs, context, `${path}/cidrs`)
      : compileStringMatch(test.match, context, `${path}/match`);
  return (state) => state !== undefined && Object.hasOwn(state, key) && holds(state[key] as string);
}

function inNetworks(
  cidrs: readonly string[],
  context: CompileContext,
  path: string,
): (value: string) => boolean {
  const networks = compileCidrs(cidrs, context, path);
  return (value) => networks.has(parseIpPort(value)?.host ?? value);
}
