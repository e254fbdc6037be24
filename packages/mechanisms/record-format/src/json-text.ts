// Nothing to escape: printable ASCII without quote and backslash.
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
// JSON lets these through: DEL and C1 controls (0x9b starts a terminal sequence), and the Unicode line ends.
const LEFT_OVER = /[\x7f-\x9f\u2028\u2029]/g;
// What may not stand in a column of a line either: blanks too.
const OUTSIDE_WORDS = /[ \x7f-\xff\u2028\u2029]/g;

/**
 * A JSON string that also is one line of a terminal: whatever a caller sent, it cannot end the string, start another
 * record, or move a reader's cursor.
 * @param maxChars longer text is cut and ends in `…`
 */
export function jsonText(text: string, maxChars: number): string {
  const cut = text.length > maxChars ? `${text.slice(0, maxChars)}…` : text;
  if (PLAIN.test(cut)) return `"${cut}"`;
  return escaped(JSON.stringify(cut));
}

const escaped = (json: string, what: RegExp = LEFT_OVER): string =>
  json.replace(what, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** A JSON number; `null` for what JSON cannot say. At most microseconds of a millisecond figure. */
export function jsonNumber(value: number): string {
  const rounded = Math.round(value * 1000) / 1000;
  return Number.isFinite(rounded) ? String(rounded) : 'null';
}

/**
 * Any JSON value, as one line of a terminal too.
 * @param maxChars longer text is cut, and stands as a string
 */
export function jsonValue(value: unknown, maxChars: number): string {
  const json = JSON.stringify(value) ?? 'null';
  if (json.length > maxChars) return jsonText(json, maxChars);
  return escaped(json);
}

/** Any JSON value without a blank, as one column of a line: a blank in a string is written `\u0020`. */
export const jsonWord = (value: unknown): string => escaped(JSON.stringify(value) ?? 'null', OUTSIDE_WORDS);
