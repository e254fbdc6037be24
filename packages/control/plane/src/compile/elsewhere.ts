import type { Cluster } from '@tulle/model';

/** Where calls go on as they were meant that nobody of the mesh takes; in Istio's words, as {@link BLACKHOLE}, which Kiali knows. */
export const PASSTHROUGH: Cluster = { name: 'PassthroughCluster', discovery: { kind: 'original-dst' } };

/** Where what others begin goes on that came for a port which the workload does not name. */
export const INBOUND_PASSTHROUGH: Cluster = {
  name: 'InboundPassthroughCluster',
  discovery: { kind: 'original-dst' },
};

/** Where such calls end. */
export const BLACKHOLE: Cluster = {
  name: 'BlackHoleCluster',
  discovery: { kind: 'static', endpoints: [] },
};
