import { by, type Proof } from './gateway-api-feature.ts';

/** What a condition of the Gateway API is of. */
export type ReasonOwner = 'GatewayClass' | 'Gateway' | 'Listener' | 'ListenerSet' | 'Route' | 'Policy';

/** A reason of a condition, as a constant of the Gateway API's release names it. */
export interface Reason {
  readonly of: ReasonOwner;
  readonly condition: string;
  readonly reason: string;
  /** Tests in which it is said; none: `never` says why. */
  readonly proofs: readonly Proof[];
  /** Why nothing is ever said so here. */
  readonly never?: string;
}

const TESTS = 'packages/control/plane/tests/';

/** A reason that is said, and the test that shows it. @param file of the control plane's tests */
export const said = (
  of: ReasonOwner,
  condition: string,
  reason: string,
  file: string,
  ...tests: readonly string[]
): Reason => ({ of, condition, reason, proofs: by(`${TESTS}${file}.spec.ts`, ...tests) });

/** A reason that is never said, and why. */
export const never = (of: ReasonOwner, condition: string, reason: string, why: string): Reason => ({
  of,
  condition,
  reason,
  proofs: [],
  never: why,
});
