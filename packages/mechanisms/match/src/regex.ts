/** A compiled pattern. */
export interface Regex {
  /** Whether the whole of `text` matches. */
  test(text: string): boolean;
}

/** Compiles RE2 syntax, which matches in linear time. */
export interface RegexEngine {
  /** @throws Error with a sentence for the user when the pattern is not RE2 syntax */
  compile(pattern: string, ignoreCase?: boolean): Regex;
}

/** Loads the RE2 engine (about 13 MB of memory, 10 ms), so only where a configuration has a `regex`. */
export declare function loadRegexEngine(): Promise<RegexEngine>;
