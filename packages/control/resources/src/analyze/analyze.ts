import type { DiagnosticCode } from '../codes.ts';
import { compareDiagnostics, diagnostic, type Diagnostic } from '../diagnostic.ts';
import { filterCatalogue, type FilterCatalogue } from '../filter-catalogue.ts';
import { refOf, type LocatedResource, type Resource } from '../resource.ts';
import type { ReadResult } from '../read/read-resources.ts';
import { analyzePolicies } from './policies.ts';
import { analyzeReferences } from './references.ts';
import { ResourceSet } from './resource-set.ts';
import { analyzeRoutes } from './routes.ts';

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

/**
 * Looks at how resources fit together. Everything it says is a finding (never `invalid`), in order of place.
 * @param read what `readResources` gave. Resources with faults are analysed too, as far as they go, so that all there
 *   is to say is said at once
 */
export function analyze(
  read: Pick<ReadResult, 'resources'> & Partial<ReadResult>,
  options: AnalyzeOptions = {},
): Diagnostic[] {
  const findings: Diagnostic[] = [];
  const subjects = [...read.resources, ...(read.partial ?? [])];
  const host: AnalysisHost = {
    subjects,
    set: new ResourceSet([...subjects.map((s) => s.resource), ...(options.context ?? [])], read.unreadable),
    options: { ...options, filters: options.filters ?? filterCatalogue() },
    report(code, subject, pointer, message, hint) {
      findings.push(
        diagnostic(code, {
          message,
          hint,
          resource: refOf(subject.resource),
          pointer,
          position: subject.locate(pointer),
        }),
      );
    },
  };
  analyzeReferences(host);
  analyzeRoutes(host);
  analyzePolicies(host);
  return findings.toSorted(compareDiagnostics);
}
