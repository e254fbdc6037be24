import { isWaypoint, USE_WAYPOINT_LABEL, waypointOf } from '../gateway/waypoint.ts';
import { WAYPOINT_CLASS } from '../kinds/gateway.ts';
import { didYouMean } from '../suggest.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { located } from './resource-set.ts';

/** Services that ask for a waypoint which is none: nobody can call them. */
export function analyzeWaypoints(host: AnalysisHost): void {
  for (const subject of located(host.subjects, 'Service')) {
    const { namespace } = subject.resource.metadata;
    const name = waypointOf(subject.resource);
    if (name === undefined || host.set.isUnreadable('Gateway', namespace, name)) continue;
    const gateway = host.set.get('Gateway', namespace, name);
    if (gateway !== undefined && isWaypoint(gateway)) continue;
    const waypoints = host.set
      .all('Gateway')
      .filter((one) => one.metadata.namespace === namespace && isWaypoint(one))
      .map((one) => one.metadata.name);
    host.report(
      'TULLE0317',
      subject,
      `/metadata/labels/${USE_WAYPOINT_LABEL.replace('/', '~1')}`,
      gateway === undefined
        ? `there is no Gateway ${namespace}/${name}, so nobody can call the Service`
        : `Gateway ${namespace}/${name} is of class ${gateway.spec.gatewayClassName} and no waypoint, so nobody can call the Service`,
      didYouMean(name, waypoints) ??
        `add a Gateway of that name with gatewayClassName: ${WAYPOINT_CLASS}, or remove the label`,
    );
  }
}
