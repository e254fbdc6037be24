// Nothing to escape inside quotes: printable ASCII without quote and backslash.
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
// oxlint-disable-next-line no-control-regex
const ESCAPED = /[\x00-\x1f"\\\x7f-\xff\u2028\u2029]/g;

const escaped = (c: string): string => {
  const code = c.charCodeAt(0);
  return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).toUpperCase().padStart(2, '0')}`;
};

/**
 * A value in a text line: whatever a caller sent, it cannot end its quotes, the line, or move a reader's cursor. Quotes,
 * backslashes, controls and octets above 0x7e become `\xNN`, as nginx writes them.
 * @param maxChars longer text is cut and ends in `…`
 * @param quoted whether it stands between quotes; outside of them blanks become `\x20`, so that no value makes a column
 */
export function lineText(text: string, maxChars: number, quoted: boolean): string {
  const cut = text.length > maxChars ? `${text.slice(0, maxChars)}…` : text;
  const safe = PLAIN.test(cut) ? cut : cut.replace(ESCAPED, escaped);
  return quoted || !safe.includes(' ') ? safe : safe.replaceAll(' ', '\\x20');
}
