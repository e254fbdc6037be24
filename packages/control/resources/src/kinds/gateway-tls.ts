import type { JsonSchema } from '@tulle/model';
import { dnsLabel, dnsSubdomain, groupOf, kindOf, list, object, oneOf, port } from './schema-parts.ts';

/** TLS of a whole Gateway, towards callers and towards backends (Gateway API `GatewayTLSConfig`). */
export interface GatewayTls {
  readonly frontend?: {
    /** For listeners of HTTPS on ports that have nothing of their own. */
    readonly default: FrontendTls;
    readonly perPort?: readonly { readonly port: number; readonly tls: FrontendTls }[];
  };
  readonly backend?: { readonly clientCertificateRef?: CertificateRef };
}

export interface FrontendTls {
  readonly validation?: FrontendValidation;
}

/** What is asked of callers (GEP-91). */
export interface FrontendValidation {
  readonly caCertificateRefs: readonly CaCertificateRef[];
  /** Default `AllowValidOnly`. `AllowInsecureFallback`: whoever proves nothing is served all the same. */
  readonly mode?: 'AllowValidOnly' | 'AllowInsecureFallback';
}

/** A ConfigMap whose `ca.crt` is believed. */
export interface CaCertificateRef {
  readonly group: string;
  /** `ConfigMap`, of group `''`; others are not believed, and status says so. */
  readonly kind: string;
  readonly name: string;
  /** Default: the Gateway's. */
  readonly namespace?: string;
}

export interface CertificateRef {
  readonly group?: string;
  /** `Secret`, of group `''`; of others there is no certificate, and status says so. */
  readonly kind?: string;
  readonly name: string;
  /** Default: the Gateway's. */
  readonly namespace?: string;
}

/** Whether a reference is of the kind that Tulle takes certificates from. */
export function isCertificateKind({ group = '', kind = 'Secret' }: CertificateRef): boolean {
  return group === '' && kind === 'Secret';
}

/** Whether a reference is of the kind that Tulle takes certificates of CAs from. */
export function isCaCertificateKind({ group, kind }: CaCertificateRef): boolean {
  return group === '' && kind === 'ConfigMap';
}

export const certificateRef: JsonSchema = object(
  "A certificate of the gateway's directory: NAMESPACE/NAME/tls.crt and tls.key there.",
  {
    group: groupOf('Empty: the core group.'),
    kind: kindOf(
      'Secret. Keys are files where the gateway runs, never resources. Of another kind there is no certificate, and status says so.',
    ),
    name: dnsSubdomain('Name.'),
    namespace: dnsLabel("Its namespace; another one than the Gateway's needs a ReferenceGrant there."),
  },
  ['name'],
);

const caCertificateRef: JsonSchema = object(
  'A ConfigMap with ca.crt.',
  {
    group: groupOf('Empty: the core group.'),
    kind: kindOf('ConfigMap; another one is not believed, and status says so.'),
    name: dnsSubdomain('Name.'),
    namespace: dnsLabel("Its namespace; another one than the Gateway's needs a ReferenceGrant there."),
  },
  ['group', 'kind', 'name'],
);

const frontendTls: JsonSchema = object('What is asked of callers.', {
  validation: object(
    'Their certificates.',
    {
      caCertificateRefs: list('Whose certificates are believed.', caCertificateRef, 1, 16),
      mode: oneOf(
        'AllowValidOnly (default): who proves nothing is refused in the handshake. AllowInsecureFallback: it is served all the same.',
        ['AllowValidOnly', 'AllowInsecureFallback'],
      ),
    },
    ['caCertificateRefs'],
  ),
});

export const gatewayTlsSchema: JsonSchema = object('TLS of all listeners, and towards backends.', {
  frontend: object(
    'Certificates of callers, at listeners of protocol HTTPS.',
    {
      default: frontendTls,
      perPort: list(
        'Ports with something of their own, in place of default.',
        object('A port.', { port: port('Of listeners.'), tls: frontendTls }, ['port', 'tls']),
        0,
        64,
      ),
    },
    ['default'],
  ),
  backend: object('Towards Services with a BackendTLSPolicy.', { clientCertificateRef: certificateRef }),
});
