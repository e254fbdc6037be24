import type { CompileContext } from '@tulle/match';
import type { JwtRequirement } from '@tulle/model';
import type { VerifiedToken } from '@tulle/filter';

/** A compiled requirement. */
export interface Requirement {
  /** Names of the providers whose tokens are looked for, in order. */
  readonly providers: readonly string[];
  /** Whether a token that is no good counts as none. */
  readonly lenient: boolean;
  /** @param tokens verified ones; those that were there and did not verify have been refused before */
  holds(tokens: readonly VerifiedToken[]): boolean;
}

/** Compiles a requirement; providers that do not exist become issues. @param path JSON pointer of it */
export function compileRequirement(
  requirement: JwtRequirement,
  known: readonly string[],
  context: CompileContext,
  path: string,
): Requirement {
  const providers = new Set<string>();
  let lenient = false;
  const holds = compile(requirement, path);
  if ('ignore' in requirement) return { providers: [], lenient, holds };
  // With allowMissing alone nothing is required, and still a bad token of any provider is no good.
  return { providers: lenient || providers.size === 0 ? known : [...providers], lenient, holds };

  function compile(node: JwtRequirement, at: string): Requirement['holds'] {
    // Whatever token is there was verified before this is asked.
    if ('allowMissing' in node || 'ignore' in node) return () => true;
    if ('allowFailed' in node) {
      lenient = true;
      return () => true;
    }
    if ('any' in node) {
      const parts = node.any.map((part, index) => compile(part, `${at}/any/${index}`));
      return (tokens) => parts.some((part) => part(tokens));
    }
    if ('all' in node) {
      const parts = node.all.map((part, index) => compile(part, `${at}/all/${index}`));
      return (tokens) => parts.every((part) => part(tokens));
    }
    const { provider, audiences } = node;
    if (!known.includes(provider))
      context.issue(
        `${at}/provider`,
        `no provider is named ${JSON.stringify(provider)}; there is ${known.join(', ')}`,
      );
    providers.add(provider);
    return (tokens) =>
      tokens.some(
        (token) =>
          token.provider === provider &&
          (audiences === undefined || token.audiences.some((audience) => audiences.includes(audience))),
      );
  }
}
