import { compareDiagnostics, diagnostic, type Diagnostic } from '../diagnostic.ts';
import { filterCatalogue } from '../filter-catalogue.ts';
import { refOf } from '../resource.ts';
import type { ReadResult } from '../read/read-resources.ts';
import type { AnalysisHost, AnalyzeOptions } from './analysis-host.ts';
import { analyzeClaims } from './claims.ts';
import { analyzePeerAuthentication } from './peer-authentication.ts';
import { analyzePlaintextDenials } from './plaintext-denials.ts';
import { analyzePolicies } from './policies.ts';
import { analyzeReferences } from './references.ts';
import { ResourceSet } from './resource-set.ts';
import { analyzeRouteKinds } from './route-kinds.ts';
import { analyzeRoutes } from './routes.ts';

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
  analyzeRouteKinds(host);
  analyzePolicies(host);
  analyzeClaims(host);
  analyzePeerAuthentication(host);
  analyzePlaintextDenials(host);
  return findings.toSorted(compareDiagnostics);
}
