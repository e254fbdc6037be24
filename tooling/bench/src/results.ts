import { cpus, loadavg } from 'node:os';
import type { Row } from './rows.ts';
import type { Failure } from './run-scenario.ts';

/** What `--json` writes. */
export interface Results {
  readonly startedAt: string;
  readonly node: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    /** One minute's, at the start and at the end. */
    readonly loadAverage: readonly [number, number];
  };
  readonly rows: readonly Row[];
  readonly failures: readonly Failure[];
  /** Subjects that were not measured, with the reason. */
  readonly skipped: readonly string[];
  readonly studies: Readonly<Record<string, StudyFound>>;
}

/** What a study found, for people and for programs. */
export interface StudyFound {
  readonly about: string;
  readonly text: string;
  readonly figures: unknown;
}

const started = { at: new Date().toISOString(), load: loadavg()[0] ?? 0 };

export function results(found: Pick<Results, 'rows' | 'failures' | 'skipped' | 'studies'>): Results {
  return {
    startedAt: started.at,
    node: process.version,
    machine: {
      cpu: cpus()[0]?.model ?? '',
      cores: cpus().length,
      loadAverage: [started.load, loadavg()[0] ?? 0],
    },
    ...found,
  };
}
