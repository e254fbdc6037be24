import type { JsonSchema } from '@tulle/model';
import type { Metadata, PolicyTarget } from './metadata.ts';
import { dnsSubdomain, duration, integer, object, resourceSchema, serviceTargets } from './schema-parts.ts';
import { sessionPersistenceSchema, type SessionPersistence } from './session-persistence.ts';

/** What share of the requests of a Service may be retries (Gateway API experimental XBackendTrafficPolicy, GEP-3388). */
export interface BackendTrafficPolicy {
  readonly apiVersion: 'gateway.networking.x-k8s.io/v1alpha1';
  readonly kind: 'XBackendTrafficPolicy';
  readonly metadata: Metadata;
  readonly spec: {
    /** Services of this namespace. For what is something else it does nothing, as status says. */
    readonly targetRefs: readonly PolicyTarget[];
    readonly retryConstraint?: RetryConstraint;
    readonly sessionPersistence?: SessionPersistence;
  };
}

export interface RetryConstraint {
  /** Defaults: 20 percent, of the last 10 s. */
  readonly budget?: { readonly percent?: number; readonly interval?: string };
  /** Always allowed. Defaults: 10, in 1 s. */
  readonly minRetryRate?: { readonly count?: number; readonly interval?: string };
}

export const backendTrafficPolicySchema: JsonSchema = resourceSchema(
  'gateway.networking.x-k8s.io/v1alpha1',
  'XBackendTrafficPolicy',
  'What share of the requests of a Service may be retries, and whether callers stay at an endpoint. A TrafficPolicy with retryBudget for the Service goes before.',
  dnsSubdomain('Name.'),
  {
    spec: object(
      'Which Services, and how much.',
      {
        targetRefs: serviceTargets('Services of this namespace.'),
        retryConstraint: object(
          'Retries beyond it are not made: the answer that there is goes to the caller.',
          {
            budget: object('As a share of requests.', {
              percent: integer('Of the requests of the interval. Default 20.', 0, 100),
              interval: duration('How far back requests are counted. Default 10s.'),
            }),
            minRetryRate: object('Always allowed.', {
              count: integer('Retries in the interval. Default 10.', 1, 1_000_000),
              interval: duration('Default 1s.'),
            }),
          },
        ),
        sessionPersistence: sessionPersistenceSchema,
      },
      ['targetRefs'],
    ),
  },
  ['spec'],
);
