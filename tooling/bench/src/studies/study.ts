import type { Options } from '../options.ts';
import type { Pki } from '../pki.ts';

/** A measurement that has subjects or figures of its own. */
export interface Study {
  readonly name: string;
  readonly about: string;
  run(setup: StudySetup): Promise<StudyResult>;
}

export interface StudySetup {
  readonly options: Options;
  readonly pki: Pki;
  /** Scratch directory. */
  readonly directory: string;
  progress(text: string): void;
}

export interface StudyResult {
  /** For people. */
  readonly text: string;
  /** The same for programs. */
  readonly figures: unknown;
}
