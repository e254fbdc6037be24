import { isExternal } from '../gateway/backend-tls.ts';
import { CA_CERTIFICATES_KEY } from '../kinds/config-map.ts';
import { didYouMean } from '../suggest.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { located } from './resource-set.ts';

/** TLS policies that are for nothing, or believe nobody. */
export function analyzeBackendTls(host: AnalysisHost): void {
  for (const subject of located(host.subjects, 'BackendTLSPolicy')) {
    const { spec, metadata } = subject.resource;
    const { namespace } = metadata;
    for (const [i, target] of spec.targetRefs.entries()) {
      const at = `/spec/targetRefs/${i}`;
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
    for (const [i, ref] of (spec.validation.caCertificateRefs ?? []).entries()) {
      const configMap = host.set.get('ConfigMap', namespace, ref.name);
      if (configMap?.data?.[CA_CERTIFICATES_KEY] !== undefined) continue;
      if (host.set.isUnreadable('ConfigMap', namespace, ref.name)) continue;
      host.report(
        'TULLE0313',
        subject,
        `/spec/validation/caCertificateRefs/${i}/name`,
        configMap === undefined
          ? `there is no ConfigMap ${namespace}/${ref.name}`
          : `ConfigMap ${namespace}/${ref.name} has no ${CA_CERTIFICATES_KEY}`,
        didYouMean(ref.name, host.set.names('ConfigMap', namespace)),
      );
    }
  }
}
