/** A compiled pattern. */
export interface Regex {
  /** Whether the whole of `text` matches. */
  test(text: string): boolean;
  readonly groups: number;
  /** The text with every part that the pattern finds replaced: texts as they stand, numbers for what a group found. */
  replace(text: string, by: readonly (string | number)[]): string;
}

/** Compiles RE2 syntax, which matches in linear time. */
export interface RegexEngine {
  /** @throws Error with a sentence for the user when the pattern is not RE2 syntax, or too long */
  compile(pattern: string, ignoreCase?: boolean): Regex;
}

/**
 * Longest pattern in characters: a pattern is compiled into a program some ten times its size, and one that needs more
 * than a kilobyte is better written as several routes.
 */
export const MAX_PATTERN_LENGTH = 1_024;

let loaded: RegexEngine | undefined;

/** The engine, when this process has loaded it; whoever compiles a configuration loads it where that has a `regex`. */
export function loadedRegexEngine(): RegexEngine | undefined {
  return loaded;
}

/** Loads the RE2 engine (about 13 MB of memory, 10 ms): only worth it where a configuration has a `regex`. */
export async function loadRegexEngine(): Promise<RegexEngine> {
  const { RE2JS } = await import('re2js');
  return (loaded ??= {
    compile(pattern, ignoreCase = false) {
      if (pattern.length > MAX_PATTERN_LENGTH) {
        throw new Error(
          `a pattern may have ${MAX_PATTERN_LENGTH} characters, this one has ${pattern.length}`,
        );
      }
      const compiled = RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
      return {
        test: (text) => compiled.testExact(text),
        groups: compiled.groupCount(),
        replace(text, by) {
          const matcher = compiled.matcher(text);
          let out = '';
          let at = 0;
          let found = false;
          while (matcher.find()) {
            // RE2's GlobalReplace finds nothing empty where a match has just ended: `.*` takes a text once.
            if (found && matcher.start() === at && matcher.end() === at) continue;
            found = true;
            out += text.slice(at, matcher.start());
            for (const part of by) out += typeof part === 'number' ? (matcher.group(part) ?? '') : part;
            at = matcher.end();
          }
          return out + text.slice(at);
        },
      };
    },
  });
}
