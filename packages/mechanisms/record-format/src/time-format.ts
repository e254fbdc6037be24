import type { FormatIssue } from './format-parser.ts';

/** Writes a moment. */
export type TimeText = (epochMs: number) => string;

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

/** A second: its fields of UTC are those of the zone that it is written in. */
interface Second {
  readonly date: Date;
  readonly epochSeconds: number;
  /** What the zone is ahead of UTC. */
  readonly aheadMinutes: number;
}

const two = (n: number): string => String(n).padStart(2, '0');
const blank = (n: number): string => String(n).padStart(2, ' ');
const hour12 = (d: Date): number => d.getUTCHours() % 12 || 12;
const dayName = (d: Date): string => DAYS[d.getUTCDay()] as string;
const monthName = (d: Date): string => MONTHS[d.getUTCMonth()] as string;
const year = (d: Date): string => String(d.getUTCFullYear());
const date = (d: Date): string => `${year(d)}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`;
const time = (d: Date): string =>
  `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
const dayOfYear = (d: Date): number =>
  Math.floor((d.getTime() - Date.UTC(d.getUTCFullYear(), 0, 1)) / 86_400_000) + 1;

/** `+0000`. @param between hours and minutes */
const offset = ({ aheadMinutes }: Second, between: string): string => {
  const minutes = Math.abs(aheadMinutes);
  return `${aheadMinutes < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${between}${two(minutes % 60)}`;
};

/** Directives of strftime that are the same in every language. */
const DIRECTIVES: Readonly<Record<string, (d: Date, second: Second) => string>> = {
  a: (d) => dayName(d).slice(0, 3),
  A: dayName,
  b: (d) => monthName(d).slice(0, 3),
  B: monthName,
  h: (d) => monthName(d).slice(0, 3),
  C: (d) => two(Math.floor(d.getUTCFullYear() / 100)),
  d: (d) => two(d.getUTCDate()),
  D: (d) => `${two(d.getUTCMonth() + 1)}/${two(d.getUTCDate())}/${two(d.getUTCFullYear() % 100)}`,
  e: (d) => blank(d.getUTCDate()),
  F: date,
  H: (d) => two(d.getUTCHours()),
  I: (d) => two(hour12(d)),
  j: (d) => String(dayOfYear(d)).padStart(3, '0'),
  k: (d) => blank(d.getUTCHours()),
  l: (d) => blank(hour12(d)),
  m: (d) => two(d.getUTCMonth() + 1),
  M: (d) => two(d.getUTCMinutes()),
  p: (d) => (d.getUTCHours() < 12 ? 'AM' : 'PM'),
  R: (d) => `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`,
  s: (_, { epochSeconds }) => String(epochSeconds),
  S: (d) => two(d.getUTCSeconds()),
  T: time,
  u: (d) => String(d.getUTCDay() || 7),
  w: (d) => String(d.getUTCDay()),
  y: (d) => two(d.getUTCFullYear() % 100),
  Y: year,
  z: (_, second) => offset(second, ''),
  Z: (_, second) => (second.aheadMinutes === 0 ? 'UTC' : offset(second, '')),
  '%': () => '%',
};

/** `2026-01-31T23:59:59.123Z`, as Envoy writes it without an argument. */
const ISO = '%Y-%m-%dT%H:%M:%S.%3fZ';
/** The same where the zone is the proxy's own. */
const LOCAL_ISO = '%Y-%m-%dT%H:%M:%S.%3f%z';
/** Directives of Abseil, which Envoy writes times with: seconds with so many digits, and the zone with a colon. */
const EXTENDED = /%E(?:([1-9])S|(z))/y;

/**
 * Compiles a format of strftime with fractions of a second: `%3f`, `%6f`, `%9f`, any `%1f` to `%9f`, and `%f` for nine
 * digits; `%E3S` stands for seconds with three of them. Finer than milliseconds is what the clock gives. What
 * changes with the second only is put together once a second.
 * @param at where the format stands, for messages @param zone default UTC
 */
export function compileTime(
  format: string | undefined,
  at: number,
  issues: FormatIssue[],
  zone: 'utc' | 'local' = 'utc',
): TimeText {
  const text = format === undefined || format === '' ? (zone === 'utc' ? ISO : LOCAL_ISO) : format;
  // Between two parts that change each second stands one fraction: parts[0] f[0] parts[1] …
  const stretches: ((d: Date, second: Second) => string)[][] = [[]];
  const fractions: number[] = [];
  const last = (): ((d: Date, second: Second) => string)[] =>
    stretches[stretches.length - 1] as ((d: Date, second: Second) => string)[];
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '%') {
      const from = i;
      while (i + 1 < text.length && text[i + 1] !== '%') i++;
      const literal = text.slice(from, i + 1);
      last().push(() => literal);
      continue;
    }
    const fraction = /^%([1-9])?f/.exec(text.slice(i));
    if (fraction !== null) {
      fractions.push(Number(fraction[1] ?? 9));
      stretches.push([]);
      i += fraction[0].length - 1;
      continue;
    }
    EXTENDED.lastIndex = i;
    const extended = EXTENDED.exec(text);
    if (extended !== null) {
      if (extended[2] !== undefined) last().push((_, second) => offset(second, ':'));
      else {
        last().push((d) => `${two(d.getUTCSeconds())}.`);
        fractions.push(Number(extended[1]));
        stretches.push([]);
      }
      i += extended[0].length - 1;
      continue;
    }
    const letter = text[i + 1] ?? '';
    const directive = Object.hasOwn(DIRECTIVES, letter) ? DIRECTIVES[letter] : undefined;
    if (directive === undefined)
      issues.push({
        at: at + i,
        message: `%${letter} is no part of a time; there is ${Object.keys(DIRECTIVES).join(' ')}, f and 1f to 9f, E1S to E9S and Ez`,
      });
    else last().push(directive);
    i++;
  }

  let second = Number.NaN;
  let known: string[] = [];
  return (epochMs) => {
    const now = Math.floor(epochMs / 1000);
    if (now !== second) {
      second = now;
      const parts = secondAt(now, zone);
      known = stretches.map((stretch) => stretch.map((part) => part(parts.date, parts)).join(''));
    }
    let written = known[0] as string;
    for (let i = 0; i < fractions.length; i++)
      written += fractionOf(epochMs - now * 1000, fractions[i] as number) + (known[i + 1] as string);
    return written;
  };
}

function secondAt(epochSeconds: number, zone: 'utc' | 'local'): Second {
  const utc = new Date(epochSeconds * 1000);
  const aheadMinutes = zone === 'utc' ? 0 : -utc.getTimezoneOffset();
  return { date: new Date(utc.getTime() + aheadMinutes * 60_000), epochSeconds, aheadMinutes };
}

/** @param ms 0 to 1000, without the whole seconds @param digits 1 to 9 */
function fractionOf(ms: number, digits: number): string {
  // Cut, not rounded: a record never shows a later time than it was.
  const nanoseconds = Math.min(Math.floor(ms * 1e6), 999_999_999);
  return String(nanoseconds).padStart(9, '0').slice(0, digits);
}
