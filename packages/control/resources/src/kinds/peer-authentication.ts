import type { JsonSchema } from '@tulle/model';
import type { LabelSelector, Metadata } from './metadata.ts';
import { dnsSubdomain, object, oneOf, resourceSchema, selectorSchema } from './schema-parts.ts';

/** Whether callers must prove who they are (decision D20); the form is Istio's. */
export interface PeerAuthentication {
  readonly apiVersion: 'tulle.dev/v1alpha1';
  readonly kind: 'PeerAuthentication';
  readonly metadata: Metadata;
  readonly spec: PeerAuthenticationSpec;
}

/** `STRICT`: mutual TLS only. `PERMISSIVE`: plain text too, for a migration. */
export type MtlsMode = 'STRICT' | 'PERMISSIVE';

export interface PeerAuthenticationSpec {
  /** Workloads of the namespace. Absent: all of them; in the root namespace `tulle-system`, all of the mesh. */
  readonly selector?: LabelSelector;
  readonly mtls?: { readonly mode: MtlsMode };
  /** By number of the workload's port. */
  readonly portLevelMtls?: Readonly<Record<string, { readonly mode: MtlsMode }>>;
}

const mode: JsonSchema = object(
  'What is asked of callers.',
  {
    mode: oneOf(
      'STRICT: mutual TLS, nothing else. PERMISSIVE: plain text too, while callers move into the mesh.',
      ['STRICT', 'PERMISSIVE'],
    ),
  },
  ['mode'],
);

export const peerAuthenticationSchema: JsonSchema = resourceSchema(
  'tulle.dev/v1alpha1',
  'PeerAuthentication',
  'Whether callers must prove who they are. Without one they must (STRICT).',
  dnsSubdomain('Name.'),
  {
    spec: object(
      'What holds. A port before the whole, a selector before the namespace, the namespace before the mesh; among equals the oldest wins, then the smallest name.',
      {
        selector: selectorSchema,
        mtls: mode,
        portLevelMtls: {
          type: 'object',
          description: "For single ports, by the number of the workload's port.",
          minProperties: 1,
          maxProperties: 100,
          propertyNames: { type: 'string', pattern: '^[1-9][0-9]{0,4}$' },
          additionalProperties: mode,
        },
      },
    ),
  },
  ['spec'],
);
