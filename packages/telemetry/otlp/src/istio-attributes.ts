import { createParties, type SelfLabels } from '@tulle/parties';
import { type AttemptRecord, isInternalName, type StreamRecord } from '@tulle/telemetry';
import { cut, type SpanAttributes } from './attributes.ts';
import type { OtlpOptions } from './options.ts';
import { hostPort } from './url.ts';

/** Adds the attributes that Envoy and Istio put on spans, under their names and, as there, as text. */
export interface IstioAttributes {
  addToServer(attributes: SpanAttributes, record: StreamRecord, url: string): void;
  addToClient(attributes: SpanAttributes, record: StreamRecord, attempt: AttemptRecord, url: string): void;
}

/** Makes an {@link IstioAttributes}: what Kiali and the panels of Istio's dashboards select and show by. */
export function istioAttributes(options: OtlpOptions): IstioAttributes {
  const self: SelfLabels = options.self ?? {};
  const parties = createParties(self);
  const fixed: SpanAttributes = {
    component: 'proxy',
    'istio.mesh_id': options.istio?.meshId ?? 'mesh.local',
  };
  const canonical = self.app ?? self.service ?? self.workload;
  if (canonical !== undefined) fixed['istio.canonical_service'] = canonical;
  if (self.version !== undefined) fixed['istio.canonical_revision'] = self.version;
  if (self.namespace !== undefined) fixed['istio.namespace'] = self.namespace;
  if (self.cluster !== undefined) fixed['istio.cluster_id'] = self.cluster;

  const nodeId = (record: StreamRecord): string =>
    options.istio?.nodeId ??
    `sidecar~${record.localAddress}~${self.workload ?? 'unknown'}.${self.namespace ?? 'unknown'}~${self.namespace ?? 'unknown'}.svc.cluster.local`;

  const add = (attributes: SpanAttributes, record: StreamRecord, url: string): void => {
    const source = parties.source(record);
    const destination = parties.destination(record);
    Object.assign(attributes, fixed, {
      node_id: nodeId(record),
      'guid:x-request-id': record.requestId,
      'http.method': cut(record.method),
      'http.url': url,
      'http.protocol': record.protocol,
      user_agent: cut(record.requestHeader('user-agent') ?? '-'),
      request_size: String(record.bytesReceived),
      'istio.source_workload': source.workload,
      'istio.source_namespace': source.namespace,
      'istio.source_canonical_service': source.workload,
      'istio.destination_workload': destination.workload,
      'istio.destination_namespace': destination.namespace,
      'istio.destination_canonical_service': destination.service,
    });
  };

  return {
    addToServer(attributes, record, url) {
      add(attributes, record, url);
      attributes['http.status_code'] = String(record.status);
      attributes['response_size'] = String(record.bytesSent);
      attributes['response_flags'] = record.flags.length === 0 ? '-' : record.flags.join(',');
      attributes['peer.address'] = isInternalName(record.remoteAddress)
        ? record.remoteAddress
        : hostPort(record.remoteAddress, record.remotePort);
      if (record.cluster !== '') attributes['upstream_cluster'] = record.cluster;
    },
    addToClient(attributes, record, attempt, url) {
      add(attributes, record, url);
      attributes['http.status_code'] = String(attempt.status);
      attributes['upstream_cluster'] = attempt.cluster;
      attributes['upstream_cluster.name'] =
        (attempt.cluster === record.cluster ? record.clusterStatName : undefined) ?? attempt.cluster;
      // The flags say how the stream ended, so they belong to its last attempt.
      const last = attempt === record.attempts[record.attempts.length - 1];
      attributes['response_flags'] = last && record.flags.length > 0 ? record.flags.join(',') : '-';
      if (last) attributes['response_size'] = String(record.bytesSent);
      if (attempt.address !== '') attributes['peer.address'] = attempt.address;
    },
  };
}
