import type { JsonSchema } from '@tulle/model';
import type { Metadata, PolicyTarget } from './metadata.ts';
import {
  dnsSubdomain,
  hostname,
  hostnameOrWildcard,
  list,
  object,
  oneOf,
  resourceSchema,
  serviceTargets,
  strings,
  text,
} from './schema-parts.ts';

/** TLS towards a Service outside the mesh (Gateway API v1 BackendTLSPolicy, GEP-1897). */
export interface BackendTLSPolicy {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'BackendTLSPolicy';
  readonly metadata: Metadata;
  readonly spec: {
    /** Services of this namespace; `sectionName`: only the port of this name. For what is something else it does nothing, as status says. */
    readonly targetRefs: readonly PolicyTarget[];
    readonly validation: {
      /** Server name that is sent, and that the certificate must be for. */
      readonly hostname: string;
      /** ConfigMaps of this namespace with `ca.crt`; what else is named is nobody's certificate, and status says so. */
      readonly caCertificateRefs?: readonly {
        readonly group: string;
        readonly kind: string;
        readonly name: string;
      }[];
      /** `System`, or a name of another implementation: then nobody is believed, and status says so. */
      readonly wellKnownCACertificates?: string;
      /** Of these the certificate must have one, in place of `hostname`, which then is the server name alone. */
      readonly subjectAltNames?: readonly SubjectAltName[];
    };
    /** None is known; status says so. */
    readonly options?: Readonly<Record<string, string>>;
  };
}

/** A name that a certificate has: the field of its type is given. */
export interface SubjectAltName {
  readonly type: 'Hostname' | 'URI';
  readonly hostname?: string;
  readonly uri?: string;
}

/** The CAs that every implementation knows by this name. */
export const SYSTEM_CERTIFICATES = 'System';
/** That, or the name of an implementation's own, with a domain before it. */
const WELL_KNOWN_PATTERN = `^(${SYSTEM_CERTIFICATES}|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/[A-Za-z0-9/_.:-]+)$`;

export const backendTlsPolicySchema: JsonSchema = resourceSchema(
  'gateway.networking.k8s.io/v1',
  'BackendTLSPolicy',
  'TLS towards a Service of type ExternalName; calls within the mesh are over mutual TLS without it.',
  dnsSubdomain('Name.'),
  {
    spec: object(
      'Whom it is for and what is believed.',
      {
        targetRefs: serviceTargets('Services of this namespace, of type ExternalName.', {
          sectionName: dnsSubdomain('Only the port of this name.'),
        }),
        validation: object(
          'What the other side must prove.',
          {
            hostname,
            caCertificateRefs: list(
              'ConfigMaps of this namespace whose ca.crt is believed, and nothing else.',
              object(
                'A ConfigMap.',
                {
                  group: text('Empty: the core group.', { maxLength: 253 }),
                  kind: text('ConfigMap; another one is not believed, and status says so.', {
                    minLength: 1,
                    maxLength: 63,
                  }),
                  name: dnsSubdomain('Name.'),
                },
                ['group', 'kind', 'name'],
              ),
              0,
              8,
            ),
            wellKnownCACertificates: text(
              'System: the public CAs that Node ships. By a name of another implementation nobody is believed: calls fail, and status says so (Invalid).',
              { minLength: 1, maxLength: 253, pattern: WELL_KNOWN_PATTERN },
            ),
            subjectAltNames: list(
              'Names of which the certificate must have one; hostname is then only the server name that is sent.',
              object(
                'A name.',
                {
                  type: oneOf('Kind of the name.', ['Hostname', 'URI']),
                  hostname: hostnameOrWildcard,
                  uri: text('A URI with a scheme, e.g. a SPIFFE id.', {
                    minLength: 1,
                    maxLength: 253,
                    pattern: '^[a-zA-Z][-a-zA-Z0-9+.]*:.+$',
                  }),
                },
                ['type'],
              ),
              0,
              5,
            ),
          },
          ['hostname'],
        ),
        options: strings(
          'Settings of implementations. Tulle has none: the policy holds without them, and status says so (tulle.dev/OptionsHonoured).',
          16,
        ),
      },
      ['targetRefs', 'validation'],
    ),
  },
  ['spec'],
);
