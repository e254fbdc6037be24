import type { NodeInfo } from '@tulle/xds-server';
import type { SidecarMetadata } from '../src/index.ts';

const FILTERS = [
  'authz',
  'retry',
  'fault',
  'headers',
  'ratelimit',
  'adaptive-concurrency',
  'admission-control',
].map((name) => `tulle.http.${name}@0.1.0`);

/** A sidecar with the standard filters, as the ADS server tells of it. */
export function nodeOf(metadata: SidecarMetadata, instance = '1', more: Partial<NodeInfo> = {}): NodeInfo {
  const { namespace = 'default', workload, serviceAccount = workload } = metadata;
  const identity = `spiffe://mesh.local/ns/${namespace}/sa/${serviceAccount}`;
  return {
    id: `${identity}~${instance}`,
    cluster: workload,
    metadata: metadata as unknown as Record<string, unknown>,
    identity,
    userAgent: 'tulle',
    extensions: FILTERS,
    ...more,
  };
}
