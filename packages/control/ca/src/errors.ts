/**
 * Why the CA gave nothing, one word for a log line and a metric label. A closed set, so a metric by reason is bounded.
 * The caller of the service learns less than the log: for a token only that it was refused.
 */
export const caRefusals = [
  'token-malformed',
  'token-unknown',
  'token-forged',
  'token-expired',
  'token-used',
  'token-revoked',
  'csr-malformed',
  'csr-weak-key',
  'csr-excess',
  'csr-identity',
  'no-identity',
  'foreign-identity',
  'reserved-identity',
  'issuer-too-short',
  'too-many-tokens',
  'rotation-running',
  'no-rotation',
] as const;

export type CaRefusal = (typeof caRefusals)[number];

/** Thrown by the CA when it refuses to issue. The message says cause and next step, for whoever runs the CA. */
export class CaError extends Error {
  readonly code = 'TULLE_CA_REFUSED';
  readonly reason: CaRefusal;
  constructor(reason: CaRefusal, message: string) {
    super(message);
    this.name = 'CaError';
    this.reason = reason;
  }
}

/** Thrown when keys or state on disk cannot be used as they are. The message names the file and the command that helps. */
export class StoreError extends Error {
  readonly code = 'TULLE_CA_STORE';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
  }
}
