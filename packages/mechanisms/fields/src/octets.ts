/** Lower-case octet for every octet that may be part of a token (RFC 9110 §5.6.2), 0 for the rest. */
export const TOKEN_LOWER: Uint8Array = tokenTable();

/** 1 for octets that may be part of a field value (RFC 9110 §5.5): HTAB, SP, VCHAR, obs-text. */
export const FIELD_VALUE: Uint8Array = valueTable();

function tokenTable(): Uint8Array {
  const table = new Uint8Array(256);
  for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
    table[char.charCodeAt(0)] = char.charCodeAt(0);
  for (let upper = 65; upper <= 90; upper++) table[upper] = upper + 32;
  return table;
}

function valueTable(): Uint8Array {
  const table = new Uint8Array(256).fill(1);
  table.fill(0, 0, 32);
  table[9] = 1;
  table[127] = 0;
  return table;
}

/** Index of the first char of `name` that is no lower-case token char; -1 when the name is fine, 0 when it is empty. */
export function findInvalidName(name: string): number {
  if (name.length === 0) return 0;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code === 0 || code > 255 || TOKEN_LOWER[code] !== code) return i;
  }
  return -1;
}

/** Index of the first char of `value` that no field value may hold (controls but HTAB, DEL, above U+00FF); -1 when fine. */
export function findInvalidValue(value: string): number {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code > 255 || FIELD_VALUE[code] === 0) return i;
  }
  return -1;
}

/** `value` without surrounding SP and HTAB (RFC 9110 §5.5); the same string when there is none. */
export function trimBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start++;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
  return start === 0 && end === value.length ? value : value.slice(start, end);
}

const isBlank = (code: number): boolean => code === 32 || code === 9;
