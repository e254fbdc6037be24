import { errorRow, type ErrorCode, type ErrorRow } from './error-table.ts';

const BRAND: unique symbol = Symbol.for('tulle.error') as never;

/** One thing that is wrong with a configuration. */
export interface ConfigIssue {
  /** JSON pointer (RFC 6901) into the configuration, `''` for the whole. */
  readonly path: string;
  /** What is wrong, what was found, and what would be right. */
  readonly message: string;
}

/** What may be said beside code and message. */
export interface TulleErrorOptions {
  readonly cause?: unknown;
  /** Values that belong to this occurrence: cluster, route, filter, field. Shown, never parsed. */
  readonly context?: Readonly<Record<string, string | number | boolean>>;
  /** For configuration errors: every issue at once. */
  readonly issues?: readonly ConfigIssue[];
}

/**
 * An error with a code from the one table. Recognised by brand and code ({@link isTulleError}), never by
 * `instanceof`: two copies of this package may be loaded side by side (decision D17).
 *
 * Requests are not refused by throwing: use `stream.reply()`, which allocates no Error.
 */
export class TulleError extends Error {
  override readonly name = 'TulleError';
  readonly code: ErrorCode;
  readonly context: Readonly<Record<string, string | number | boolean>>;
  readonly issues: readonly ConfigIssue[];

  constructor(code: ErrorCode, message: string, options: TulleErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.context = options.context ?? {};
    this.issues = options.issues ?? [];
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** The code's row in the error table: status, flag, details, hint. */
  get row(): ErrorRow {
    return errorRow(this.code) as ErrorRow;
  }
}

/** Whether `value` is a {@link TulleError}, of this or another copy of the package. */
export function isTulleError(value: unknown): value is TulleError {
  return typeof value === 'object' && value !== null && (value as { [BRAND]?: boolean })[BRAND] === true;
}
