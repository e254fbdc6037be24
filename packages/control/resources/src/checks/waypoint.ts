import { HBONE_PORT } from '@tulle/model';
import { isIP } from 'node:net';
import { USE_WAYPOINT_LABEL, USE_WAYPOINT_NAMESPACE_LABEL, waypointOf } from '../gateway/waypoint.ts';
import type { Gateway } from '../kinds/gateway.ts';
import type { Service } from '../kinds/service.ts';
import type { CheckHost } from './check-host.ts';

/** A Gateway of the class of waypoints: one listener, for tunnels of the mesh. */
export function checkWaypoint({ spec }: Gateway, host: CheckHost): void {
  const { listeners, tls, allowedListeners, addresses = [] } = spec;
  for (const [i, { protocol, allowedRoutes }] of listeners.entries()) {
    const at = `/spec/listeners/${i}`;
    if (i > 0) host.report('TULLE0207', at, 'a waypoint has one listener', 'remove it');
    else if (protocol !== 'HBONE')
      host.report(
        'TULLE0208',
        `${at}/protocol`,
        `a waypoint takes tunnels of the mesh, not ${protocol}`,
        `protocol: HBONE, port: ${HBONE_PORT}; or gatewayClassName: tulle for callers from outside`,
      );
    const { kinds } = allowedRoutes ?? {};
    if (kinds !== undefined && kinds.length > 0)
      host.report(
        'TULLE0208',
        `${at}/allowedRoutes/kinds`,
        'no route attaches to a waypoint: it serves the routes of the Services that ask for it',
        'remove kinds',
      );
  }
  for (const [i, { value }] of addresses.entries())
    if (value !== undefined && isIP(value) !== 0 && isUnspecified(value))
      host.report(
        'TULLE0205',
        `/spec/addresses/${i}/value`,
        `${value} is no address at which others reach a waypoint`,
        'the address of its machine or network namespace',
      );
  if (tls !== undefined)
    host.report(
      'TULLE0208',
      '/spec/tls',
      'a waypoint has no tls: callers show their identities of the mesh',
      'remove tls',
    );
  if (allowedListeners !== undefined)
    host.report('TULLE0208', '/spec/allowedListeners', 'no ListenerSet adds to a waypoint', 'remove it');
}

const isUnspecified = (address: string): boolean => address === '0.0.0.0' || /^[0:]+$/.test(address);

const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const pointerTo = (label: string): string => `/metadata/labels/${label.replace('/', '~1')}`;

/** The labels by which a Service asks for a waypoint. */
export function checkUseWaypoint(service: Service, host: CheckHost): void {
  const at = pointerTo(USE_WAYPOINT_LABEL);
  const elsewhere = service.metadata.labels?.[USE_WAYPOINT_NAMESPACE_LABEL];
  const waypoint = waypointOf(service);
  if (elsewhere !== undefined && waypoint === undefined)
    host.report(
      'TULLE0203',
      pointerTo(USE_WAYPOINT_NAMESPACE_LABEL),
      `it says where a waypoint is, and the label ${USE_WAYPOINT_LABEL} does not say which`,
      `add ${USE_WAYPOINT_LABEL}: NAME, or remove the label`,
    );
  if (elsewhere !== undefined && !NAME.test(elsewhere))
    host.report(
      'TULLE0205',
      pointerTo(USE_WAYPOINT_NAMESPACE_LABEL),
      `${JSON.stringify(elsewhere)} is no name of a namespace`,
      'the namespace of the waypoint; without the label it is that of the Service',
    );
  if (waypoint === undefined) return;
  const { namespace, name } = waypoint;
  if (!NAME.test(name))
    host.report(
      'TULLE0205',
      at,
      `${JSON.stringify(name)} is no name of a waypoint`,
      `the name of a Gateway of class tulle-waypoint in namespace ${namespace}`,
    );
  if (service.spec.type === 'ExternalName')
    host.report(
      'TULLE0208',
      at,
      'a name outside the mesh has no workloads that a waypoint could be before',
      'route it through an egress Gateway instead, with tulle.dev/callers: mesh',
    );
}
