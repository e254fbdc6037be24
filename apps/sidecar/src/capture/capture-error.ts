/** Connections cannot be captured here, and why. */
export class CaptureUnavailableError extends Error {
  readonly code = 'TULLE_SIDECAR_CAPTURE_UNAVAILABLE';
  /** All that is missing, a sentence each. */
  readonly missing: readonly string[];

  constructor(missing: readonly string[], options?: ErrorOptions) {
    super(`connections cannot be captured here: ${missing.join('; ')}`, options);
    this.name = 'CaptureUnavailableError';
    this.missing = missing;
  }
}

/** What to do where nothing can be captured. */
export const WITHOUT_CAPTURE =
  'without --capture the program finds others at explicit ports: --upstream SERVICE=PORT';
