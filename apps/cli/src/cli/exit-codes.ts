/**
 * How every command ends, whatever its output format (sysexits.h where it has a number; 79 as istioctl).
 */
export const EXIT: {
  readonly ok: 0;
  readonly failed: 1;
  readonly usage: 64;
  readonly invalid: 65;
  readonly unreachable: 69;
  readonly findings: 79;
  readonly interrupted: 130;
} = Object.freeze({
  ok: 0,
  /** It was tried and did not work. */
  failed: 1,
  /** The command line makes no sense. */
  usage: 64,
  /** Input cannot be parsed or breaks its schema. */
  invalid: 65,
  /** Whoever has the answer cannot be reached. */
  unreachable: 69,
  /** Valid, with findings. */
  findings: 79,
  interrupted: 130,
});

/** Ends a command with a message and a code. */
export class CliError extends Error {
  readonly exitCode: number;
  /** What to do next; printed on a line of its own. */
  readonly hint: string | undefined;

  constructor(exitCode: number, message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CliError';
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/** A mistake on the command line. */
export const usageError = (message: string, hint?: string): CliError =>
  new CliError(EXIT.usage, message, hint);
