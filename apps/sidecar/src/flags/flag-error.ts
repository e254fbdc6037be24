/** A flag that makes no sense; `hint` says what would. */
export class FlagError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.name = 'FlagError';
    this.hint = hint;
  }
}
