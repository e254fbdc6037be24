import { isWaypoint, USE_WAYPOINT_LABEL, waypointOf, waypointProblem } from '../gateway/waypoint.ts';
import { WAYPOINT_CLASS } from '../kinds/gateway.ts';
import { didYouMean } from '../suggest.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { located } from './resource-set.ts';

/** Services that ask for a waypoint which is none for them: nobody can call them. */
export function analyzeWaypoints(host: AnalysisHost): void {
  for (const subject of located(host.subjects, 'Service')) {
    const service = subject.resource;
    const asked = waypointOf(service);
    if (asked === undefined || host.set.isUnreadable('Gateway', asked.namespace, asked.name)) continue;
    const { namespace, name } = asked;
    const gateway = host.set.get('Gateway', namespace, name);
    const problem = gateway === undefined ? 'absent' : waypointProblem(gateway, service);
    if (problem === undefined) continue;
    const waypoints = host.set
      .all('Gateway')
      .filter((one) => one.metadata.namespace === namespace && isWaypoint(one))
      .map((one) => one.metadata.name);
    const says = {
      absent: `there is no Gateway ${namespace}/${name}`,
      class: `Gateway ${namespace}/${name} is of class ${gateway?.spec.gatewayClassName} and no waypoint`,
      namespace: `waypoint ${namespace}/${name} takes no Services of namespace ${service.metadata.namespace}`,
    };
    host.report(
      'TULLE0317',
      subject,
      `/metadata/labels/${USE_WAYPOINT_LABEL.replace('/', '~1')}`,
      `${says[problem]}, so nobody can call the Service`,
      problem === 'namespace'
        ? `allow it by allowedRoutes.namespaces of the listener of ${namespace}/${name}, or ask for a waypoint of its own namespace`
        : (didYouMean(name, waypoints) ??
            `add a Gateway of that name with gatewayClassName: ${WAYPOINT_CLASS}, or remove the label`),
    );
  }
}
