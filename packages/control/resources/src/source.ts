import type { Diagnostic } from './diagnostic.ts';
import type { LocatedResource } from './resource.ts';

/** What one owner (a file) now says. */
export interface SourceUpdate {
  /** Who owns the resources, e.g. `file:mesh/routes.yaml`. Shown when somebody else tries to change them. */
  readonly owner: string;
  /** All of the owner's resources; `[]` when it is gone. What it had before and is not here is removed. */
  readonly resources: readonly LocatedResource[];
}

/** Changes that belong together: applied at once or not at all. */
export interface SourceBatch {
  /** For the change's record, e.g. `files in mesh/`. */
  readonly cause: string;
  readonly updates: readonly SourceUpdate[];
}

/** What a source tells the control plane. */
export interface SourceSink {
  /**
   * What the source said last, before the control plane restarted. It is in force, and stays so for each owner until the
   * source says something else of it.
   */
  readonly held: readonly SourceUpdate[];
  /** @returns what the control plane had to refuse, e.g. resources that another source owns (decision D16) */
  apply(batch: SourceBatch): readonly Diagnostic[];
  /**
   * The source's own faults, as they stand now: all of them, not the new ones. `[]`: healthy.
   * What a faulty owner said before stays in force.
   */
  faults(diagnostics: readonly Diagnostic[]): void;
}

/** Where resources come from. Owns them while it runs: nobody else may change them. */
export interface ResourceSource {
  /** For status, e.g. `file:mesh/`. */
  readonly id: string;
  /** Reads everything once, hands it over, and then tells of changes. Resolves after the first hand-over. */
  start(sink: SourceSink): Promise<void>;
  /** No call to the sink happens after it resolved. What was handed over stays in force. */
  close(): Promise<void>;
}
