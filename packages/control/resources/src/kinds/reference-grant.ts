import type { JsonSchema } from '@tulle/model';
import type { Metadata } from './metadata.ts';
import {
  dnsLabel,
  dnsSubdomain,
  groupOf,
  kindOf,
  list,
  object,
  resourceSchema,
  text,
} from './schema-parts.ts';

/** Lets routes and Gateways of other namespaces use Services and certificates of this one (Gateway API). */
export interface ReferenceGrant {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'ReferenceGrant';
  readonly metadata: Metadata;
  readonly spec: {
    readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
    readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
  };
}

export const referenceGrantSchema: JsonSchema = resourceSchema(
  'gateway.networking.k8s.io/v1',
  'ReferenceGrant',
  'Lets routes and Gateways of other namespaces use Services and certificates of this one.',
  dnsSubdomain('Name.'),
  {
    spec: object(
      'Who may use what.',
      {
        from: list(
          'Who refers.',
          object(
            'A kind in a namespace.',
            {
              group: groupOf(
                'Group of the kind; gateway.networking.k8s.io for the kinds that refer to something here.',
              ),
              kind: kindOf(
                'A kind of routes, for Services; Gateway or ListenerSet, for certificates. Others refer to nothing here.',
              ),
              namespace: dnsLabel('Its namespace.'),
            },
            ['group', 'kind', 'namespace'],
          ),
          1,
          16,
        ),
        to: list(
          'What may be referred to.',
          object(
            'A kind, or one of its resources.',
            {
              group: groupOf('Group of the kind; empty, the core group, for what is referred to here.'),
              kind: kindOf(
                'Service; Secret for a certificate, ConfigMap for CAs. Nothing here refers to others.',
              ),
              name: text('Only this one; absent: all.', { minLength: 1, maxLength: 253 }),
            },
            ['group', 'kind'],
          ),
          1,
          16,
        ),
      },
      ['from', 'to'],
    ),
  },
  ['spec'],
);
