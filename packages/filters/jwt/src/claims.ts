import type { VerifiedToken } from '@tulle/filter';
import type { Reason } from './reasons.ts';

type Claims = Readonly<Record<string, unknown>>;

/** What a provider asks of claims. */
export interface ClaimRules {
  readonly issuer: string;
  readonly audiences: readonly string[] | undefined;
  readonly clockSkewMs: number;
  readonly requireExpiration: boolean;
  readonly subject: ((subject: string) => boolean) | undefined;
  readonly maxLifetimeMs: number | undefined;
}

/** A claim of the token itself, never of its prototype. */
export function claimOf(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

/**
 * Judges the registered claims (RFC 7519 §4.1); the issuer was compared before.
 * @returns why they are refused, or `undefined`
 */
export function refusalOfClaims(claims: Claims, rules: ClaimRules, nowEpochMs: number): Reason | undefined {
  for (const name of ['exp', 'nbf', 'iat']) {
    const value = claimOf(claims, name);
    if (value !== undefined && (typeof value !== 'number' || !Number.isFinite(value))) return 'bad-claims';
  }
  for (const name of ['sub', 'azp', 'jti']) {
    const value = claimOf(claims, name);
    if (value !== undefined && typeof value !== 'string') return 'bad-claims';
  }
  const audiences = audiencesOf(claims);
  if (audiences === undefined) return 'bad-claims';
  const exp = claimOf(claims, 'exp') as number | undefined;
  const nbf = claimOf(claims, 'nbf') as number | undefined;
  if (exp === undefined && rules.requireExpiration) return 'no-expiration';
  if (exp !== undefined && nowEpochMs >= exp * 1_000 + rules.clockSkewMs) return 'expired';
  if (nbf !== undefined && nowEpochMs < nbf * 1_000 - rules.clockSkewMs) return 'not-yet-valid';
  const subject = claimOf(claims, 'sub') as string | undefined;
  if (rules.subject !== undefined && (subject === undefined || !rules.subject(subject))) return 'subject';
  // What is left of it: an Envoy looks at no `iat` either.
  if (
    rules.maxLifetimeMs !== undefined &&
    (exp === undefined || exp * 1_000 - nowEpochMs > rules.maxLifetimeMs)
  )
    return 'lifetime';
  if (rules.audiences !== undefined && !audiences.some((audience) => rules.audiences?.includes(audience)))
    return 'audience';
  return undefined;
}

/** Claim `aud`: one string or a list of them. @returns `undefined` when it is something else */
function audiencesOf(claims: Claims): readonly string[] | undefined {
  const aud = claimOf(claims, 'aud');
  if (aud === undefined) return [];
  if (typeof aud === 'string') return [aud];
  return Array.isArray(aud) && aud.every((one) => typeof one === 'string') ? aud : undefined;
}

/** Claims that were judged, as later filters see them: frozen throughout, since requests share them. */
export function verifiedToken(provider: string, claims: Claims): VerifiedToken {
  deepFreeze(claims);
  const issuer = claimOf(claims, 'iss') as string;
  const subject = claimOf(claims, 'sub') as string | undefined;
  return Object.freeze({
    provider,
    issuer,
    subject,
    principal: subject === undefined ? undefined : `${issuer}/${subject}`,
    audiences: Object.freeze([...(audiencesOf(claims) ?? [])]),
    presenter: claimOf(claims, 'azp') as string | undefined,
    claims,
  });
}

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  Object.freeze(value);
  for (const part of Object.values(value)) deepFreeze(part);
}
