import type { LoadReport } from '@tulle/balance';
import type { FieldTable } from '@tulle/fields';
import { fromBase64 } from '../bytes.ts';

/** Of ORCA, as Envoy and gRPC read them; the second is the message of protobuf in base64. */
const TEXT_FIELD = 'endpoint-load-metrics';
const BINARY_FIELD = 'endpoint-load-metrics-bin';

/** An answer says nothing of its endpoint's load. */
export const NO_REPORT = 'none';
/** What it says cannot be read. */
export const BAD_REPORT = 'bad';

/** Numbers of `xds.data.orca.v3.OrcaLoadReport` that count here. */
interface Numbers {
  cpu: number;
  application: number;
  rate: number;
  errors: number;
}

/** @param fields of a head or of trailers */
export function readLoadReport(fields: FieldTable): LoadReport | typeof NO_REPORT | typeof BAD_REPORT {
  const binary = fields.get(BINARY_FIELD);
  const text = binary === undefined ? fields.get(TEXT_FIELD) : undefined;
  if (binary === undefined && text === undefined) return NO_REPORT;
  const numbers = binary === undefined ? readText(text as string) : readMessage(binary);
  if (numbers === undefined) return BAD_REPORT;
  return {
    utilization: numbers.application > 0 ? numbers.application : numbers.cpu,
    requestsPerSecond: numbers.rate,
    errorsPerSecond: numbers.errors,
  };
}

/** `TEXT name=value, …`, `JSON {…}` or `BIN …`. */
function readText(value: string): Numbers | undefined {
  const space = value.indexOf(' ');
  const rest = value.slice(space + 1);
  switch (value.slice(0, Math.max(space, 0))) {
    case 'TEXT':
      return readPairs(rest);
    case 'JSON':
      return readJson(rest);
    case 'BIN':
      return readMessage(rest);
    default:
      return undefined;
  }
}

const FIELDS: ReadonlyMap<string, keyof Numbers> = new Map([
  ['cpu_utilization', 'cpu'],
  ['cpuUtilization', 'cpu'],
  ['application_utilization', 'application'],
  ['applicationUtilization', 'application'],
  ['rps_fractional', 'rate'],
  ['rpsFractional', 'rate'],
  ['eps', 'errors'],
]);

function none(): Numbers {
  return { cpu: 0, application: 0, rate: 0, errors: 0 };
}

function readPairs(text: string): Numbers | undefined {
  const numbers = none();
  for (const pair of text.split(',')) {
    const at = pair.indexOf('=');
    const value = Number(pair.slice(at + 1).trim() || NaN);
    if (at < 0 || !Number.isFinite(value)) return undefined;
    const field = FIELDS.get(pair.slice(0, at).trim());
    if (field !== undefined) numbers[field] = value;
  }
  return numbers;
}

function readJson(text: string): Numbers | undefined {
  let object: unknown;
  try {
    object = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof object !== 'object' || object === null) return undefined;
  const numbers = none();
  for (const [name, value] of Object.entries(object)) {
    const field = FIELDS.get(name);
    if (field === undefined) continue;
    if (typeof value !== 'number') return undefined;
    numbers[field] = value;
  }
  return numbers;
}

/** By the number of the field in the message. */
const NUMBERED: ReadonlyMap<number, keyof Numbers> = new Map([
  [1, 'cpu'],
  [6, 'rate'],
  [7, 'errors'],
  [9, 'application'],
]);

/** Protobuf's wire format, as far as numbers of 64 bits go; what else is there is passed over. */
function readMessage(base64: string): Numbers | undefined {
  const bytes = fromBase64(base64);
  const numbers = none();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; at < bytes.length && shift < 70; shift += 7) {
      const byte = bytes[at++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return NaN;
  };
  while (at < bytes.length) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === 1) {
      if (at + 8 > bytes.length) return undefined;
      const field = NUMBERED.get(Math.floor(tag / 8));
      if (field !== undefined) numbers[field] = bytes.readDoubleLE(at);
      at += 8;
    } else if (kind === 0) {
      if (Number.isNaN(varint())) return undefined;
    } else if (kind === 2) {
      const size = varint();
      at += size;
    } else if (kind === 5) at += 4;
    else return undefined;
    if (!(at <= bytes.length)) return undefined;
  }
  return numbers;
}
