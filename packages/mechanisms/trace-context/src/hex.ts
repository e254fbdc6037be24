/** Whether `text[start, end)` is lower-case hex digits, not all of them zero. */
export function isId(text: string, start: number, end: number): boolean {
  let nonZero = 0;
  for (let i = start; i < end; i++) {
    const value = hexValue(text.charCodeAt(i));
    if (value < 0) return false;
    nonZero |= value;
  }
  return nonZero !== 0;
}

/** Value of a lower-case hex digit, -1 for anything else (upper case is no part of any of these formats). */
export function hexValue(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  return code >= 97 && code <= 102 ? code - 87 : -1;
}
