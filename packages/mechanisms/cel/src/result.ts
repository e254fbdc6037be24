import { type CelValue, isCelList, isCelMap, isCelType, isCelUint } from '@bufbuild/cel';
import { isMessage } from '@bufbuild/protobuf';
import { type Duration, DurationSchema, type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt';
import type { CelJson } from './attributes/table.ts';

/** A result as Envoy prints it into a text (its formatter `cel`). */
export function toText(value: CelValue): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'number':
      return shortNumber(value);
  }
  if (value === null) return 'NULL';
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (isCelUint(value)) return String(value.value);
  if (isCelList(value)) return 'CelList value';
  if (isCelMap(value)) return 'CelMap value';
  if (isCelType(value)) return 'CelType value';
  if (isMessage(value.message, TimestampSchema)) return timeText(value.message);
  if (isMessage(value.message, DurationSchema)) return durationText(value.message);
  return `${value.message.$typeName} value`;
}

/** A result for JSON. Maps that nobody can list are `undefined`. */
export function toJson(value: CelValue): CelJson | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return exact(value);
  if (isCelUint(value)) return exact(value.value);
  if (isCelList(value)) return [...value].map((one) => toJson(one) ?? null);
  if (!isCelMap(value)) return toText(value);
  try {
    return Object.fromEntries(
      [...value.entries()].map(([key, one]) => [toText(key), toJson(one) ?? null] as const),
    );
  } catch {
    return undefined;
  }
}

/** JSON has no whole numbers past 2^53: there a text has all digits. */
const exact = (value: bigint): CelJson => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
};

/** Six digits, as Envoy's `StrCat` writes a double. */
function shortNumber(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const exponent = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(6)))));
  if (exponent >= -4 && exponent < 6) return String(Number(value.toPrecision(6)));
  const [digits = '', power = ''] = value.toExponential(5).split('e');
  const sign = power.startsWith('-') ? '-' : '+';
  return `${digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits}e${sign}${power.slice(1).padStart(2, '0')}`;
}

const fraction = (nanos: number): string =>
  nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`;

/** RFC 3339 with as many digits as there are. */
function timeText({ seconds, nanos }: Timestamp): string {
  return `${new Date(Number(seconds) * 1_000).toISOString().slice(0, 19)}${fraction(nanos)}+00:00`;
}

/** As Abseil writes it: `1h2m3.5s`, below a second `1.5ms`, `2us` or `3ns`. */
function durationText({ seconds, nanos }: Duration): string {
  const total = seconds * 1_000_000_000n + BigInt(nanos);
  if (total === 0n) return '0';
  const sign = total < 0n ? '-' : '';
  const size = total < 0n ? -total : total;
  if (size < 1_000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${Number(size) / 1_000}us`;
  if (size < 1_000_000_000n) return `${sign}${Number(size) / 1_000_000}ms`;
  const rest = size % 60_000_000_000n;
  const minutes = (size / 60_000_000_000n) % 60n;
  const hours = size / 3_600_000_000_000n;
  const parts = [
    hours > 0n && `${hours}h`,
    minutes > 0n && `${minutes}m`,
    rest > 0n && `${Number(rest) / 1e9}s`,
  ];
  return sign + parts.filter((part) => part !== false).join('');
}
