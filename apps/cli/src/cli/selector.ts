import type { OptionSpec } from './command.ts';
import { usageError } from './exit-codes.ts';

/** Labels of a row; absent is the same as none. */
export type Labels = Readonly<Record<string, string>> | undefined;

/** The option, for commands whose rows have labels. */
export const SELECTOR_OPTION: { readonly selector: OptionSpec & { readonly type: 'string' } } = {
  selector: {
    type: 'string',
    short: 'l',
    value: 'LABELS',
    help: 'only with these labels: version=v2, tier!=back, "app in (web, api)", !canary; a comma is AND',
  },
};

const KEY = String.raw`(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?`;
const EQUAL = new RegExp(String.raw`^(${KEY})\s*(==|=|!=)\s*([-A-Za-z0-9_.]*)$`);
const IN = new RegExp(String.raw`^(${KEY})\s+(in|notin)\s*\(([^()]*)\)$`);
const EXISTS = new RegExp(String.raw`^(!?)\s*(${KEY})$`);

/**
 * Reads a label selector in Kubernetes' words.
 * @throws CliError 64 naming the requirement that is none
 */
export function parseSelector(text: string): (labels: Labels) => boolean {
  const requirements = text.split(/,(?![^(]*\))/).map((part) => requirement(part.trim()));
  return (labels) => requirements.every((holds) => holds(labels ?? {}));
}

type Requirement = (labels: Readonly<Record<string, string>>) => boolean;

function requirement(text: string): Requirement {
  const equal = EQUAL.exec(text);
  if (equal !== null) {
    const [, key = '', operator, value = ''] = equal;
    return operator === '!='
      ? (labels) => own(labels, key) !== value
      : (labels) => own(labels, key) === value;
  }
  const set = IN.exec(text);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    const values = new Set(list.split(',').map((value) => value.trim()));
    // What lacks the label is not in the set.
    const within: Requirement = (labels) => values.has(own(labels, key) ?? '\0');
    return operator === 'in' ? within : (labels) => !within(labels);
  }
  const exists = EXISTS.exec(text);
  if (exists !== null) {
    const [, not, key = ''] = exists;
    return (labels) => (own(labels, key) !== undefined) === (not === '');
  }
  throw usageError(
    `--selector: ${JSON.stringify(text)} is no requirement`,
    'e.g. version=v2, tier!=back, "app in (web, api)", "app notin (web)", canary, !canary',
  );
}

const own = (labels: Readonly<Record<string, string>>, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;
