import type { HttpStream } from '@tulle/filter';
import { CompileContext, type RegexEngine } from '@tulle/match';
import type { AuthzDecider, AuthzFilterConfig, AuthzPolicy, AuthzRule } from '@tulle/model';
import { compileDeciders, type Decider, firstOf } from './deciders.ts';
import { compileConditions } from './conditions.ts';
import { compileExpression, expressionUsesRegex } from './expression.ts';
import { PathReader } from './path-spellings.ts';
import { compileSource } from './source.ts';
import { compileTarget } from './target.ts';
import { all, any, type Test } from './test.ts';

/** A compiled policy. */
export interface CompiledPolicy {
  readonly name: string;
  /** Its place in the configuration, behind which those of matchers stand. */
  readonly index: number;
  readonly deny: boolean;
  /** Decides nothing. */
  readonly log: boolean;
  readonly shadow: boolean;
  matches(stream: HttpStream): boolean;
}

/** No policy decided: the default did, or the lack of an ALLOW that matches. */
export const NO_POLICY = -1;

/** What was decided, in one number, so that deciding allocates nothing: `policy << 1 | allowed`. */
export type Decision = number;

/** Whether a decision allows. */
export function isAllowed(decision: Decision): boolean {
  return (decision & 1) === 1;
}

/** Place of the policy that decided, {@link NO_POLICY} when none did. */
export function decidedBy(decision: Decision): number {
  return decision >> 1;
}

/** A compiled configuration (decision D20): DENY wins; with an ALLOW, what none allows is denied. */
export interface CompiledAuthz {
  readonly policies: readonly { readonly name: string }[];
  /** Whether there are policies that are only watched. */
  readonly hasShadow: boolean;
  /** Policies that are counted and noted. */
  readonly logging: readonly CompiledPolicy[];
  /** Whether a decision is that of a decider that logs. */
  logs(decision: Decision): boolean;
  /** What the policies in shadow mode decide alone. */
  decideShadow(stream: HttpStream): Decision;
  /** @param shadow whether to decide as if policies in shadow mode were enforced */
  decide(stream: HttpStream, shadow: boolean): Decision;
}

/** Whether compiling needs a regex engine. */
export function usesRegex(config: AuthzFilterConfig): boolean {
  return (
    config.policies.some((policy) =>
      policy.rules.some(
        ({ to, expression }) =>
          to?.headers?.some((header) => header.match.kind === 'regex') === true ||
          (expression !== undefined && expressionUsesRegex(expression)),
      ),
    ) || decidersOf(config).some(({ expression }) => expressionUsesRegex(expression))
  );
}

function decidersOf({ firstMatch = [], shadowFirstMatch = [] }: AuthzFilterConfig): readonly AuthzDecider[] {
  return [...firstMatch, ...shadowFirstMatch];
}

/** Whether a policy judges tokens, which another filter has to verify. */
export function usesTokens(config: AuthzFilterConfig): boolean {
  return config.policies.some((policy) => policy.rules.some((rule) => rule.when !== undefined));
}

/** Compiles policies. @throws TulleError `TULLE_CONFIG_INVALID` with every issue */
export function compileAuthz(config: AuthzFilterConfig, regex: RegexEngine | undefined): CompiledAuthz {
  const context = new CompileContext(regex);
  const reader = new PathReader();
  const policies = config.policies.map((policy, index) => compilePolicy(policy, index, reader, context));
  const compileMatcher = (
    key: 'firstMatch' | 'shadowFirstMatch',
    from: number,
  ): readonly Decider[] | undefined =>
    config[key] && compileDeciders(config[key], context, `/${key}`, from, true);
  const inForce = compileMatcher('firstMatch', policies.length);
  const watched = compileMatcher('shadowFirstMatch', policies.length + (inForce?.length ?? 0));
  const allows = policies.find(({ deny, log, shadow }) => !deny && !log && !shadow);
  if (inForce !== undefined && allows !== undefined)
    context.issue(`/policies/${allows.index}`, 'allows, which firstMatch alone does where it is');
  context.finish('authorization policies');
  const defaultAllows = (config.defaultAction ?? 'allow') === 'allow';
  const all = [...policies, ...(inForce ?? []), ...(watched ?? [])];
  return {
    policies: all,
    hasShadow: watched !== undefined || policies.some((policy) => policy.shadow && !policy.log),
    logging: policies.filter((policy) => policy.log),
    logs: (decision) => decidedBy(decision) >= policies.length && all[decidedBy(decision)]?.log === true,
    decideShadow(stream) {
      if (watched !== undefined) return firstOf(watched, stream.connection, stream);
      let hasAllow = false;
      for (const policy of policies) {
        if (policy.log || !policy.shadow) continue;
        if (!policy.deny) hasAllow = true;
        else if (policy.matches(stream)) return policy.index << 1;
      }
      for (const policy of policies) {
        if (policy.deny || policy.log || !policy.shadow) continue;
        if (policy.matches(stream)) return (policy.index << 1) | 1;
      }
      return (NO_POLICY << 1) | (hasAllow ? 0 : 1);
    },
    decide(stream, shadow) {
      // What a matcher decides it decides alone.
      if (shadow && (watched !== undefined || inForce !== undefined)) return this.decideShadow(stream);
      let hasAllow = false;
      for (const policy of policies) {
        if (policy.log || (policy.shadow && !shadow)) continue;
        if (!policy.deny) hasAllow = true;
        else if (policy.matches(stream)) return policy.index << 1;
      }
      if (inForce !== undefined) return firstOf(inForce, stream.connection, stream);
      if (!hasAllow) return (NO_POLICY << 1) | (defaultAllows ? 1 : 0);
      for (const policy of policies) {
        if (policy.deny || policy.log || (policy.shadow && !shadow)) continue;
        if (policy.matches(stream)) return (policy.index << 1) | 1;
      }
      return NO_POLICY << 1;
    },
  };
}

function compilePolicy(
  policy: AuthzPolicy,
  index: number,
  reader: PathReader,
  context: CompileContext,
): CompiledPolicy {
  const deny = policy.action === 'DENY';
  const rules = any(
    policy.rules.map((rule, number) =>
      compileRule(rule, reader, context, `/policies/${index}/rules/${number}`, deny),
    ),
  );
  return {
    name: policy.name,
    index,
    deny,
    log: policy.action === 'LOG',
    shadow: policy.shadow ?? false,
    matches: (stream) => rules(stream, !deny),
  };
}

function compileRule(
  rule: AuthzRule,
  reader: PathReader,
  context: CompileContext,
  path: string,
  denies: boolean,
): Test {
  const parts: Test[] = [];
  if (rule.from !== undefined) parts.push(compileSource(rule.from, context, `${path}/from`));
  if (rule.to !== undefined) parts.push(compileTarget(rule.to, reader, context, `${path}/to`));
  if (rule.when !== undefined) parts.push(compileConditions(rule.when, context, `${path}/when`));
  if (rule.expression !== undefined) {
    const test = compileExpression(rule.expression, context, `${path}/expression`, {
      denies,
      ofRequests: true,
    });
    parts.push((stream) => test(stream.connection, stream));
  }
  return all(parts);
}
