import type { EscapedSlashes } from '@tulle/match';
import type { HttpSettings } from '../compile/compiled.ts';

/** What escaped slashes are in paths. */
export function slashesOf({ escapedSlashes }: HttpSettings): EscapedSlashes {
  return escapedSlashes === 'redirect' ? 'unescape' : escapedSlashes;
}
