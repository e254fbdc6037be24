import type { JsonSchema } from '@tulle/model';
import type { LabelSelector, Metadata, PolicyTarget } from './metadata.ts';
import {
  dnsSubdomain,
  list,
  object,
  oneOf,
  resourceSchema,
  selectorSchema,
  text,
  truth,
} from './schema-parts.ts';

/** Where in a chain a filter runs, first to last (decision D7). */
export const FILTER_PHASES = [
  'connection',
  'cors',
  'authn',
  'authz',
  'limit',
  'fault',
  'custom',
  'transform',
] as const;
/** One of {@link FILTER_PHASES}. */
export type FilterPhase = (typeof FILTER_PHASES)[number];

/** Puts a filter into the chains of Workloads, or of the callers of a Service or route (decision D7). */
export interface FilterPolicy {
  readonly apiVersion: 'tulle.dev/v1alpha1';
  readonly kind: 'FilterPolicy';
  readonly metadata: Metadata;
  readonly spec: FilterPolicySpec;
}

export interface FilterPolicySpec {
  /**
   * Services, routes or Gateways of this namespace. A Service: its Workloads (`inbound`, default) or its callers
   * (`outbound`). A route: its callers, and the Gateways that it is attached to. A Gateway: everything that comes in
   * there, or at one of its listeners (`sectionName`). With neither targetRefs nor selector: every Workload of the namespace; in the root
   * namespace `tulle-system`, of the mesh.
   */
  readonly targetRefs?: readonly PolicyTarget[];
  readonly selector?: LabelSelector;
  readonly direction?: 'inbound' | 'outbound';
  /** Default: that of the filter's own definition, else `custom`. */
  readonly phase?: FilterPhase;
  /** Id of the filter, e.g. `tulle.http.fault` or an npm package's name. */
  readonly filter: string;
  /** As the filter's schema says. */
  readonly config?: unknown;
  /** No narrower scope can remove it, and a proxy that lacks the filter refuses the traffic. Default false. */
  readonly mandatory?: boolean;
  /** Skip the filter where it throws. Default false. */
  readonly failOpen?: boolean;
}

export const filterPolicySchema: JsonSchema = resourceSchema(
  'tulle.dev/v1alpha1',
  'FilterPolicy',
  'Puts a filter into chains.',
  dnsSubdomain('Name.'),
  {
    spec: object(
      'Which filter, where.',
      {
        targetRefs: list(
          'Services, routes, Gateways or ListenerSets in this namespace.',
          object(
            'A target.',
            {
              group: {
                enum: ['', 'gateway.networking.k8s.io'],
                description:
                  'Empty for Service, gateway.networking.k8s.io for HTTPRoute, GRPCRoute, Gateway and ListenerSet.',
              },
              kind: oneOf('Kind.', ['Service', 'HTTPRoute', 'GRPCRoute', 'Gateway', 'ListenerSet']),
              name: dnsSubdomain('Name.'),
              sectionName: text('Rule name of a route, listener name of a Gateway or ListenerSet.', {
                minLength: 1,
                maxLength: 253,
              }),
            },
            ['group', 'kind', 'name'],
          ),
          1,
          16,
        ),
        selector: selectorSchema,
        direction: oneOf(
          'inbound: at the Workloads. outbound: at their callers. Default inbound; a route is always outbound.',
          ['inbound', 'outbound'],
        ),
        phase: oneOf(
          'Where in the chain. Default: as the filter itself says, such as authn for tulle.http.jwt; for filters of packages as their proxies say, else custom.',
          FILTER_PHASES,
        ),
        filter: text(
          'Id of the filter. tulle.http.local-replies is none, but says what the proxy answers itself: by status and response flag another status, body and headers, and bodies as text or JSON with the operators of access logs.',
          {
            minLength: 1,
            maxLength: 214,
            pattern: '^(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*(/[a-z0-9._-]+)?$',
          },
        ),
        config: { description: "Configuration, as the filter's schema says. Default {}." },
        mandatory: truth('A proxy that lacks the filter refuses the traffic. Default false.'),
        failOpen: truth('Skip the filter where it throws. Default false.'),
      },
      ['filter'],
    ),
  },
  ['spec'],
);
