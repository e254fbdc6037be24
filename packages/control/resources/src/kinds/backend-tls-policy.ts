import type { JsonSchema } from '@tulle/model';
import type { Metadata, PolicyTarget } from './metadata.ts';
import {
  dnsLabel,
  dnsSubdomain,
  hostname,
  list,
  notHonoured,
  object,
  oneOf,
  resourceSchema,
} from './schema-parts.ts';

/** TLS towards a Service outside the mesh (Gateway API v1 BackendTLSPolicy, GEP-1897). */
export interface BackendTLSPolicy {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'BackendTLSPolicy';
  readonly metadata: Metadata;
  readonly spec: {
    /** Services of this namespace; `sectionName`: only the port of this name. */
    readonly targetRefs: readonly PolicyTarget[];
    readonly validation: {
      /** Server name that is sent, and that the certificate must be for. */
      readonly hostname: string;
      /** ConfigMaps of this namespace with `ca.crt`. */
      readonly caCertificateRefs?: readonly {
        readonly group: '';
        readonly kind: 'ConfigMap';
        readonly name: string;
      }[];
      readonly wellKnownCACertificates?: 'System';
    };
  };
}

export const backendTlsPolicySchema: JsonSchema = resourceSchema(
  'gateway.networking.k8s.io/v1',
  'BackendTLSPolicy',
  'TLS towards a Service of type ExternalName; calls within the mesh are over mutual TLS without it.',
  dnsSubdomain('Name.'),
  {
    spec: object(
      'Whom it is for and what is believed.',
      {
        targetRefs: list(
          'Services of this namespace, of type ExternalName.',
          object(
            'A Service.',
            {
              group: { enum: [''], description: 'Empty: the core group.' },
              kind: oneOf('Kind.', ['Service']),
              name: dnsLabel('Name.'),
              sectionName: dnsLabel('Only the port of this name.'),
            },
            ['group', 'kind', 'name'],
          ),
          1,
          16,
        ),
        validation: object(
          'What the other side must prove.',
          {
            hostname,
            caCertificateRefs: list(
              'ConfigMaps of this namespace whose ca.crt is believed, and nothing else.',
              object(
                'A ConfigMap.',
                {
                  group: { enum: [''], description: 'Empty: the core group.' },
                  kind: oneOf('Kind.', ['ConfigMap']),
                  name: dnsSubdomain('Name.'),
                },
                ['group', 'kind', 'name'],
              ),
              0,
              8,
            ),
            wellKnownCACertificates: oneOf('System: the public CAs that Node ships.', ['System']),
            subjectAltNames: notHonoured('The certificate must be for hostname.'),
          },
          ['hostname'],
        ),
        options: notHonoured('There is none.'),
      },
      ['targetRefs', 'validation'],
    ),
  },
  ['spec'],
);
