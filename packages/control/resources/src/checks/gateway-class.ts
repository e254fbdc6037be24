import { GATEWAY_CLASS, GATEWAY_CONTROLLER, WAYPOINT_CLASS } from '../kinds/gateway.ts';
import type { GatewayClass } from '../kinds/gateway-class.ts';
import type { CheckHost } from './check-host.ts';

/** The names of Tulle's own classes are nobody else's: Gateways of them are served without a GatewayClass. */
export function checkGatewayClass({ metadata, spec }: GatewayClass, host: CheckHost): void {
  const isOwn = metadata.name === GATEWAY_CLASS || metadata.name === WAYPOINT_CLASS;
  if (isOwn && spec.controllerName !== GATEWAY_CONTROLLER)
    host.report(
      'TULLE0208',
      '/spec/controllerName',
      `the class ${metadata.name} is Tulle's, not one of ${spec.controllerName}`,
      `controllerName: ${GATEWAY_CONTROLLER}, or another name for the class`,
    );
}
