import { sipKey, type SipKey } from '@tulle/balance';
import { findInvalidName, findInvalidValue } from '@tulle/fields';
import type { SessionPersistence } from '@tulle/model';
import type { Issues } from './issues.ts';

/** How callers are kept at their endpoints. */
export interface CompiledPersistence {
  readonly kind: 'cookie' | 'header';
  /** Of a header in lower case. */
  readonly name: string;
  readonly key: SipKey;
  /** Infinity: none. */
  readonly absoluteTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Whether a token is made anew for each answer, so that it says when the session was used last. */
  readonly refreshes: boolean;
  /** What follows the value of the cookie, but for `Max-Age` and `Secure`. */
  readonly cookieTail: string;
  readonly permanent: boolean;
}

/** `null`: they are not. */
export function compilePersistence(
  persistence: SessionPersistence | undefined,
  path: string,
  issues: Issues,
): CompiledPersistence | null {
  if (persistence === undefined) return null;
  const { kind, name, secret, absoluteTimeoutMs, idleTimeoutMs, permanent = false } = persistence;
  const key = sipKey(secret);
  if (key === undefined) issues.add(`${path}/secret`, 'a secret is 32 hex digits');
  if (findInvalidName(name.toLowerCase()) >= 0)
    issues.add(`${path}/name`, `${JSON.stringify(name)} is no name of a ${kind}`);
  const cookiePath = persistence.path;
  if (cookiePath !== undefined && (cookiePath.includes(';') || findInvalidValue(cookiePath) >= 0))
    issues.add(`${path}/path`, `${JSON.stringify(cookiePath)} cannot stand in a cookie`);
  if (permanent && absoluteTimeoutMs === undefined)
    issues.add(
      `${path}/permanent`,
      'a permanent cookie needs absoluteTimeoutMs: it says until when it is kept',
    );
  const compiled: CompiledPersistence = {
    kind,
    name: kind === 'header' ? name.toLowerCase() : name,
    key: key ?? [0, 0, 0, 0],
    absoluteTimeoutMs: absoluteTimeoutMs ?? Infinity,
    idleTimeoutMs: idleTimeoutMs ?? Infinity,
    refreshes: idleTimeoutMs !== undefined,
    cookieTail: `${cookiePath === undefined ? '' : `; Path=${cookiePath}`}; HttpOnly; SameSite=Strict`,
    permanent,
  };
  return Object.freeze(compiled);
}
