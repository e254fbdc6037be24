import { caCertificatesOf, isExternal, precedingBackendTlsPolicy } from '../gateway/backend-tls.ts';
import { SYSTEM_CERTIFICATES } from '../kinds/backend-tls-policy.ts';
import { isServiceTarget, type PolicyTarget } from '../kinds/metadata.ts';
import type { LocatedResource } from '../resource.ts';
import { kindText } from '../select.ts';
import { didYouMean } from '../suggest.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { located } from './resource-set.ts';

/** A target of a policy of the Gateway API that is no Service. */
export function analyzeForeignTarget(
  target: PolicyTarget,
  subject: LocatedResource,
  at: string,
  host: AnalysisHost,
): void {
  host.report(
    'TULLE0320',
    subject,
    `${at}/kind`,
    `it is for Services, and ${target.name} is of kind ${kindText(target)}: it does nothing there`,
    "group: '', kind: Service",
  );
}

/** TLS policies that are for nothing, or believe nobody. */
export function analyzeBackendTls(host: AnalysisHost): void {
  for (const subject of located(host.subjects, 'BackendTLSPolicy')) {
    const { spec, metadata } = subject.resource;
    const { namespace } = metadata;
    for (const [i, target] of spec.targetRefs.entries()) {
      const at = `/spec/targetRefs/${i}`;
      if (!isServiceTarget(target)) {
        analyzeForeignTarget(target, subject, at, host);
        continue;
      }
      const before = precedingBackendTlsPolicy(host.set.all('BackendTLSPolicy'), subject.resource, target);
      if (before !== undefined)
        host.report(
          'TULLE0505',
          subject,
          at,
          `BackendTLSPolicy ${namespace}/${before.metadata.name} is for the same target, and older or first by name: this one does nothing there`,
        );
      const service = host.set.get('Service', namespace, target.name);
      if (service === undefined) {
        if (host.set.isUnreadable('Service', namespace, target.name)) continue;
        host.report(
          'TULLE0304',
          subject,
          `${at}/name`,
          `the target Service ${namespace}/${target.name} does not exist`,
          didYouMean(target.name, host.set.names('Service', namespace)),
        );
      } else if (!isExternal(service))
        host.report(
          'TULLE0509',
          subject,
          `${at}/name`,
          `Service ${namespace}/${target.name} is not of type ExternalName: it is called over mutual TLS of the mesh`,
        );
      else if (
        target.sectionName !== undefined &&
        !service.spec.ports.some((p) => p.name === target.sectionName)
      )
        host.report(
          'TULLE0303',
          subject,
          `${at}/sectionName`,
          `Service ${namespace}/${target.name} has no port named ${target.sectionName}`,
        );
    }
    for (const option of Object.keys(spec.options ?? {}))
      host.report(
        'TULLE0321',
        subject,
        `/spec/options/${option.replaceAll('~', '~0').replaceAll('/', '~1')}`,
        `Tulle knows no option ${option} of a BackendTLSPolicy, which holds without it`,
      );
    const { wellKnownCACertificates = SYSTEM_CERTIFICATES } = spec.validation;
    if (wellKnownCACertificates !== SYSTEM_CERTIFICATES)
      host.report(
        'TULLE0313',
        subject,
        '/spec/validation/wellKnownCACertificates',
        `no CAs are known as ${wellKnownCACertificates}: calls fail`,
        `wellKnownCACertificates: ${SYSTEM_CERTIFICATES}, or caCertificateRefs`,
      );
    const { faults } = caCertificatesOf(subject.resource, (name) =>
      host.set.get('ConfigMap', namespace, name),
    );
    for (const { index, reason, message } of faults) {
      const name = spec.validation.caCertificateRefs?.[index]?.name ?? '';
      const at = `/spec/validation/caCertificateRefs/${index}`;
      if (reason === 'InvalidKind')
        host.report('TULLE0313', subject, `${at}/kind`, message, 'kind: ConfigMap');
      else if (!host.set.isUnreadable('ConfigMap', namespace, name))
        host.report(
          'TULLE0313',
          subject,
          `${at}/name`,
          message,
          didYouMean(name, host.set.names('ConfigMap', namespace)),
        );
    }
  }
}
