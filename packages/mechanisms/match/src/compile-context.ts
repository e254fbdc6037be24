import { TulleError, type ConfigIssue } from '@tulle/filter';
import type { RegexRewrite } from '@tulle/model';
import type { Regex, RegexEngine } from './regex.ts';

/** Collects what is wrong while matchers are compiled, so that all of it is reported at once. */
export class CompileContext {
  readonly issues: ConfigIssue[] = [];
  readonly #regex: RegexEngine | undefined;

  constructor(regex?: RegexEngine) {
    this.#regex = regex;
  }

  /** @param path JSON pointer into the configuration being compiled */
  issue(path: string, message: string): void {
    this.issues.push({ path, message });
  }

  /** Compiles a pattern; a wrong one becomes an issue and matches nothing. */
  regex(pattern: string, ignoreCase: boolean, path: string): Regex {
    if (this.#regex === undefined) {
      this.issue(
        path,
        `${JSON.stringify(pattern)} is a regex, and no regex engine was given; pass what loadRegexEngine() resolves to`,
      );
      return NOTHING;
    }
    try {
      return this.#regex.compile(pattern, ignoreCase);
    } catch (error) {
      this.issue(
        path,
        `${JSON.stringify(pattern)} is no RE2 pattern: ${error instanceof Error ? error.message : String(error)}. Lookaround and back-references do not exist in RE2`,
      );
      return NOTHING;
    }
  }

  /** Compiles what a text is rewritten by; a wrong one becomes an issue and changes nothing. @param path of the rule */
  rewrite({ pattern, substitution }: RegexRewrite, path: string): (text: string) => string {
    const regex = this.regex(pattern, false, `${path}/pattern`);
    const parts: (string | number)[] = [];
    let text = '';
    for (let at = 0; at < substitution.length; at++) {
      const char = substitution.charAt(at);
      if (char !== '\\') {
        text += char;
        continue;
      }
      const next = substitution.charAt(++at);
      if (next === '\\') text += next;
      else if (!/^[0-9]$/.test(next) || (Number(next) > regex.groups && regex !== NOTHING))
        this.issue(
          `${path}/substitution`,
          `${JSON.stringify(substitution)}: \\${next} is neither \\\\ nor one of the ${regex.groups} groups of the pattern`,
        );
      else {
        if (text !== '') parts.push(text);
        text = '';
        parts.push(Number(next));
      }
    }
    if (text !== '') parts.push(text);
    return (value) => regex.replace(value, parts);
  }

  /** @throws TulleError `TULLE_CONFIG_INVALID` with every issue, when there is one */
  finish(subject: string): void {
    if (this.issues.length === 0) return;
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      `${subject}: ${this.issues.map((issue) => `${issue.path} ${issue.message}`).join('; ')}`,
      { issues: this.issues },
    );
  }
}

const NOTHING: Regex = { test: () => false, groups: 0, replace: (text) => text };
