import type { Log } from '@tulle/filter';
import type {
  AttemptRecord,
  Counter,
  Gauge,
  Histogram,
  InstrumentOptions,
  Labels,
  Meter,
  StreamRecord,
  TelemetryPlugin,
} from '@tulle/telemetry';

/** A log that keeps its lines. */
export interface MemoryLog extends Log {
  readonly lines: {
    readonly level: 'debug' | 'info' | 'warn' | 'error';
    readonly message: string;
    readonly fields: Readonly<Record<string, unknown>>;
  }[];
}

/** Makes a {@link MemoryLog}. */
export function memoryLog(): MemoryLog {
  const lines: MemoryLog['lines'] = [];
  const at =
    (level: MemoryLog['lines'][number]['level']) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      lines.push({ level, message, fields });
    };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A meter that can be read. */
export interface MemoryMeter extends Meter {
  /** Value of a series; labels not given match any, and all that match are added up. Histograms give their count. */
  value(name: string, labels?: Labels): number;
  /** Names of all series. */
  names(): string[];
}

function keyOf(name: string, labels: Labels): string {
  return name + JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Makes a {@link MemoryMeter}. */
export function memoryMeter(): MemoryMeter {
  const series = new Map<
    string,
    {
      readonly name: string;
      readonly labels: Labels;
      read: () => number;
      instrument?: Counter & Gauge & Histogram;
    }
  >();
  const instrument = (name: string, { labels = {} }: InstrumentOptions): Counter & Gauge & Histogram => {
    const key = keyOf(name, labels);
    const known = series.get(key)?.instrument;
    if (known !== undefined) return known;
    let value = 0;
    const made = {
      add: (n = 1): void => {
        value += n;
      },
      set: (n: number): void => {
        value = n;
      },
      observe: (): void => {
        value += 1;
      },
    };
    series.set(key, { name, labels, read: () => value, instrument: made });
    return made;
  };
  return {
    counter: instrument,
    gauge: instrument,
    histogram: instrument,
    observed(name, { labels = {} }, read) {
      const key = keyOf(name, labels);
      const entry = { name, labels, read };
      series.set(key, entry);
      return () => {
        if (series.get(key) === entry) series.delete(key);
      };
    },
    value(name, labels = {}) {
      let sum = 0;
      for (const entry of series.values()) {
        if (
          entry.name === name &&
          Object.entries(labels).every(([label, value]) => entry.labels[label] === value)
        )
          sum += entry.read();
      }
      return sum;
    },
    names: () => [...new Set([...series.values()].map((entry) => entry.name))].sort(),
  };
}

/** A record that may be kept: everything is copied. */
export interface KeptRecord extends Omit<StreamRecord, 'notes' | 'attempts' | 'flags'> {
  readonly attempts: readonly AttemptRecord[];
  readonly flags: readonly string[];
  readonly notes: readonly number[];
}

/** A telemetry plugin that keeps every record and can be read as a meter. */
export interface MemoryTelemetry extends TelemetryPlugin {
  readonly meter: MemoryMeter;
  readonly records: KeptRecord[];
}

/** Makes a {@link MemoryTelemetry}. */
export function memoryTelemetry(): MemoryTelemetry {
  const records: KeptRecord[] = [];
  return {
    name: 'memory',
    meter: memoryMeter(),
    records,
    sink: {
      name: 'memory',
      record(record) {
        records.push({
          ...record,
          flags: [...record.flags],
          attempts: record.attempts.map((attempt) => ({ ...attempt })),
          notes: [...record.notes.subarray(0, record.noteCount * 3)],
          requestHeader: copyReader(record, 'requestHeader'),
          responseHeader: copyReader(record, 'responseHeader'),
        });
      },
    },
  };
}

/** Fields that tests ask a kept record for. */
const KEPT_FIELDS = [
  'host',
  'user-agent',
  'x-request-id',
  'x-forwarded-for',
  'traceparent',
  'content-type',
  'location',
  'retry-after',
  'server',
];

function copyReader(
  record: StreamRecord,
  reader: 'requestHeader' | 'responseHeader',
): (name: string) => string | undefined {
  const kept = new Map(KEPT_FIELDS.map((name) => [name, record[reader](name)]));
  return (name) => kept.get(name);
}
