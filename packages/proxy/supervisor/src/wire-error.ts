import { errorRow, TulleError, isTulleError, type ConfigIssue, type ErrorCode } from '@tulle/filter';

/** An error as plain data, so that a child's failure is shown whole where a person sees it. */
export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly code?: string;
  readonly issues?: readonly ConfigIssue[];
  readonly context?: Readonly<Record<string, string | number | boolean>>;
}

/** Takes an error apart. Causes are appended to the stack, as Node prints them. */
export function toWire(error: unknown): WireError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: '' };
  let stack = error.stack ?? '';
  for (let cause = error.cause, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++)
    stack += `\nCaused by: ${cause.stack ?? cause.message}`;
  return {
    name: error.name,
    message: error.message,
    stack,
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    ...(isTulleError(error) ? { issues: error.issues, context: error.context } : {}),
  };
}

/** Puts it together again: a TulleError where it was one. The child's stack is kept. */
export function fromWire(wire: WireError): Error {
  let error: Error;
  if (wire.code !== undefined && errorRow(wire.code) !== undefined) {
    error = new TulleError(wire.code as ErrorCode, wire.message, {
      ...(wire.issues === undefined ? {} : { issues: wire.issues }),
      ...(wire.context === undefined ? {} : { context: wire.context }),
    });
  } else {
    error = new Error(wire.message);
    error.name = wire.name;
    if (wire.code !== undefined) Object.assign(error, { code: wire.code });
  }
  if (wire.stack !== '') error.stack = wire.stack;
  return error;
}
