import { parseWireName } from '@tulle/model';
import type { StreamRecord } from '@tulle/telemetry';

/** Who this proxy speaks for: the source of outbound streams, the destination of inbound ones. */
export interface SelfLabels {
  readonly workload?: string;
  readonly namespace?: string;
  readonly service?: string;
  readonly version?: string;
  /** Label `app` of the workload; where it is absent, its service or its own name stands. */
  readonly app?: string;
  /** Its SPIFFE id. */
  readonly principal?: string;
  /** The cluster that it runs in. */
  readonly cluster?: string;
}

/** What stands where nobody knows, as in Istio's metrics. */
const UNKNOWN = 'unknown';

/** The caller, as labels. */
export interface Source {
  readonly workload: string;
  readonly namespace: string;
}

/** The called, as labels. */
export interface Destination extends Source {
  readonly service: string;
  readonly version: string;
}

/** Finds the two ends of a stream; interned, so that the same end is the same object. */
export interface Parties {
  source(record: StreamRecord): Source;
  destination(record: StreamRecord): Destination;
}

/** Ends remembered at most, each way; past it they are made afresh (the series cap bounds what is kept of them). */
const MAX_INTERNED = 10_000;

/** @param self labels of this proxy's own workload */
export function createParties(self: SelfLabels): Parties {
  const selfSource: Source = { workload: self.workload ?? UNKNOWN, namespace: self.namespace ?? UNKNOWN };
  const sources = new Map<string, Source>();
  const nobody: Source = { workload: UNKNOWN, namespace: UNKNOWN };
  const destinations = new Map<string, Destination>();
  // Endpoint labels are frozen and shared, so their identity finds the destination without reading them.
  let byLabels = new WeakMap<object, Map<string, Destination>>();

  const intern = (destination: Destination): Destination => {
    const key = `${destination.service}\n${destination.workload}\n${destination.namespace}\n${destination.version}`;
    const known = destinations.get(key);
    if (known !== undefined) return known;
    if (destinations.size >= MAX_INTERNED) {
      destinations.clear();
      byLabels = new WeakMap();
    }
    destinations.set(key, destination);
    return destination;
  };

  const makeDestination = (record: StreamRecord): Destination => {
    const labels = record.upstreamLabels;
    const wire = parseWireName(record.cluster);
    const own = record.direction === 'inbound' ? self : {};
    // `<service>.<namespace>.svc.<domain>`: names that a control plane gave; anything else is a service by itself.
    const host = wire?.host ?? record.cluster;
    const parts = host.split('.');
    const kube = parts.length > 2 && parts[2] === 'svc';
    return intern({
      service: labels['service'] ?? own.service ?? (host === '' ? UNKNOWN : kube ? (parts[0] ?? host) : host),
      workload: labels['workload'] ?? own.workload ?? UNKNOWN,
      namespace: labels['namespace'] ?? own.namespace ?? (kube ? (parts[1] ?? UNKNOWN) : UNKNOWN),
      version: labels['version'] ?? own.version ?? UNKNOWN,
    });
  };

  return {
    source(record) {
      const id = record.peerIdentity;
      if (id === undefined) return record.direction === 'outbound' ? selfSource : nobody;
      const known = sources.get(id);
      if (known !== undefined) return known;
      if (sources.size >= MAX_INTERNED) sources.clear();
      const made = sourceOf(id);
      sources.set(id, made);
      return made;
    },
    destination(record) {
      let byCluster = byLabels.get(record.upstreamLabels);
      if (byCluster === undefined)
        byLabels.set(record.upstreamLabels, (byCluster = new Map<string, Destination>()));
      // Direction is part of it: the same labels mean "self" only on the inbound side.
      const key = record.direction === 'inbound' ? `i${record.cluster}` : record.cluster;
      let destination = byCluster.get(key);
      if (destination === undefined) {
        destination = makeDestination(record);
        if (byCluster.size >= MAX_INTERNED) byCluster.clear();
        byCluster.set(key, destination);
      }
      return destination;
    },
  };
}

/** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`; another id is shown whole as the workload. */
function sourceOf(spiffeId: string): Source {
  const match = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(spiffeId);
  return match === null
    ? { workload: spiffeId, namespace: UNKNOWN }
    : { workload: match[2] as string, namespace: match[1] as string };
}
