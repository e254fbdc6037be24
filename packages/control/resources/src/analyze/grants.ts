import { GATEWAY_GROUP } from '../kinds/gateway.ts';
import { isConnectionRouteKind, isRouteKind } from '../routes.ts';
import { kindText } from '../select.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { located } from './resource-set.ts';

/** Entries of ReferenceGrants for kinds of which Tulle knows no references: they grant nothing here. */
export function analyzeGrants(host: AnalysisHost): void {
  for (const subject of located(host.subjects, 'ReferenceGrant')) {
    const { from, to } = subject.resource.spec;
    for (const [i, one] of from.entries())
      if (one.group !== GATEWAY_GROUP || !refers(one.kind))
        host.report(
          'TULLE0319',
          subject,
          `/spec/from/${i}/kind`,
          `nothing of kind ${kindText(one)} refers to anything here`,
          `Tulle follows references of routes, Gateways and ListenerSets, of group ${GATEWAY_GROUP}`,
        );
    for (const [i, one] of to.entries())
      if (one.group !== '' || !['Service', 'Secret', 'ConfigMap'].includes(one.kind))
        host.report(
          'TULLE0319',
          subject,
          `/spec/to/${i}/kind`,
          `nothing here refers to kind ${kindText(one)}`,
          "Tulle follows references to kinds Service, Secret and ConfigMap, of group ''",
        );
  }
}

const refers = (kind: string): boolean =>
  isRouteKind(kind) || isConnectionRouteKind(kind) || kind === 'Gateway' || kind === 'ListenerSet';
