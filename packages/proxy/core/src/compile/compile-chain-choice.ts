import { CompileContext, compileStringMatch, type RegexEngine } from '@tulle/match';
import type { ChainChoice, ChainCondition, Listener } from '@tulle/model';
import { readerOf } from './chain-inputs.ts';
import type { ConnectionSigns } from './connection-signs.ts';
import type { Issues } from './issues.ts';
import { NetworkTable } from './network-table.ts';

/** Name of what is chosen for a connection; `undefined`: nothing. */
export type ChainChooser = (signs: ConnectionSigns) => string | undefined;

/** What a choice is compiled with. */
interface Base {
  readonly chains: ReadonlySet<string>;
  readonly context: CompileContext;
}

/** What chooses the chains of a listener, by their names; `undefined`: what they match does. @param path of the listener */
export function compileChooser(
  { chainChoice, defaultChain, filterChains }: Listener,
  regex: RegexEngine | undefined,
  path: string,
  issues: Issues,
): ChainChooser | undefined {
  if (chainChoice === undefined) {
    if (defaultChain !== undefined) issues.add(`${path}/defaultChain`, 'must not be set without chainChoice');
    return undefined;
  }
  for (const [index, { match }] of filterChains.entries())
    if (match !== undefined)
      issues.add(`${path}/filterChains/${index}/match`, 'must not be set beside chainChoice');
  const context = new CompileContext(regex);
  const base: Base = { chains: new Set(filterChains.map(({ name }) => name)), context };
  const chooser = compileChainChoice(chainChoice, base, `${path}/chainChoice`);
  if (defaultChain !== undefined) checkChain(defaultChain, base, `${path}/defaultChain`);
  for (const issue of context.issues) issues.add(issue.path, issue.message);
  return chooser;
}

/** Compiles a choice, once an update. @param chains their names @param path JSON pointer of the choice */
function compileChainChoice(choice: ChainChoice, base: Base, path: string): ChainChooser {
  switch (choice.kind) {
    case 'chain': {
      const { name } = choice;
      checkChain(name, base, `${path}/name`);
      return () => name;
    }
    case 'list':
      return listChooser(choice, base, path);
    case 'exact':
      return exactChooser(choice, base, path);
    case 'prefix':
      return prefixChooser(choice, base, path);
    case 'networks':
      return networkChooser(choice, base, path);
  }
}

/** A name that no chain has is an issue. */
function checkChain(name: string, { chains, context }: Base, path: string): void {
  if (!chains.has(name))
    context.issue(
      path,
      `no filter chain is named ${JSON.stringify(name)}; there is ${[...chains].join(', ') || 'none'}`,
    );
}

type MapChoice = Extract<ChainChoice, { kind: 'exact' | 'prefix' }>;
type Choice<Kind> = Extract<ChainChoice, { kind: Kind }>;

function listChooser({ of, otherwise }: Choice<'list'>, base: Base, path: string): ChainChooser {
  const parts = of.map(({ when, choose }, at) => ({
    holds: compileCondition(when, base.context, `${path}/of/${at}/when`),
    choose: compileChainChoice(choose, base, `${path}/of/${at}/choose`),
  }));
  const rest = otherwiseOf(otherwise, base, path);
  return (signs) => {
    for (const { holds, choose } of parts) {
      const chosen = holds(signs) ? choose(signs) : undefined;
      if (chosen !== undefined) return chosen;
    }
    return rest(signs);
  };
}

function exactChooser({ input, values, otherwise }: MapChoice, base: Base, path: string): ChainChooser {
  const read = readerOf(input);
  const choosers = new Map(
    Object.entries(values).map(([value, choose]) => [
      value,
      compileChainChoice(choose, base, `${path}/values/${pointerPart(value)}`),
    ]),
  );
  const rest = otherwiseOf(otherwise, base, path);
  return (signs) => {
    const value = read(signs);
    return (value === undefined ? undefined : choosers.get(value)?.(signs)) ?? rest(signs);
  };
}

function prefixChooser({ input, values, otherwise }: MapChoice, base: Base, path: string): ChainChooser {
  const read = readerOf(input);
  const parts = Object.entries(values)
    .toSorted(([a], [b]) => b.length - a.length)
    .map(([prefix, choose]) => ({
      prefix,
      choose: compileChainChoice(choose, base, `${path}/values/${pointerPart(prefix)}`),
    }));
  const rest = otherwiseOf(otherwise, base, path);
  return (signs) => {
    const value = read(signs);
    if (value === undefined) return rest(signs);
    for (const { prefix, choose } of parts) {
      const chosen = value.startsWith(prefix) ? choose(signs) : undefined;
      if (chosen !== undefined) return chosen;
    }
    return rest(signs);
  };
}

function networkChooser(
  { input, of, otherwise }: Choice<'networks'>,
  base: Base,
  path: string,
): ChainChooser {
  const read = readerOf(input);
  const table = new NetworkTable<{ readonly choose: ChainChooser; readonly narrowestAlone: boolean }>();
  for (const [at, { cidrs, choose, narrowestAlone = false }] of of.entries()) {
    const value = { choose: compileChainChoice(choose, base, `${path}/of/${at}/choose`), narrowestAlone };
    for (const [index, cidr] of cidrs.entries())
      table.add(cidr, value, base.context, `${path}/of/${at}/cidrs/${index}`);
  }
  const rest = otherwiseOf(otherwise, base, path);
  return (signs) => {
    const address = read(signs);
    const found = address === undefined ? [] : table.find(address);
    for (let i = 0; i < found.length; i++) {
      const { choose, narrowestAlone } = found[i] as (typeof found)[number];
      if (i > 0 && narrowestAlone) continue;
      const chosen = choose(signs);
      if (chosen !== undefined) return chosen;
    }
    return rest(signs);
  };
}

const NOTHING: ChainChooser = () => undefined;

function otherwiseOf(otherwise: ChainChoice | undefined, base: Base, path: string): ChainChooser {
  return otherwise === undefined ? NOTHING : compileChainChoice(otherwise, base, `${path}/otherwise`);
}

const pointerPart = (text: string): string => text.replaceAll('~', '~0').replaceAll('/', '~1');

function compileCondition(
  condition: ChainCondition,
  context: CompileContext,
  path: string,
): (signs: ConnectionSigns) => boolean {
  switch (condition.kind) {
    case 'input': {
      const read = readerOf(condition.input);
      const test = compileStringMatch(condition.match, context, `${path}/match`);
      return (signs) => {
        const value = read(signs);
        return value !== undefined && test(value);
      };
    }
    case 'not': {
      const test = compileCondition(condition.of, context, `${path}/of`);
      return (signs) => !test(signs);
    }
    case 'all':
    case 'any': {
      const tests = condition.of.map((one, at) => compileCondition(one, context, `${path}/of/${at}`));
      return condition.kind === 'all'
        ? (signs) => tests.every((test) => test(signs))
        : (signs) => tests.some((test) => test(signs));
    }
  }
}
