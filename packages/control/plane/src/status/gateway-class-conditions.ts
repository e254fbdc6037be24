import {
  GATEWAY_CLASS,
  GATEWAY_CONTROLLER,
  kindText,
  SUPPORTED_FEATURES,
  WAYPOINT_CLASS,
  type GatewayClass,
} from '@tulle/resources';
import type { Condition } from '../condition.ts';

/** What holds of a GatewayClass (Gateway API `GatewayClassStatus`). */
export interface GatewayClassConditions {
  readonly conditions: readonly Condition[];
  readonly supportedFeatures: readonly string[];
}

/** `undefined`: it is another controller's, and nothing is said of it. */
export function gatewayClassConditions({ metadata, spec }: GatewayClass): GatewayClassConditions | undefined {
  if (spec.controllerName !== GATEWAY_CONTROLLER) return undefined;
  const no = (reason: 'Unsupported' | 'InvalidParameters', message: string): GatewayClassConditions => ({
    conditions: [{ type: 'Accepted', status: 'False', reason, message }],
    supportedFeatures: [],
  });
  const { name } = metadata;
  if (name !== GATEWAY_CLASS && name !== WAYPOINT_CLASS)
    return no(
      'Unsupported',
      `Gateways of class ${name} are not served: Tulle has the classes ${GATEWAY_CLASS} and ${WAYPOINT_CLASS}, and no others`,
    );
  if (spec.parametersRef !== undefined)
    return no(
      'InvalidParameters',
      `parametersRef names ${kindText(spec.parametersRef)} ${spec.parametersRef.name}, and Gateways have parameters of no kind: none of the class is served until it is removed`,
    );
  return {
    conditions: [
      { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'Gateways of the class are served' },
      {
        type: 'SupportedVersion',
        status: 'True',
        reason: 'SupportedVersion',
        message: 'its kinds are those of release 1.6 of the Gateway API',
      },
    ],
    // To a waypoint no route attaches: what it serves are features of the mesh.
    supportedFeatures: name === GATEWAY_CLASS ? SUPPORTED_FEATURES : [],
  };
}
