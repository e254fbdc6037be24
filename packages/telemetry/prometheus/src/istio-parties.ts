import { parseWireName } from '@tulle/model';
import type { SelfLabels } from '@tulle/parties';
import type { Labels, StreamRecord } from '@tulle/telemetry';

/** What stands where nobody knows. */
const UNKNOWN = 'unknown';
/** Revision of a workload without a version, as Istio names it. */
const NO_REVISION = 'latest';
/** Ends remembered at most, each way. */
const MAX_INTERNED = 10_000;

/** One end of a stream; the same end is the same object. */
export interface IstioParty {
  /** `source_workload` … or `destination_workload` …, without principal. */
  readonly labels: Labels;
}

/** Finds the two ends of a stream as Istio's labels name them. */
export interface IstioParties {
  source(record: StreamRecord): IstioParty;
  destination(record: StreamRecord): IstioParty;
}

/** @param self labels of this proxy's own workload */
export function createIstioParties(self: SelfLabels): IstioParties {
  const selfSource: IstioParty = { labels: sourceLabels(partyOf(self)) };
  const nobody: IstioParty = { labels: sourceLabels(partyOf({})) };
  const sources = new Map<string, IstioParty>();
  // Endpoint labels are frozen and shared, so their identity finds the end without reading them.
  let byLabels = new WeakMap<object, Map<string, IstioParty>>();
  const interned = new Map<string, IstioParty>();

  const destinationOf = (record: StreamRecord): IstioParty => {
    const labels = record.upstreamLabels;
    const inbound = record.direction === 'inbound';
    const wire = parseWireName(record.cluster);
    const host = wire?.host ?? (inbound ? '' : record.cluster);
    // `<service>.<namespace>.svc.<domain>`: names that a control plane gave; anything else is a host by itself.
    const parts = host.split('.');
    const kube = parts.length > 2 && parts[2] === 'svc';
    const mine: SelfLabels = inbound ? self : {};
    const service = labels['service'] ?? mine.service ?? (kube ? parts[0] : host === '' ? undefined : host);
    const namespace = labels['namespace'] ?? mine.namespace ?? (kube ? parts[1] : undefined);
    const party = partyOf({
      workload: labels['workload'] ?? mine.workload,
      namespace,
      app: labels['app'] ?? mine.app,
      service,
      version: labels['version'] ?? mine.version,
      // A service of the mesh, unless its endpoint says otherwise, is where the proxy is.
      cluster: labels['cluster'] ?? (inbound || wire !== undefined ? self.cluster : undefined),
      principal: inbound ? self.principal : record.upstreamIdentity,
    });
    const made = {
      ...destinationLabels(party),
      destination_service: host === '' ? (service ?? UNKNOWN) : host,
      destination_service_name: service ?? UNKNOWN,
      destination_service_namespace: namespace ?? UNKNOWN,
    };
    const key = JSON.stringify(made);
    const known = interned.get(key);
    if (known !== undefined) return known;
    if (interned.size >= MAX_INTERNED) {
      interned.clear();
      byLabels = new WeakMap();
    }
    const end: IstioParty = { labels: made };
    interned.set(key, end);
    return end;
  };

  return {
    source(record) {
      const id = record.peerIdentity;
      if (id === undefined) return record.direction === 'inbound' ? nobody : selfSource;
      const known = sources.get(id);
      if (known !== undefined) return known;
      if (sources.size >= MAX_INTERNED) sources.clear();
      const made: IstioParty = { labels: sourceLabels(peerOf(id, self)) };
      sources.set(id, made);
      return made;
    },
    destination(record) {
      let byEnd = byLabels.get(record.upstreamLabels);
      if (byEnd === undefined) byLabels.set(record.upstreamLabels, (byEnd = new Map<string, IstioParty>()));
      // The proven identity belongs to it: two endpoints with equal labels need not be the same account.
      const key = `${record.direction} ${record.upstreamIdentity ?? ''} ${record.cluster}`;
      const known = byEnd.get(key);
      if (known !== undefined) return known;
      const made = destinationOf(record);
      // `destinationOf` may have begun anew; then this map is of the old ones and goes with them.
      if (byEnd.size >= MAX_INTERNED) byEnd.clear();
      byEnd.set(key, made);
      return made;
    },
  };
}

type Party = ReturnType<typeof partyOf>;

function partyOf(known: {
  readonly workload?: string | undefined;
  readonly namespace?: string | undefined;
  readonly app?: string | undefined;
  readonly service?: string | undefined;
  readonly version?: string | undefined;
  readonly cluster?: string | undefined;
  readonly principal?: string | undefined;
}) {
  const canonical = known.app ?? known.service ?? known.workload;
  return {
    workload: known.workload ?? UNKNOWN,
    namespace: known.namespace ?? UNKNOWN,
    app: known.app ?? canonical ?? UNKNOWN,
    version: known.version ?? UNKNOWN,
    cluster: known.cluster ?? UNKNOWN,
    principal: known.principal ?? UNKNOWN,
    canonicalService: canonical ?? UNKNOWN,
    canonicalRevision: known.version ?? (canonical === undefined ? UNKNOWN : NO_REVISION),
  };
}

/**
 * A caller, of whom only the SPIFFE id is known: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. A mesh has
 * one trust domain and one cluster, so whoever is of this proxy's domain is where it is.
 */
function peerOf(spiffeId: string, self: SelfLabels): Party {
  const [, domain, namespace, workload] =
    /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(spiffeId) ?? [];
  if (domain === undefined) return partyOf({ principal: spiffeId });
  const ours = self.principal?.startsWith(`spiffe://${domain}/`) === true;
  return partyOf({ namespace, workload, principal: spiffeId, cluster: ours ? self.cluster : undefined });
}

const sourceLabels = (of: Party): Labels => ({
  source_workload: of.workload,
  source_workload_namespace: of.namespace,
  source_principal: of.principal,
  source_app: of.app,
  source_version: of.version,
  source_cluster: of.cluster,
  source_canonical_service: of.canonicalService,
  source_canonical_revision: of.canonicalRevision,
});

const destinationLabels = (of: Party): Labels => ({
  destination_workload: of.workload,
  destination_workload_namespace: of.namespace,
  destination_principal: of.principal,
  destination_app: of.app,
  destination_version: of.version,
  destination_cluster: of.cluster,
  destination_canonical_service: of.canonicalService,
  destination_canonical_revision: of.canonicalRevision,
});
