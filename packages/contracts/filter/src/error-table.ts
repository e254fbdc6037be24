import { CONTROL_ERRORS, type ControlErrorCode } from './control-errors.ts';
import type { ErrorRow } from './error-row.ts';
import { POLICY_ERRORS, type PolicyErrorCode } from './policy-errors.ts';
import { STREAM_ERRORS, type StreamErrorCode } from './stream-errors.ts';

export type { ErrorRow, ErrorSource, ResponseFlag } from './error-row.ts';

/** Every code that Tulle itself uses; the table has exactly one row for each. */
export type ErrorCode = StreamErrorCode | PolicyErrorCode | ControlErrorCode;

/** The rows, by code. Frozen. */
export const ERROR_TABLE: Readonly<Record<ErrorCode, ErrorRow>> = Object.freeze({
  ...STREAM_ERRORS,
  ...POLICY_ERRORS,
  ...CONTROL_ERRORS,
});

/** The row of a code. @returns `undefined` for a code that is not Tulle's own. */
export function errorRow(code: string): ErrorRow | undefined {
  return Object.hasOwn(ERROR_TABLE, code) ? ERROR_TABLE[code as ErrorCode] : undefined;
}
