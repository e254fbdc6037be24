import { isTulleError } from '@tulle/filter';
import type { OptionSpec } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';

/** Name of an allow-list where no other is given. */
export const FILTERS_FILE = 'tulle-filters.json';

/** Where the allow-list is, for the commands that look after it. */
export const FILTERS_FILE_OPTION: { readonly file: OptionSpec & { readonly type: 'string' } } = {
  file: {
    type: 'string',
    short: 'f',
    value: 'FILE',
    help: 'the allow-list; packages are those installed beside it',
    defaultText: FILTERS_FILE,
    env: 'TULLE_FILTERS',
  },
};

/** @throws CliError 65 with every fault of the allow-list or of what it names */
export function allowListOf<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (isTulleError(error)) throw new CliError(EXIT.invalid, error.message, undefined, { cause: error });
    throw error;
  }
}
