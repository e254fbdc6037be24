import type { FieldTable } from '@tulle/fields';

/** The value of a cookie (RFC 6265 §4.2), without the quotes around it; the first one of its name. */
export function cookieValue(headers: FieldTable, name: string): string | undefined {
  if (!headers.has('cookie')) return undefined;
  for (const line of headers.getAll('cookie')) {
    for (let start = 0; start < line.length;) {
      let end = line.indexOf(';', start);
      if (end < 0) end = line.length;
      while (line.charCodeAt(start) === 0x20) start++;
      if (line.startsWith(name, start) && line.charCodeAt(start + name.length) === 0x3d) {
        const value = line.slice(start + name.length + 1, end).trim();
        return value.startsWith('"') && value.endsWith('"') && value.length > 1 ? value.slice(1, -1) : value;
      }
      start = end + 1;
    }
  }
  return undefined;
}
