import type { JsonSchema } from '@tulle/model';
import type { Metadata } from './metadata.ts';
import { dnsLabel, dnsSubdomain, groupOf, kindOf, object, resourceSchema, text } from './schema-parts.ts';

/**
 * Says whose Gateways of a class are (Gateway API v1 GatewayClass). Tulle's need none: it has the two that
 * {@link GATEWAY_CLASS} and {@link WAYPOINT_CLASS} name, and status says of others that name its controller that they are not served.
 */
export interface GatewayClass {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'GatewayClass';
  /** Of no namespace: always {@link CLUSTER_NAMESPACE}. */
  readonly metadata: Metadata;
  readonly spec: {
    readonly controllerName: string;
    readonly parametersRef?: {
      readonly group: string;
      readonly kind: string;
      readonly name: string;
      readonly namespace?: string;
    };
    readonly description?: string;
  };
}

/** Where resources are kept that are of no namespace. */
export const CLUSTER_NAMESPACE = 'default';

export const gatewayClassSchema: JsonSchema = resourceSchema(
  'gateway.networking.k8s.io/v1',
  'GatewayClass',
  'Whose the Gateways of a class are. Tulle needs none for its own.',
  dnsSubdomain('Name, which gatewayClassName of Gateways names.'),
  {
    spec: object(
      'Whose it is.',
      {
        controllerName: text(
          'tulle.dev/gateway-controller for the classes tulle and tulle-waypoint; classes of others are left to their controllers.',
          {
            minLength: 1,
            maxLength: 253,
            pattern:
              "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\\/[A-Za-z0-9\\/\\-._~%!$&'()*+,;=:]+$",
          },
        ),
        parametersRef: object(
          'Settings of a controller. Tulle knows none: a class of its own with them is not accepted, nor are its Gateways (InvalidParameters).',
          {
            group: groupOf('Group.'),
            kind: kindOf('Kind.'),
            name: text('Name.', { minLength: 1, maxLength: 253 }),
            namespace: dnsLabel('Its namespace.'),
          },
          ['group', 'kind', 'name'],
        ),
        description: text('What it is for.', { maxLength: 64 }),
      },
      ['controllerName'],
    ),
  },
  ['spec'],
);
