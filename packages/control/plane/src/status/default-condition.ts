import { isDefaultGateway, isWaypoint, type Gateway } from '@tulle/resources';
import type { Condition } from '../condition.ts';

/** That routes which ask for default Gateways attach here (GEP-3793, which names no reason); nothing where the Gateway does not say so. */
export function defaultGateway(gateway: Gateway): Condition[] {
  const type = 'DefaultGateway';
  if (isDefaultGateway(gateway))
    return [{ type, status: 'True', reason: type, message: 'Gateway has default scope All' }];
  if (gateway.spec.defaultScope !== 'All' || !isWaypoint(gateway)) return [];
  return [
    {
      type,
      status: 'False',
      reason: 'Waypoint',
      message: 'no route attaches to a waypoint: it serves the routes of the Services that ask for it',
    },
  ];
}
