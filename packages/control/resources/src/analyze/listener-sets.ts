import { isServedGateway } from '../gateway/class.ts';
import { isWaypoint } from '../gateway/waypoint.ts';
import { takesListenerSet } from '../gateway/merged.ts';
import { didYouMean } from '../suggest.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { analyzeListeners } from './gateways.ts';
import { located } from './resource-set.ts';

/** ListenerSets that no Gateway takes, or whose listeners are not served as they are written. */
export function analyzeListenerSets(host: AnalysisHost): void {
  for (const subject of located(host.subjects, 'ListenerSet')) {
    const { metadata, spec } = subject.resource;
    const { name, namespace = metadata.namespace } = spec.parentRef;
    const gateway = host.set.get('Gateway', namespace, name);
    if (gateway === undefined) {
      if (host.set.isUnreadable('Gateway', namespace, name)) continue;
      host.report(
        'TULLE0301',
        subject,
        '/spec/parentRef/name',
        `the parent Gateway ${namespace}/${name} does not exist`,
        didYouMean(name, host.set.names('Gateway', namespace)),
      );
      continue;
    }
    const waypoint = isWaypoint(gateway);
    if (!isServedGateway(gateway) && !waypoint) continue;
    if (!takesListenerSet(gateway, subject.resource)) {
      host.report(
        'TULLE0316',
        subject,
        '/spec/parentRef',
        `Gateway ${namespace}/${name} takes no ListenerSets of namespace ${metadata.namespace}`,
        waypoint
          ? 'it is a waypoint, which has one listener of its own'
          : 'allowedListeners: { namespaces: { from: Same } } of the Gateway; default is None',
      );
      continue;
    }
    analyzeListeners(host.set.merged(gateway), subject, host);
  }
}
