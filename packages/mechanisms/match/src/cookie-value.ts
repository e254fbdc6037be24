import type { Headers } from '@tulle/filter';

/**
 * The value of a cookie (RFC 6265 §4.2), without the quotes around it; the first one of its name. Blanks before a name are passed
 * over and those around a value are its own, as in Envoy.
 */
export function cookieValue(headers: Headers, name: string): string | undefined {
  if (!headers.has('cookie')) return undefined;
  for (const line of headers.getAll('cookie')) {
    for (let start = 0; start < line.length;) {
      let end = line.indexOf(';', start);
      if (end < 0) end = line.length;
      while (line.charCodeAt(start) === 0x20) start++;
      if (line.startsWith(name, start) && line.charCodeAt(start + name.length) === 0x3d) {
        const value = line.slice(start + name.length + 1, end);
        return value.startsWith('"') && value.endsWith('"') && value.length > 1 ? value.slice(1, -1) : value;
      }
      start = end + 1;
    }
  }
  return undefined;
}
