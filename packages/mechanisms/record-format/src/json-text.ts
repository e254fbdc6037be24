// Nothing to escape: printable ASCII without quote and backslash.
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
// JSON lets these through: DEL and C1 controls (0x9b starts a terminal sequence), and the Unicode line ends.
const LEFT_OVER = /[\x7f-\x9f\u2028\u2029]/g;

/**
 * A JSON string that also is one line of a terminal: whatever a caller sent, it cannot end the string, start another
 * record, or move a reader's cursor.
 * @param maxChars longer text is cut and ends in `…`
 */
export function jsonText(text: string, maxChars: number): string {
  const cut = text.length > maxChars ? `${text.slice(0, maxChars)}…` : text;
  if (PLAIN.test(cut)) return `"${cut}"`;
  return JSON.stringify(cut).replace(LEFT_OVER, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A JSON number; `null` for what JSON cannot say. At most microseconds of a millisecond figure. */
export function jsonNumber(value: number): string {
  const rounded = Math.round(value * 1000) / 1000;
  return Number.isFinite(rounded) ? String(rounded) : 'null';
}
