import {
  CLUSTER_NAMESPACE,
  GATEWAY_CLASS,
  GATEWAY_CONTROLLER,
  kindText,
  SUPPORTED_FEATURES,
  WAYPOINT_CLASS,
  type Gateway,
  type GatewayClass,
} from '@tulle/resources';
import type { Condition } from '../condition.ts';
import type { World } from '../world.ts';

/** What holds of a GatewayClass (Gateway API `GatewayClassStatus`). */
export interface GatewayClassConditions {
  readonly conditions: readonly Condition[];
  readonly supportedFeatures: readonly string[];
}

const isOurs = (className: string): boolean => className === GATEWAY_CLASS || className === WAYPOINT_CLASS;

const notServed = (className: string): string =>
  `Gateways of class ${className} are not served: Tulle has the classes ${GATEWAY_CLASS} and ${WAYPOINT_CLASS}, and no others`;

/** Why nobody serves a Gateway whose class says that Tulle is its controller; `undefined`: it is served, or another controller's. */
export function unservedClass(world: World, { spec }: Gateway): string | undefined {
  const name = spec.gatewayClassName;
  if (isOurs(name)) return undefined;
  const found = world.get('GatewayClass', CLUSTER_NAMESPACE, name);
  return found?.spec.controllerName === GATEWAY_CONTROLLER ? notServed(name) : undefined;
}

/** `undefined`: it is another controller's, and nothing is said of it. */
export function gatewayClassConditions({ metadata, spec }: GatewayClass): GatewayClassConditions | undefined {
  if (spec.controllerName !== GATEWAY_CONTROLLER) return undefined;
  const no = (reason: 'Unsupported' | 'InvalidParameters', message: string): GatewayClassConditions => ({
    conditions: [{ type: 'Accepted', status: 'False', reason, message }],
    supportedFeatures: [],
  });
  const { name } = metadata;
  if (!isOurs(name)) return no('Unsupported', notServed(name));
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
