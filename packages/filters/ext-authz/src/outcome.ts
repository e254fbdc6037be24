import { isTulleError, type MetadataValues } from '@tulle/filter';

/** An edit of a request's or response's headers; the name is lower case, both are valid. */
export interface HeaderEdit {
  readonly name: string;
  readonly value: string;
  /** What becomes of lines that are there: replaced, kept beside, kept instead, or only those replaced. */
  readonly how: 'set' | 'append' | 'add-if-absent' | 'set-if-present';
}

/** The request may go on. */
export interface Allowed {
  readonly kind: 'allowed';
  /** Names removed from the request before {@link edits}. */
  readonly remove: readonly string[];
  readonly edits: readonly HeaderEdit[];
  /** Query parameters, decoded. */
  readonly removeQuery: readonly string[];
  readonly setQuery: readonly (readonly [name: string, value: string])[];
  /** What later filters may know. */
  readonly metadata: MetadataValues | undefined;
  /** For the response. */
  readonly responseEdits: readonly HeaderEdit[];
}

/** The caller gets this instead. */
export interface Denied {
  readonly kind: 'denied';
  /** 200–599 */
  readonly status: number;
  /** Flat `[name, value, …]` */
  readonly headers: readonly string[];
  readonly body: string | Uint8Array;
}

/** Why there is no answer that can be used: the label of the metric, and the words in the details. */
export type FailureReason = 'timeout' | 'unavailable' | 'invalid' | 'overflow' | 'status' | 'internal';

/** The service gave no answer that can be used. */
export interface Failed {
  readonly kind: 'failed';
  readonly reason: FailureReason;
  /** For the log. */
  readonly message: string;
}

export type Outcome = Allowed | Denied | Failed;

/** What is asked about, beside the stream itself. */
export interface CheckInput {
  /** What earlier filters found out and the service is told. */
  readonly metadata: Readonly<Record<string, MetadataValues>>;
  readonly body: Uint8Array | undefined;
  readonly contextExtensions: Readonly<Record<string, string>>;
  /** Whether the service is shown the caller's certificate. */
  readonly tellCertificate: boolean;
  /** Whether it is told each line of a field by itself, in its own bytes. */
  readonly rawHeaders: boolean;
  readonly timeoutMs: number;
}

/** A check under way. */
export interface RunningCheck {
  /** Never rejects. */
  readonly outcome: Promise<Outcome>;
  /** Nobody waits any more. */
  cancel(): void;
}

/** What a call that gave no whole answer means. @param otherwise for what is no error of the engine's */
export function failureOf(error: unknown, otherwise: FailureReason): Failed {
  if (!isTulleError(error)) return failed(otherwise, error instanceof Error ? error.message : String(error));
  const message = `${error.code} ${error.message}`;
  switch (error.code) {
    case 'TULLE_REQUEST_TIMEOUT':
      return failed('timeout', message);
    case 'TULLE_UPSTREAM_PROTOCOL':
      return failed('invalid', message);
    case 'TULLE_UPSTREAM_OVERFLOW':
      return failed('overflow', message);
    default:
      return failed('unavailable', message);
  }
}

export function failed(reason: FailureReason, message: string): Failed {
  return { kind: 'failed', reason, message };
}

export const NO_EDITS: Omit<Allowed, 'kind'> = Object.freeze({
  remove: [],
  edits: [],
  removeQuery: [],
  setQuery: [],
  metadata: undefined,
  responseEdits: [],
});
