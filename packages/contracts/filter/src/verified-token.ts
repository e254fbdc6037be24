import { defineSlot, type Slot } from './slot.ts';

/** A bearer token whose signature, issuer, audience and times were checked. Frozen throughout; shared between requests. */
export interface VerifiedToken {
  /** Name of the provider in the configuration of the filter that verified it. */
  readonly provider: string;
  /** Claim `iss`. */
  readonly issuer: string;
  /** Claim `sub`; `undefined` when the token names nobody. */
  readonly subject: string | undefined;
  /** `issuer/subject`: who calls, across issuers (Istio `request.auth.principal`); `undefined` without a subject. */
  readonly principal: string | undefined;
  /** Claim `aud` as a list, empty without one. */
  readonly audiences: readonly string[];
  /** Claim `azp`: the client that the token was issued to. */
  readonly presenter: string | undefined;
  /** Every claim as it was signed. Names come from the issuer: look them up with `Object.hasOwn`. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * The verified tokens of a request, in the order of the providers that were asked for; unset when there is none.
 * Provided by `@tulle/filter-jwt` or any other filter that authenticates by token, required by what decides on claims.
 */
export const VERIFIED_TOKENS: Slot<readonly VerifiedToken[]> =
  defineSlot<readonly VerifiedToken[]>('tulle.authn.tokens');
