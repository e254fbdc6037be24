import type { JsonSchema } from '@tulle/model';
import { GATEWAY_GROUP, listenersSchema, type GatewayListener } from './gateway.ts';
import type { Metadata } from './metadata.ts';
import { dnsLabel, dnsSubdomain, object, oneOf, resourceSchema } from './schema-parts.ts';

/** Listeners that are added to a Gateway, maybe by another team than the Gateway's (Gateway API v1 ListenerSet, GEP-1713). */
export interface ListenerSet {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'ListenerSet';
  readonly metadata: Metadata;
  readonly spec: {
    readonly parentRef: {
      readonly group?: 'gateway.networking.k8s.io';
      readonly kind?: 'Gateway';
      readonly name: string;
      /** Default: the ListenerSet's. */
      readonly namespace?: string;
    };
    readonly listeners: readonly GatewayListener[];
  };
}

export const listenerSetSchema: JsonSchema = resourceSchema(
  'gateway.networking.k8s.io/v1',
  'ListenerSet',
  'Adds listeners to a Gateway whose allowedListeners takes them.',
  dnsSubdomain('Name.'),
  {
    spec: object(
      'Which listeners, of which Gateway.',
      {
        parentRef: object(
          'The Gateway.',
          {
            group: oneOf(`Group of the kind. Default ${GATEWAY_GROUP}.`, [GATEWAY_GROUP]),
            kind: oneOf('Kind. Default Gateway.', ['Gateway']),
            name: dnsLabel('Its name.'),
            namespace: dnsLabel("Its namespace. Default: the ListenerSet's."),
          },
          ['name'],
        ),
        listeners: listenersSchema('Name, unique in the ListenerSet.'),
      },
      ['parentRef', 'listeners'],
    ),
  },
  ['spec'],
);
