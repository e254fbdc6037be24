import type { NodeInfo } from '@tulle/xds-server';
import type { SidecarMetadata } from '../src/index.ts';

/** What the ADS service knows of a sidecar that joins as `account` and says `more` of itself. */
export function joiningNode(
  account: string,
  more: Partial<SidecarMetadata> = {},
  instance = `${account}-1`,
): NodeInfo {
  const identity = `spiffe://mesh.local/ns/default/sa/${account}`;
  const metadata: SidecarMetadata = {
    workload: account,
    labels: { app: account },
    ports: [7001],
    inbound: { address: '127.0.0.1', port: 7002 },
    instance,
    ...more,
  };
  return {
    id: `${identity}~${instance}`,
    cluster: metadata.workload,
    metadata: metadata as unknown as Record<string, unknown>,
    identity,
    userAgent: 'tulle',
    extensions: [],
  };
}
