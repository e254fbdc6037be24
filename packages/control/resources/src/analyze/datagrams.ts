import { refusesDatagrams } from '../gateway/datagrams.ts';
import type { ConnectionBackendRef, UDPRoute } from '../kinds/connection-route.ts';
import type { LocatedResource } from '../resource.ts';
import { backendTarget, datagramPort, findServicePort, serviceSelects } from '../select.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { located, ROOT_NAMESPACE } from './resource-set.ts';

/** What operators of UDPRoutes should know: nothing is encrypted, and who asks for mutual TLS gets nothing. */
export function analyzeDatagrams(host: AnalysisHost): void {
  for (const subject of located(host.subjects, 'UDPRoute')) {
    host.report(
      'TULLE0414',
      subject,
      '/spec/rules',
      'datagrams go to their endpoints in clear, and no policy judges them: mutual TLS is for connections',
    );
    for (const [r, rule] of subject.resource.spec.rules.entries())
      for (const [b, backend] of rule.backendRefs.entries())
        analyzeStrict(backend, subject, `/spec/rules/${r}/backendRefs/${b}`, host);
  }
}

/** Known Workloads of a backend that take calls by mutual TLS alone. */
function analyzeStrict(
  backend: ConnectionBackendRef,
  subject: LocatedResource<UDPRoute>,
  at: string,
  host: AnalysisHost,
): void {
  const namespace = backend.namespace ?? subject.resource.metadata.namespace;
  const service = host.set.get('Service', namespace, backendTarget(backend).service);
  const port = service && findServicePort(service, { port: backend.port }, 'UDP');
  if (service === undefined || port === undefined) return;
  const number = datagramPort(port);
  const policies = host.set
    .all('PeerAuthentication')
    .filter(({ metadata }) => [namespace, ROOT_NAMESPACE].includes(metadata.namespace));
  const known = host.set
    .all('Workload')
    .filter((w) => w.metadata.namespace === namespace && serviceSelects(service, w.metadata.labels));
  const strict = known.flatMap((w) => refusesDatagrams(policies, w, number, ROOT_NAMESPACE) ?? []);
  const [first] = strict;
  if (first === undefined) return;
  const by =
    first.policy === undefined
      ? 'no PeerAuthentication says otherwise'
      : `PeerAuthentication ${first.policy.metadata.namespace}/${first.policy.metadata.name} says so`;
  host.report(
    'TULLE0415',
    subject,
    `${at}/name`,
    `${strict.length} of ${known.length} known workloads of Service ${namespace}/${service.metadata.name} take calls by mutual TLS alone (${by}): no datagram is sent there`,
    `PERMISSIVE under portLevelMtls of a PeerAuthentication, for port ${number}`,
  );
}
