import { X509Certificate } from 'node:crypto';
import type { BackendTLSPolicy } from '../kinds/backend-tls-policy.ts';
import { CA_CERTIFICATES_KEY, type ConfigMap } from '../kinds/config-map.ts';
import { noRepeats, type CheckHost } from './check-host.ts';

export function checkBackendTlsPolicy({ spec }: BackendTLSPolicy, host: CheckHost): void {
  noRepeats(
    host,
    spec.targetRefs,
    ({ group, kind, name, sectionName = '' }) => `${kind}.${group} ${name} ${sectionName}`,
    (i) => `/spec/targetRefs/${i}`,
    () => 'the target is listed twice',
  );
  const { caCertificateRefs = [], wellKnownCACertificates } = spec.validation;
  if (caCertificateRefs.length === 0 && wellKnownCACertificates === undefined)
    host.report(
      'TULLE0203',
      '/spec/validation',
      'nothing says which CAs are believed',
      'wellKnownCACertificates: System, or caCertificateRefs: [{ group: "", kind: ConfigMap, name: … }]',
    );
  for (const [i, name] of (spec.validation.subjectAltNames ?? []).entries()) {
    const at = `/spec/validation/subjectAltNames/${i}`;
    const [wanted, other] =
      name.type === 'URI' ? (['uri', 'hostname'] as const) : (['hostname', 'uri'] as const);
    if (name[wanted] === undefined)
      host.report('TULLE0203', at, `a name of type ${name.type} needs the field "${wanted}"`);
    if (name[other] !== undefined)
      host.report(
        'TULLE0208',
        `${at}/${other}`,
        `a name of type ${name.type} has the field "${wanted}", not "${other}"`,
      );
  }
  if (caCertificateRefs.length > 0 && wellKnownCACertificates !== undefined)
    host.report(
      'TULLE0208',
      '/spec/validation/wellKnownCACertificates',
      'either the CAs of caCertificateRefs are believed or the public ones',
    );
}

export function checkConfigMap({ data = {} }: ConfigMap, host: CheckHost): void {
  const pem = data[CA_CERTIFICATES_KEY];
  if (pem === undefined) return;
  const at = `/data/${CA_CERTIFICATES_KEY}`;
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem))
    host.report(
      'TULLE0205',
      at,
      'it holds a private key, which everybody could read here',
      'remove it, and do not use it again',
    );
  if (blocks.length === 0) host.report('TULLE0205', at, 'it holds no certificate in PEM');
  for (const [i, block] of blocks.entries()) {
    try {
      void new X509Certificate(block);
    } catch (error) {
      host.report(
        'TULLE0205',
        at,
        `certificate ${i + 1} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}
