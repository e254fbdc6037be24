import type { ErrorCode, ErrorRow } from './error-row.ts';
import { POLICY_ERRORS } from './policy-errors.ts';
import { STREAM_ERRORS } from './stream-errors.ts';

export type { ErrorCode, ErrorRow, ErrorSource, ResponseFlag } from './error-row.ts';

/** The rows, by code. Frozen. */
export const ERROR_TABLE: Readonly<Record<ErrorCode, ErrorRow>> = Object.freeze({
  ...STREAM_ERRORS,
  ...POLICY_ERRORS,
});

/** The row of a code. @returns `undefined` for a code that is not Tulle's own. */
export function errorRow(code: string): ErrorRow | undefined {
  return Object.hasOwn(ERROR_TABLE, code) ? ERROR_TABLE[code as ErrorCode] : undefined;
}
