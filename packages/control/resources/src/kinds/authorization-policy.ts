import {
  authzRuleSchema,
  type AuthzCondition,
  type AuthzSource,
  type AuthzTarget,
  type JsonSchema,
} from '@tulle/model';
import type { LabelSelector, Metadata, PolicyTarget } from './metadata.ts';
import {
  dnsLabel,
  dnsSubdomain,
  list,
  object,
  oneOf,
  resourceSchema,
  selectorSchema,
  truth,
} from './schema-parts.ts';

/** Who may call what (decision D20). */
export interface AuthorizationPolicy {
  readonly apiVersion: 'tulle.dev/v1alpha1';
  readonly kind: 'AuthorizationPolicy';
  readonly metadata: Metadata;
  readonly spec: AuthorizationPolicySpec;
}

export interface AuthorizationPolicySpec {
  /** Services whose Workloads are protected. With neither targetRefs nor selector: every Workload of the namespace. */
  readonly targetRefs?: readonly PolicyTarget[];
  readonly selector?: LabelSelector;
  readonly action: 'ALLOW' | 'DENY';
  /** Decide and count, but let everything pass. Default false. */
  readonly shadow?: boolean;
  readonly rules?: readonly AuthorizationRule[];
}

export interface AuthorizationRule {
  readonly from?: AuthorizationSource;
  readonly to?: AuthzTarget;
  readonly when?: readonly AuthzCondition[];
}

/** As in the filter, and service accounts of this mesh as `name` (own namespace) or `namespace/name`. */
export interface AuthorizationSource extends AuthzSource {
  readonly serviceAccounts?: readonly string[];
}

/** `targetRefs` to Services. */
export const serviceTargets: JsonSchema = list(
  'Services in this namespace.',
  object(
    'A Service.',
    {
      group: { enum: [''], description: 'Empty: the core group.' },
      kind: { enum: ['Service'], description: 'Service.' },
      name: dnsLabel('Name of the Service.'),
    },
    ['group', 'kind', 'name'],
  ),
  1,
  16,
);

const ruleProperties = authzRuleSchema['properties'] as Readonly<Record<'from' | 'to', JsonSchema>>;
const sourceProperties = ruleProperties.from['properties'] as Readonly<Record<string, JsonSchema>>;

export const authorizationPolicySchema: JsonSchema = resourceSchema(
  'tulle.dev/v1alpha1',
  'AuthorizationPolicy',
  'Who may call what.',
  dnsSubdomain('Name.'),
  {
    spec: object(
      'The policy. Rules are OR, fields of a rule AND, values of a field OR; DENY always wins.',
      {
        targetRefs: serviceTargets,
        selector: selectorSchema,
        action: oneOf('ALLOW: what no ALLOW rule matches is denied. DENY: what a rule matches is denied.', [
          'ALLOW',
          'DENY',
        ]),
        shadow: truth('Decide and count, but let everything pass. Default false.'),
        rules: list(
          'Any of these; none: matches nothing.',
          {
            ...authzRuleSchema,
            properties: {
              ...ruleProperties,
              from: {
                ...ruleProperties.from,
                properties: {
                  ...sourceProperties,
                  serviceAccounts: list(
                    'Service accounts of this mesh: name in this namespace, or namespace/name.',
                    {
                      type: 'string',
                      pattern: '^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
                      description: 'Service account.',
                    },
                    1,
                    1000,
                  ),
                },
              },
            },
          },
          0,
          1000,
        ),
      },
      ['action'],
    ),
  },
  ['spec'],
);
