import { normalizeConfiguredPath, type CompileContext } from '@tulle/match';
import { lenientForm, withoutLastSlash, type PathReadings } from './path-spellings.ts';

/**
 * A pattern for paths. `certain`: it holds for every reading (what an ALLOW needs); `possible`: for one of them (what is
 * enough for a DENY).
 */
export interface PathPattern {
  certain(readings: PathReadings): boolean;
  possible(readings: PathReadings): boolean;
}

/** Compiles exact paths, `/prefix*` and `*suffix`. @param path JSON pointer of the pattern */
export function compilePathPattern(pattern: string, context: CompileContext, path: string): PathPattern {
  if (pattern === '*') return { certain: () => true, possible: () => true };
  const star = pattern.indexOf('*');
  const refuse = (message: string): PathPattern => {
    context.issue(path, `${JSON.stringify(pattern)} ${message}`);
    return { certain: () => false, possible: () => false };
  };
  if (star !== -1 && star !== 0 && star !== pattern.length - 1)
    return refuse('has a * in the middle; write an exact path, /prefix*, *suffix or *');
  if (pattern.indexOf('*', star + 1) > star && star !== -1)
    return refuse('has more than one *; write an exact path, /prefix*, *suffix or *');
  if (star !== 0 && !pattern.startsWith('/'))
    return refuse('does not begin with a slash, so no path matches; write an absolute path like /orders');
  const value =
    star === -1
      ? canonical(pattern)
      : star === 0
        ? canonicalPart('', pattern.slice(1))
        : canonicalPrefix(pattern.slice(0, -1));
  if (value === undefined)
    return refuse(
      'matches no path that is let through: such spellings (escaped slashes, dot segments above the root, …) are refused before; write the plain path',
    );
  const lenient = lenientForm(value);
  const unslashed = withoutLastSlash(lenient);
  if (star === -1)
    return both(
      (text) => text === value,
      (text) => withoutLastSlash(text) === unslashed,
    );
  if (star === 0)
    return both(
      (text) => text.endsWith(value),
      (text) => text.endsWith(lenient) || withoutLastSlash(text).endsWith(unslashed),
    );
  return both(
    (text) => text.startsWith(value),
    (text) => text.startsWith(lenient),
  );
}

function both(literal: (text: string) => boolean, lenient: (text: string) => boolean): PathPattern {
  return {
    certain: (readings) =>
      literal(readings.literal) && (readings.stripped === readings.literal || literal(readings.stripped)),
    possible: (readings) =>
      literal(readings.literal) || lenient(readings.lenient) || lenient(readings.lenientStripped),
  };
}

function canonical(path: string): string | undefined {
  const value = normalizeConfiguredPath(path);
  return value === '' ? undefined : value;
}

/** The whole segments are canonical on their own; the last piece is the beginning of a segment. */
function canonicalPrefix(prefix: string): string | undefined {
  const slash = prefix.lastIndexOf('/');
  const head = canonical(prefix.slice(0, slash + 1));
  return head === undefined ? undefined : canonicalPart(head, prefix.slice(slash + 1));
}

/** A piece that need not be a whole segment: dots in it are no dot segments. */
function canonicalPart(head: string, piece: string): string | undefined {
  const value = normalizeConfiguredPath(`/x${piece}`);
  return value === '' ? undefined : head + value.slice(2);
}
