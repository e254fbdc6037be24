import { findInvalidName, findInvalidValue } from '@tulle/fields';
import { CompileContext, loadedRegexEngine } from '@tulle/match';
import type { HashPolicy } from '@tulle/model';
import type { CompiledHashPolicy } from './compiled-hash-policy.ts';

/** Compiles what requests are told together by; names and values are checked here. `null`: nothing. */
export function compileHashPolicy(
  policies: readonly HashPolicy[] | undefined,
  path: string,
  context: CompileContext,
): readonly CompiledHashPolicy[] | null {
  if (policies === undefined || policies.length === 0) return null;
  return Object.freeze(
    policies.map((policy, index): CompiledHashPolicy => {
      const at = `${path}/${index}`;
      const { kind, terminal = false } = policy;
      if (kind === 'source-ip')
        return { kind, name: '', terminal, cookieTail: undefined, rewrite: undefined };
      const { name } = policy;
      if ((kind === 'header' || kind === 'cookie') && findInvalidName(name.toLowerCase()) >= 0)
        context.issue(`${at}/name`, `${JSON.stringify(name)} is no name of a ${kind}`);
      return {
        kind,
        name: kind === 'header' ? name.toLowerCase() : name,
        terminal,
        cookieTail: kind === 'cookie' ? tailOf(policy, at, context) : undefined,
        rewrite:
          policy.kind === 'header' && policy.rewrite !== undefined
            ? context.rewrite(policy.rewrite, `${at}/rewrite`)
            : undefined,
      };
    }),
  );
}

/** Of a cluster, whose policies were found sound when it was compiled. */
export function hashPolicyOf(
  policies: readonly HashPolicy[] | undefined,
): readonly CompiledHashPolicy[] | null {
  return policies === undefined
    ? null
    : compileHashPolicy(policies, '', new CompileContext(loadedRegexEngine()));
}

/** What follows the value of a cookie that is made up (RFC 6265 §4.1.1); `undefined`: none is. */
function tailOf(
  { ttlMs, path, attributes = [] }: Extract<HashPolicy, { kind: 'cookie' }>,
  at: string,
  context: CompileContext,
): string | undefined {
  if (ttlMs === undefined) {
    if (path !== undefined || attributes.length > 0)
      context.issue(
        at,
        'a cookie without ttlMs is never made up; leave path and attributes out, or give ttlMs',
      );
    return undefined;
  }
  const check = (text: string, where: string): string => {
    if (text.includes(';') || findInvalidValue(text) >= 0)
      context.issue(`${at}/${where}`, `${JSON.stringify(text)} cannot stand in a cookie`);
    return text;
  };
  return [
    ...(ttlMs > 0 ? [`; Max-Age=${Math.ceil(ttlMs / 1000)}`] : []),
    ...(path === undefined ? [] : [`; Path=${check(path, 'path')}`]),
    ...attributes.map(({ name, value }, index) => {
      check(name, `attributes/${index}/name`);
      return value === '' ? `; ${name}` : `; ${name}=${check(value, `attributes/${index}/value`)}`;
    }),
    '; HttpOnly',
  ].join('');
}
