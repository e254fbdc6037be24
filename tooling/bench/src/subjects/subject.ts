import type { Pki } from '../pki.ts';
import type { Scenario } from '../scenarios.ts';

/** What a subject is started with. */
export interface SubjectSetup {
  readonly scenario: Scenario;
  readonly originPort: number;
  readonly listenPort: number;
  /** Takes traces over OTLP/HTTP. */
  readonly collectorPort: number;
  readonly pki: Pki;
  /** Scratch directory of its own. */
  readonly directory: string;
  readonly profile: string | undefined;
  /** Runs a command pinned to the subject's core; output goes to a log file in the directory. */
  spawn(command: string, args: readonly string[]): { readonly pid: number };
}

/** A running subject. */
export interface RunningSubject {
  /** The processes whose CPU time counts. */
  pids(): readonly number[];
}

/** Something that is measured. */
export interface Subject {
  readonly name: string;
  /** `bare` forwards and nothing else; `observed` tells of it besides; `mesh` has what a mesh's hop has on. */
  readonly variant: 'bare' | 'observed' | 'mesh' | 'plain';
  /** What is switched on, printed with the figures. */
  readonly on: string;
  /** Why it cannot be measured here, or `undefined`. */
  missing(): string | undefined;
  start(setup: SubjectSetup): RunningSubject | Promise<RunningSubject>;
}
