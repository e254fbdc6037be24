/** A piece of a format. */
export type FormatPart =
  | { readonly kind: 'literal'; readonly text: string }
  | {
      readonly kind: 'operator';
      readonly name: string;
      /** What stands in parentheses; undefined without any. */
      readonly argument: string | undefined;
      /** Characters of the value at most; undefined: as many as a field may have. */
      readonly maxChars: number | undefined;
      /** Where its `%` stands, counted from 0. */
      readonly at: number;
    };

/** What is wrong with a format, and where. */
export interface FormatIssue {
  /** Counted from 0. */
  readonly at: number;
  readonly message: string;
}

const NAME = /[A-Z0-9_]+/y;
/** `)` ends the argument only where the operator goes on behind it, so that it may itself have parentheses and `%`. */
const ARGUMENT_END = /\)(?=%|:\d+%)/g;
const LENGTH = /:(\d+)(?=%)/y;
/** Longest `:length`: more than a field may have anyway. */
const MAX_LENGTH = 65_536;

/**
 * Takes a format of Envoy's access log apart: `%NAME%`, `%NAME(argument)%`, `%NAME(argument):length%`, `%%` for a percent
 * sign. What operators mean is not looked at.
 * @param issues gets whatever is wrong; the parts are then of no use
 */
export function parseFormat(text: string, issues: FormatIssue[]): FormatPart[] {
  const parts: FormatPart[] = [];
  let literal = '';
  let at = 0;
  const literalDone = (): void => {
    if (literal !== '') parts.push({ kind: 'literal', text: literal });
    literal = '';
  };
  while (at < text.length) {
    const percent = text.indexOf('%', at);
    literal += text.slice(at, percent < 0 ? undefined : percent);
    if (percent < 0) break;
    if (text[percent + 1] === '%') {
      literal += '%';
      at = percent + 2;
      continue;
    }
    const operator = operatorAt(text, percent);
    if (typeof operator === 'string') {
      issues.push({ at: percent, message: operator });
      at = afterBroken(text, percent);
      continue;
    }
    literalDone();
    parts.push(operator.part);
    at = operator.end;
  }
  literalDone();
  return parts;
}

/** Where to go on, so that one fault is reported once: the next `%` ends the broken operator unless it begins another. */
function afterBroken(text: string, start: number): number {
  NAME.lastIndex = start + 1;
  if (NAME.exec(text) === null) return start + 1;
  const next = text.indexOf('%', NAME.lastIndex);
  if (next < 0) return text.length;
  NAME.lastIndex = next + 1;
  return NAME.test(text) ? next : next + 1;
}

/** The operator whose `%` stands at `start`, or what is wrong with it. */
function operatorAt(
  text: string,
  start: number,
): { readonly part: FormatPart; readonly end: number } | string {
  NAME.lastIndex = start + 1;
  const name = NAME.exec(text)?.[0];
  if (name === undefined) return 'a % begins an operator, e.g. %START_TIME%; write %% for a percent sign';
  let at = NAME.lastIndex;
  let argument: string | undefined;
  if (text[at] === '(') {
    ARGUMENT_END.lastIndex = at + 1;
    const end = ARGUMENT_END.exec(text);
    if (end === null) return `%${name}( has no )% that ends it`;
    argument = text.slice(at + 1, end.index);
    at = end.index + 1;
  }
  LENGTH.lastIndex = at;
  const length = LENGTH.exec(text);
  let maxChars: number | undefined;
  if (length !== null) {
    maxChars = Number(length[1]);
    if (maxChars < 1 || maxChars > MAX_LENGTH)
      return `:${length[1]} is no length; give 1 to ${MAX_LENGTH} characters`;
    at = LENGTH.lastIndex;
  }
  if (text[at] !== '%') {
    const found = text[at] === undefined ? 'the format ends' : `${JSON.stringify(text[at])} follows`;
    return `%${name} has no % that ends it: ${found} (an operator is %NAME%, %NAME(argument)% or %NAME(argument):length%)`;
  }
  return { part: { kind: 'operator', name, argument, maxChars, at: start }, end: at + 1 };
}
