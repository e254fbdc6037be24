import type { JsonSchema } from '@tulle/model';
import type { Metadata } from './metadata.ts';
import { dnsSubdomain, notHonoured, resourceSchema, truth } from './schema-parts.ts';

/** Key of a ConfigMap under which Gateway API looks for CA certificates. */
export const CA_CERTIFICATES_KEY = 'ca.crt';

/** Texts by name (Kubernetes core/v1); here: CA certificates, as `ca.crt`. Nothing secret: everybody may read it. */
export interface ConfigMap {
  readonly apiVersion: 'v1';
  readonly kind: 'ConfigMap';
  readonly metadata: Metadata;
  readonly data?: Readonly<Record<string, string>>;
}

export const configMapSchema: JsonSchema = resourceSchema(
  'v1',
  'ConfigMap',
  'CA certificates for a BackendTLSPolicy. Readable by all: no place for keys.',
  dnsSubdomain('Name.'),
  {
    data: {
      type: 'object',
      additionalProperties: { type: 'string', maxLength: 1_048_576 },
      description: 'ca.crt: certificates in PEM. Other names are read by nobody.',
    },
    binaryData: notHonoured('Use data.'),
    immutable: truth('Accepted and not enforced.'),
  },
  [],
);
