/** What a package's name becomes in its code. */
export interface FilterNames {
  /** Of the package, and the filter's id. */
  readonly packageName: string;
  /** Without scope and `tulle-filter-`, e.g. `brew-tea`. */
  readonly short: string;
  /** Of the export: `brewTea`. */
  readonly identifier: string;
  /** Of its types: `BrewTea`. */
  readonly type: string;
  /** Before its codes: `BREW_TEA`. */
  readonly code: string;
}

const PREFIX = 'tulle-filter-';
/** Words that cannot name an export. */
const RESERVED: ReadonlySet<string> = new Set(
  'arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield'.split(
    ' ',
  ),
);

/**
 * Completes a name: `brew-tea` is `tulle-filter-brew-tea`, `@acme/brew-tea` is `@acme/tulle-filter-brew-tea`.
 * @returns what is wrong, as a sentence, where it can be no name
 */
export function filterNames(given: string): FilterNames | string {
  const match = /^(?:(@[^/]*)\/)?([^/]*)$/.exec(given);
  const scope = match?.[1];
  const last = match?.[2];
  if (last === undefined || last === '')
    return `${JSON.stringify(given)} is no package name; write NAME or @SCOPE/NAME`;
  if (scope !== undefined && !/^@[a-z0-9][a-z0-9._-]*$/.test(scope))
    return `${JSON.stringify(scope)} is no scope; it must be lower-case letters, digits, dots and dashes after the @`;
  const short = last.startsWith(PREFIX) ? last.slice(PREFIX.length) : last;
  if (!/^[a-z0-9]+(?:[._-][a-z0-9]+)*$/.test(short))
    return `${JSON.stringify(given)} is no package name; use lower-case letters, digits and single dashes, e.g. brew-tea`;
  const packageName = `${scope === undefined ? '' : `${scope}/`}${PREFIX}${short}`;
  if (packageName.length > 214) return `${packageName} is longer than npm allows (214)`;
  const words = short.split(/[._-]/);
  const type = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  const camel = type.charAt(0).toLowerCase() + type.slice(1);
  const usable = /^[a-z]/.test(camel) && !RESERVED.has(camel);
  return {
    packageName,
    short,
    identifier: usable ? camel : `filter${type}`,
    type: /^[A-Z]/.test(type) ? type : `Filter${type}`,
    code: (/^[a-z]/.test(short) ? short : `filter-${short}`).replace(/[._-]/g, '_').toUpperCase(),
  };
}
