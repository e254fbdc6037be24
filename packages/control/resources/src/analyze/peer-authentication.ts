import type { PeerAuthentication } from '../kinds/peer-authentication.ts';
import { isUdpPort } from '../kinds/service.ts';
import type { Workload } from '../kinds/workload.ts';
import { canonicalJson, type LocatedResource } from '../resource.ts';
import { datagramPort, selects, serviceSelects } from '../select.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { located, ROOT_NAMESPACE } from './resource-set.ts';

/** PeerAuthentications that another one hides, or that name ports which nobody has. */
export function analyzePeerAuthentication(host: AnalysisHost): void {
  const first = new Map<string, LocatedResource<PeerAuthentication>>();
  const subjects = located(host.subjects, 'PeerAuthentication').toSorted((a, b) =>
    order(a) < order(b) ? -1 : 1,
  );
  for (const subject of subjects) {
    const { spec, metadata } = subject.resource;
    const parts = [
      ...(spec.mtls === undefined ? [] : [{ port: '', pointer: '/spec/mtls' }]),
      ...Object.keys(spec.portLevelMtls ?? {}).map((port) => ({
        port,
        pointer: `/spec/portLevelMtls/${port}`,
      })),
    ];
    for (const { port, pointer } of parts) {
      const key = JSON.stringify([metadata.namespace, canonicalJson(spec.selector?.matchLabels ?? {}), port]);
      const winner = first.get(key);
      if (winner === undefined) first.set(key, subject);
      else
        host.report(
          'TULLE0510',
          subject,
          pointer,
          `PeerAuthentication ${winner.resource.metadata.name} says it already for the same workloads, and wins`,
        );
      if (port !== '') checkPort(subject, Number(port), pointer, host);
    }
  }
}

function checkPort(
  subject: LocatedResource<PeerAuthentication>,
  port: number,
  pointer: string,
  host: AnalysisHost,
): void {
  const { metadata, spec } = subject.resource;
  const known = host.set
    .all('Workload')
    .filter(
      (w) =>
        (w.metadata.namespace === metadata.namespace || metadata.namespace === ROOT_NAMESPACE) &&
        (spec.selector === undefined || selects(spec.selector, w.metadata.labels)),
    );
  if (known.length === 0 || known.some((w) => w.spec.ports.some((p) => p.port === port))) return;
  if (known.some((w) => takesDatagrams(w, port, host))) return;
  const ports = [...new Set(known.flatMap((w) => w.spec.ports.map((p) => p.port)))];
  host.report(
    'TULLE0511',
    subject,
    pointer,
    `no Workload that the policy is for has the port ${port}`,
    `ports of theirs: ${ports.slice(0, 10).join(', ')}`,
  );
}

/** Whether a Service leads datagrams to the port, which Workloads do not declare. */
function takesDatagrams({ metadata }: Workload, port: number, host: AnalysisHost): boolean {
  return host.set
    .all('Service')
    .some(
      (service) =>
        service.metadata.namespace === metadata.namespace &&
        serviceSelects(service, metadata.labels) &&
        service.spec.ports.some((one) => isUdpPort(one) && datagramPort(one) === port),
    );
}

/** Older first, then by name, as the control plane decides. */
function order({ resource: { metadata } }: LocatedResource): string {
  const { creationTimestamp, name } = metadata;
  return `${creationTimestamp === undefined ? '~' : new Date(creationTimestamp).toISOString()} ${name}`;
}
