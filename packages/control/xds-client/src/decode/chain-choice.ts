import { isMessage, type Message } from '@bufbuild/protobuf';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import type { ChainChoice, ChainCondition, ChainInput, Listener as ModelListener } from '@tulle/model';
import type { Listener } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { FilterStateInputSchema } from '@tulle/xds-proto/envoy/extensions/matching/common_inputs/network/v3/network_inputs';
import type { TypedExtensionConfig } from '@tulle/xds-proto/xds/core/v3/extension';
import { IPMatcherSchema } from '@tulle/xds-proto/xds/type/matcher/v3/ip';
import type {
  Matcher,
  Matcher_MatcherTree as MatcherTree,
  Matcher_OnMatch as OnMatch,
} from '@tulle/xds-proto/xds/type/matcher/v3/matcher';
import type { DecodeContext } from './context.ts';
import { NETWORK_INPUTS } from './network-inputs.ts';
import { decodePredicate } from './predicate.ts';
import { present } from './values.ts';

/** Stands where something was refused. */
const NOTHING: ChainChoice = { kind: 'chain', name: '' };

/** A matcher in place of what chains match, which are named then, each by another name. */
export function decodeChainChoice(
  context: DecodeContext,
  matcher: Matcher,
  { filterChains, defaultFilterChain }: Listener,
): Pick<ModelListener, 'chainChoice' | 'defaultChain'> {
  const names = new Set<string>();
  for (const [index, { name, filterChainMatch }] of filterChains.entries()) {
    const path = `filter_chains[${index}]`;
    if (name === '') context.refuse(`${path}.name`, 'is missing, by which filter_chain_matcher chooses');
    else if (names.has(name))
      context.refuse(`${path}.name`, `must be another than ${JSON.stringify(name)}, which one before it has`);
    names.add(name);
    if (filterChainMatch)
      context.refuse(`${path}.filter_chain_match`, 'must not be set beside filter_chain_matcher');
  }
  const defaultChain = defaultFilterChain && freeName(defaultFilterChain.name, names);
  return present({
    chainChoice: decodeTree(
      { context, chains: new Set([...names, ...(defaultChain ? [defaultChain] : [])]) },
      matcher,
      'filter_chain_matcher',
    ),
    defaultChain,
  });
}

/** The default chain may go without a name, or have that of another. */
function freeName(given: string, taken: ReadonlySet<string>): string {
  const wanted = given === '' ? 'default' : given;
  if (!taken.has(wanted)) return wanted;
  let nth = 2;
  while (taken.has(`${wanted}#${nth}`)) nth += 1;
  return `${wanted}#${nth}`;
}

/** What a matcher is read with. */
interface Reading {
  readonly context: DecodeContext;
  /** Names of the chains that there are. */
  readonly chains: ReadonlySet<string>;
}

/** A condition on one input. */
type AskedInput = Extract<ChainCondition, { kind: 'input' }>;

function decodeTree(reading: Reading, { matcherType, onNoMatch }: Matcher, path: string): ChainChoice {
  const { context } = reading;
  const otherwise = onNoMatch && decodeOnMatch(reading, onNoMatch, `${path}.on_no_match`);
  switch (matcherType.case) {
    case 'matcherList':
      return present({
        kind: 'list' as const,
        of: matcherType.value.matchers.map(({ predicate, onMatch }, index) => {
          const here = `${path}.matcher_list.matchers[${index}]`;
          return {
            when: decodePredicate<AskedInput>(
              context,
              predicate,
              `${here}.predicate`,
              (given, match, at) => ({
                kind: 'input',
                input: decodeInput(context, given, at),
                match,
              }),
            ),
            choose: decodeOnMatch(reading, onMatch, `${here}.on_match`),
          };
        }),
        otherwise,
      });
    case 'matcherTree':
      return decodeMap(reading, matcherType.value, otherwise, `${path}.matcher_tree`);
    default:
      // One that has nothing to ask chooses what stands behind it.
      if (otherwise === undefined) context.refuse(path, 'is empty: give matcher_list or matcher_tree');
      return otherwise ?? NOTHING;
  }
}

function decodeMap(
  reading: Reading,
  { input: given, treeType }: MatcherTree,
  otherwise: ChainChoice | undefined,
  path: string,
): ChainChoice {
  const { context } = reading;
  const input = decodeInput(context, given, `${path}.input`);
  if (treeType.case === 'customMatch') {
    const at = `${path}.custom_match.typed_config`;
    const message = context.open(treeType.value.typedConfig, at);
    if (message && isMessage(message, IPMatcherSchema))
      return present({
        kind: 'networks' as const,
        input,
        of: message.rangeMatchers.map(({ ranges, onMatch, exclusive }, index) => {
          const here = `${at}.range_matchers[${index}]`;
          if (ranges.length === 0) context.refuse(`${here}.ranges`, 'is empty');
          return present({
            cidrs: ranges.map(({ addressPrefix, prefixLen }) => `${addressPrefix}/${prefixLen ?? 0}`),
            choose: decodeOnMatch(reading, onMatch, `${here}.on_match`),
            narrowestAlone: exclusive ? true : undefined,
          });
        }),
        otherwise,
      });
    if (message) context.refuse(at, `must be an IPMatcher, not ${message.$typeName}`);
    return NOTHING;
  }
  if (treeType.case === undefined) {
    context.refuse(path, 'must have an exact_match_map, a prefix_match_map or a custom_match');
    return NOTHING;
  }
  const exact = treeType.case === 'exactMatchMap';
  const field = exact ? 'exact_match_map' : 'prefix_match_map';
  return present({
    kind: exact ? ('exact' as const) : ('prefix' as const),
    input,
    values: Object.fromEntries(
      Object.entries(treeType.value.map).map(([value, onMatch]) => [
        value,
        decodeOnMatch(reading, onMatch, `${path}.${field}.map[${JSON.stringify(value)}]`),
      ]),
    ),
    otherwise,
  });
}

function decodeOnMatch(reading: Reading, onMatch: OnMatch | undefined, path: string): ChainChoice {
  const { context, chains } = reading;
  const kind = onMatch?.onMatch;
  if (kind?.case === 'matcher') return decodeTree(reading, kind.value, `${path}.matcher`);
  if (kind?.case !== 'action') {
    context.refuse(path, 'chooses nothing: give action or matcher');
    return NOTHING;
  }
  const at = `${path}.action.typed_config`;
  const message = context.open(kind.value.typedConfig, at);
  if (message && isMessage(message, StringValueSchema)) {
    const name = message.value;
    if (!chains.has(name))
      context.refuse(
        `${at}.value`,
        `must be the name of a filter chain, not ${JSON.stringify(name)}; there is ${[...chains].join(', ')}`,
      );
    return { kind: 'chain', name };
  }
  if (message)
    context.refuse(at, `must be a StringValue with the name of a filter chain, not ${message.$typeName}`);
  return NOTHING;
}

function decodeInput(
  context: DecodeContext,
  input: TypedExtensionConfig | undefined,
  path: string,
): ChainInput {
  const at = `${path}.typed_config`;
  const message: Message | undefined = context.open(input?.typedConfig, at);
  if (message && isMessage(message, FilterStateInputSchema)) {
    if (message.key === '') context.refuse(`${at}.key`, 'is missing');
    return { filterState: message.key };
  }
  const found = message && NETWORK_INPUTS.find(([schema]) => isMessage(message, schema));
  if (message && !found)
    context.refuse(
      at,
      `must say something of a connection that is known before a chain is chosen, which ${message.$typeName} does not`,
    );
  return found?.[1] ?? 'source-type';
}
