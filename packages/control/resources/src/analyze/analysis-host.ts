import type { DiagnosticCode } from '../codes.ts';
import type { FilterCatalogue } from '../filter-catalogue.ts';
import type { LocatedResource, Resource } from '../resource.ts';
import type { ResourceSet } from './resource-set.ts';

/** What an analysis knows beside the resources. */
export interface AnalyzeOptions {
  /** Other resources that exist, e.g. in the control plane. Looked up, not reported on. */
  readonly context?: readonly Resource[];
  /**
   * Whether all Workloads are known, as in a running control plane. Where not (files on a laptop, whose Workloads join
   * later), a selector is only called empty when its namespace has Workloads. Default false.
   */
  readonly workloadsKnown?: boolean;
  /** Trust domain of the mesh; absent: identities are not compared with it. */
  readonly trustDomain?: string;
  /** Filters that are known. Default: the standard ones. */
  readonly filters?: FilterCatalogue;
}

/** What the analyzers work with. */
export interface AnalysisHost {
  readonly subjects: readonly LocatedResource[];
  /** Subjects and context. */
  readonly set: ResourceSet;
  readonly options: AnalyzeOptions & { readonly filters: FilterCatalogue };
  report(
    code: DiagnosticCode,
    subject: LocatedResource,
    pointer: string,
    message: string,
    hint?: string,
  ): void;
}
