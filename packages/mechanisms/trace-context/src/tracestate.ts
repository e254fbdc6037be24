/** Most members of a list (W3C Trace Context §3.3.1.1). */
const MAX_MEMBERS = 32;
const KEY = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/;
/** Printable ASCII without comma and equals sign, no blank at the end. */
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * One `tracestate` out of the lines of a request (§3.3): members in order, joined by commas, empty ones left out. Past
 * 32 members the rightmost, which are the oldest, fall away.
 * @returns `''` when there is none or a member is malformed: then the whole list is to be dropped (§4.3)
 */
export function joinTracestate(lines: readonly string[]): string {
  let joined = '';
  let count = 0;
  for (const line of lines) {
    for (const part of line.split(',')) {
      const member = part.trim();
      if (member === '') continue;
      const equals = member.indexOf('=');
      if (equals < 0 || !KEY.test(member.slice(0, equals)) || !VALUE.test(member.slice(equals + 1)))
        return '';
      if (count === MAX_MEMBERS) continue;
      joined += count === 0 ? member : `,${member}`;
      count++;
    }
  }
  return joined;
}
