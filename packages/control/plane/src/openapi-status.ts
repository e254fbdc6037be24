import { closed, integer, listOf, object, ref, text, type Json } from './openapi-parts.ts';

/** What the status of a Gateway and that of a ListenerSet have in common. */
const withListeners: Json = {
  conditions: listOf(ref('StatusCondition')),
  listeners: listOf(
    closed(
      {
        name: text,
        attachedRoutes: integer,
        supportedKinds: listOf(closed({ group: text, kind: text }, ['group', 'kind'])),
        conditions: listOf(ref('StatusCondition')),
      },
      ['name', 'attachedRoutes', 'supportedKinds', 'conditions'],
    ),
  ),
};

/** `status` of resources, as Gateway API writes it. */
export const STATUS_SCHEMAS: Json = {
  GatewayClassStatus: closed(
    {
      conditions: listOf(ref('StatusCondition')),
      supportedFeatures: listOf(closed({ name: text }, ['name'])),
    },
    ['conditions', 'supportedFeatures'],
  ),
  GatewayStatus: closed(
    {
      addresses: listOf(closed({ type: { const: 'IPAddress' }, value: text }, ['type', 'value'])),
      attachedListenerSets: { ...integer, description: 'ListenerSets that are taken and Accepted.' },
      ...withListeners,
    },
    ['addresses', 'attachedListenerSets', 'conditions', 'listeners'],
  ),
  ListenerSetStatus: closed(withListeners, ['conditions', 'listeners']),
  PolicyStatus: closed(
    {
      ancestors: listOf(
        closed(
          {
            ancestorRef: closed(
              {
                group: text,
                kind: { enum: ['Gateway', 'Service'] },
                namespace: text,
                name: text,
                sectionName: text,
              },
              ['group', 'kind', 'namespace', 'name'],
            ),
            controllerName: text,
            conditions: listOf(ref('StatusCondition')),
          },
          ['ancestorRef', 'controllerName', 'conditions'],
        ),
      ),
    },
    ['ancestors'],
  ),
  RouteStatus: closed(
    {
      parents: listOf(
        closed(
          {
            parentRef: object({ name: text }),
            controllerName: text,
            conditions: listOf(ref('StatusCondition')),
          },
          ['parentRef', 'controllerName', 'conditions'],
        ),
      ),
    },
    ['parents'],
  ),
  StatusCondition: closed(
    {
      type: text,
      status: { enum: ['True', 'False'] },
      reason: text,
      message: text,
      observedGeneration: integer,
      lastTransitionTime: { ...text, description: 'When status last became what it is; RFC 3339.' },
    },
    ['type', 'status', 'reason', 'message', 'observedGeneration', 'lastTransitionTime'],
  ),
};
