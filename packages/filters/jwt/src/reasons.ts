import type { ErrorCode } from '@tulle/filter';

/** Why a request is refused: the label of the metric, the note's value, and the words in the details. */
export type Reason = keyof typeof REASONS;

/**
 * Words as Envoy's jwt_authn prints them where it has them, so that searches in access logs go on working. In order:
 * a reason's place is what its decision note carries.
 */
export const REASONS = {
  missing: 'Jwt_is_missing',
  'several-tokens': 'Jwt_given_more_than_once',
  'too-large': 'Jwt_is_too_large',
  malformed: 'Jwt_is_not_in_the_form_of_Header.Payload.Signature',
  'bad-header': 'Jwt_header_is_refused',
  'embedded-key': 'Jwt_header_carries_a_key',
  critical: 'Jwt_header_has_critical_extensions',
  algorithm: 'Jwt_header_[alg]_is_not_supported',
  'duplicate-claim': 'Jwt_names_a_claim_twice',
  'bad-claims': 'Jwt_payload_is_refused',
  issuer: 'Jwt_issuer_is_not_configured',
  audience: 'Audiences_in_Jwt_are_not_allowed',
  expired: 'Jwt_is_expired',
  'no-expiration': 'Jwt_has_no_expiration_time',
  'not-yet-valid': 'Jwt_not_yet_valid',
  'unknown-key': "Jwks_doesn't_have_key_to_match_kid_or_alg_from_Jwt",
  signature: 'Jwt_verification_fails',
  requirement: 'Jwt_is_not_what_the_route_requires',
  'keys-unavailable': 'Jwks_remote_fetch_is_failed',
  subject: 'Jwt_subject_is_not_allowed',
  lifetime: 'Jwt_lifetime_is_too_long',
} as const;

const ORDER = Object.keys(REASONS) as readonly Reason[];

/** A reason's number in decision notes. */
export function reasonNumber(reason: Reason): number {
  return ORDER.indexOf(reason);
}

/** The code by which a reason is answered. */
export function codeOf(reason: Reason): ErrorCode {
  if (reason === 'missing') return 'TULLE_JWT_MISSING';
  return reason === 'keys-unavailable' ? 'TULLE_JWT_KEYS_UNAVAILABLE' : 'TULLE_JWT_INVALID';
}
