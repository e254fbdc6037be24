import { isMessage } from '@bufbuild/protobuf';
import type { AuthzDecider, AuthzExpression, AuthzFilterConfig } from '@tulle/model';
import { ActionSchema, RBAC_Action as Action } from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import type { RBAC } from '@tulle/xds-proto/envoy/extensions/filters/http/rbac/v3/rbac';
import { type IPMatcher, IPMatcherSchema } from '@tulle/xds-proto/xds/type/matcher/v3/ip';
import type {
  Matcher,
  Matcher_MatcherTree as MatcherTree,
  Matcher_OnMatch as OnMatch,
} from '@tulle/xds-proto/xds/type/matcher/v3/matcher';
import type { DecodeContext } from '../context.ts';
import { type Condition, decodePredicate } from '../predicate.ts';
import { present } from '../values.ts';
import { InputReader } from './matcher-inputs.ts';

const ACTIONS: ReadonlyMap<Action, AuthzDecider['action']> = new Map([
  [Action.ALLOW, 'ALLOW'],
  [Action.DENY, 'DENY'],
  [Action.LOG, 'LOG'],
]);

/**
 * What a matcher of RBAC decides, as one list: each action behind all conditions on the way to it. A part that chooses nothing lets
 * the next one be asked, which is what a list does.
 * @param ofRequests whether there are requests to look at
 */
function decodeDeciders(
  context: DecodeContext,
  matcher: Matcher,
  ofRequests: boolean,
  path: string,
): readonly AuthzDecider[] {
  const reading = new Reading(context, ofRequests);
  reading.matcher(matcher, [], path);
  return reading.deciders;
}

/** The matchers of a filter, where it has any. Envoy passes over rules beside them. */
export function decodeMatchers(
  context: DecodeContext,
  {
    rules,
    matcher,
    shadowRules,
    shadowMatcher,
  }: Pick<RBAC, 'rules' | 'matcher' | 'shadowRules' | 'shadowMatcher'>,
  ofRequests: boolean,
  path: string,
): Pick<AuthzFilterConfig, 'firstMatch' | 'shadowFirstMatch'> {
  if (rules && matcher) context.refuse(`${path}.rules`, 'must not be set where matcher is');
  if (shadowRules && shadowMatcher)
    context.refuse(`${path}.shadow_rules`, 'must not be set where shadow_matcher is');
  return present({
    firstMatch: matcher && decodeDeciders(context, matcher, ofRequests, `${path}.matcher`),
    shadowFirstMatch:
      shadowMatcher && decodeDeciders(context, shadowMatcher, ofRequests, `${path}.shadow_matcher`),
  });
}

type Guards = readonly AuthzExpression[];

class Reading {
  readonly deciders: AuthzDecider[] = [];
  readonly #context: DecodeContext;
  readonly #inputs: InputReader;

  constructor(context: DecodeContext, ofRequests: boolean) {
    this.#context = context;
    this.#inputs = new InputReader(context, ofRequests);
  }

  /** @param guards what must hold for it to be asked */
  matcher({ matcherType, onNoMatch }: Matcher, guards: Guards, path: string): void {
    switch (matcherType.case) {
      case 'matcherList':
        for (const [index, { predicate, onMatch }] of matcherType.value.matchers.entries()) {
          const here = `${path}.matcher_list.matchers[${index}]`;
          const when = decodePredicate<AuthzExpression>(
            this.#context,
            predicate,
            `${here}.predicate`,
            (input, match, at) => this.#inputs.text(this.#inputs.open(input, at), match, at),
            (input, custom, at) => this.#inputs.custom(input, custom, at),
          );
          this.#onMatch(onMatch, [...guards, expressionOf(when)], `${here}.on_match`);
        }
        break;
      case 'matcherTree':
        this.#tree(matcherType.value, guards, `${path}.matcher_tree`);
        break;
      default:
        if (onNoMatch === undefined)
          this.#context.refuse(path, 'is empty: give matcher_list or matcher_tree');
    }
    if (onNoMatch) this.#onMatch(onNoMatch, guards, `${path}.on_no_match`);
  }

