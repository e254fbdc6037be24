import { GATEWAY_CLASS, type Gateway } from '../kinds/gateway.ts';

/** Whether a Gateway is one of Tulle's to which routes attach. */
export function isServedGateway(gateway: Gateway): boolean {
  return gateway.spec.gatewayClassName === GATEWAY_CLASS;
}