  #tree({ input: given, treeType }: MatcherTree, guards: Guards, path: string): void {
    const input = this.#inputs.open(given, `${path}.input`);
    if (treeType.case === 'customMatch') {
      const at = `${path}.custom_match.typed_config`;
      const message = this.#context.open(treeType.value.typedConfig, at);
      if (message && isMessage(message, IPMatcherSchema))
        for (const { within, choose, at: here } of byNetwork(this.#context, message, at))
          this.#onMatch(
            choose,
            [...guards, within((cidrs) => this.#inputs.networks(input, cidrs, `${path}.input`))],
            here,
          );
      else if (message) this.#context.refuse(at, `must be an IPMatcher, not ${message.$typeName}`);
      return;
    }
    if (treeType.case === undefined) {
      this.#context.refuse(path, 'must have an exact_match_map, a prefix_match_map or a custom_match');
      return;
    }
    const exact = treeType.case === 'exactMatchMap';
    // The longest of the beginnings that a text has comes first.
    const entries = Object.entries(treeType.value.map).toSorted(([a], [b]) =>
      exact ? 0 : b.length - a.length,
    );
    for (const [value, onMatch] of entries) {
      const when = this.#inputs.text(input, { kind: exact ? 'exact' : 'prefix', value }, `${path}.input`);
      this.#onMatch(
        onMatch,
        [...guards, when],
        `${path}.${exact ? 'exact' : 'prefix'}_match_map.map[${JSON.stringify(value)}]`,
      );
    }
  }

  #onMatch(onMatch: OnMatch | undefined, guards: Guards, path: string): void {
    const kind = onMatch?.onMatch;
    if (kind?.case === 'matcher') return this.matcher(kind.value, guards, `${path}.matcher`);
    if (kind?.case !== 'action') return this.#context.refuse(path, 'chooses nothing: give action or matcher');
    const at = `${path}.action.typed_config`;
    const message = this.#context.open(kind.value.typedConfig, at);
    if (!message) return undefined;
    if (!isMessage(message, ActionSchema))
      return this.#context.refuse(at, `must be an envoy.config.rbac.v3.Action, not ${message.$typeName}`);
    if (message.name === '') this.#context.refuse(`${at}.name`, 'is missing');
    const [only, ...more] = guards;
    this.deciders.push({
      name: message.name,
      action: ACTIONS.get(message.action) ?? 'DENY',
      expression: only === undefined ? { any: true } : more.length === 0 ? only : { allOf: guards },
    });
    return undefined;
  }
}

function expressionOf(condition: Condition<AuthzExpression>): AuthzExpression {
  if (!('kind' in condition)) return condition;
  if (condition.kind === 'not') return { not: expressionOf(condition.of) };
  const parts = condition.of.map(expressionOf);
  return condition.kind === 'all' ? { allOf: parts } : { anyOf: parts };
}

/** What stands behind a network. */
interface Choice {
  /** Which addresses it is for. @param inNetworks whether an address is in one of some networks */
  readonly within: (inNetworks: (cidrs: readonly string[]) => AuthzExpression) => AuthzExpression;
  readonly choose: OnMatch | undefined;
  readonly at: string;
}

/** The narrowest network that has an address comes first. */
function byNetwork(context: DecodeContext, { rangeMatchers }: IPMatcher, path: string): Choice[] {
  const all = rangeMatchers.flatMap(({ ranges, onMatch, exclusive }, index) => {
    const here = `${path}.range_matchers[${index}]`;
    if (ranges.length === 0) context.refuse(`${here}.ranges`, 'is empty');
    return ranges.map(({ addressPrefix, prefixLen }) => ({
      bits: prefixLen ?? 0,
      cidr: `${addressPrefix}/${prefixLen ?? 0}`,
      isV6: addressPrefix.includes(':'),
      exclusive,
      choose: onMatch,
      at: `${here}.on_match`,
    }));
  });
  return all
    .toSorted((a, b) => b.bits - a.bits)
    .map(({ cidr, bits, isV6, exclusive, choose, at }) => {
      // Where a narrower network chose nothing, this one is not asked.
      const narrower = exclusive
        ? all.filter((one) => one.isV6 === isV6 && one.bits > bits).map((one) => one.cidr)
        : [];
      return {
        choose,
        at,
        within: (inNetworks) =>
          narrower.length === 0
            ? inNetworks([cidr])
            : { allOf: [inNetworks([cidr]), { not: inNetworks(narrower) }] },
      };
    });
}
