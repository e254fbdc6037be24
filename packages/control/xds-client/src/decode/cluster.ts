import type { Cluster as ModelCluster, ClusterDiscovery, UpstreamTls } from '@tulle/model';
import type { Cluster } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { TLS_DISABLED, TLS_MODE } from '../wire.ts';
import { decodeBalancing } from './balance.ts';
import { decodeLimits } from './circuit-breakers.ts';
import type { DecodeContext } from './context.ts';
import { decodeDiscovery } from './discovery.ts';
import { readExtras, readTexts } from './extras.ts';
import { decodeHealthCheck } from './health-check.ts';
import { decodeOutlier } from './outlier.ts';
import { decodePool } from './pool.ts';
import { decodeUpstreamTls } from './tls.ts';
import { METADATA_PATH, milliseconds, present } from './values.ts';

export function decodeCluster(context: DecodeContext, cluster: Cluster): ModelCluster {
  const extras = readExtras(context, cluster.metadata, '');
  const discovery = decodeDiscovery(context, cluster, extras);
  const decoded: ModelCluster = present({
    name: cluster.name,
    discovery,
    ...decodeBalancing(context, cluster),
    ...(extras.flag('failOnPanic') === true && { failOnPanic: true }),
    connectTimeoutMs: milliseconds(cluster.connectTimeout),
    ...decodeLimits(context, cluster, extras),
    healthCheck: decodeHealthCheck(context, cluster.healthChecks),
    outlier: decodeOutlier(context, cluster.outlierDetection, extras),
    tls: decodeTls(context, cluster, discovery),
    pool: decodePool(context, cluster, extras),
    labels: readTexts(context, extras.object('labels'), `${METADATA_PATH}.labels`),
  });
  extras.end();
  return decoded;
}

function named(given: UpstreamTls): UpstreamTls {
  const { verifyName: _, ...tls } = given;
  return tls;
}

/** One TLS context, and at most the way to switch it off for single endpoints. */
function decodeTls(
  context: DecodeContext,
  cluster: Cluster,
  { kind }: ClusterDiscovery,
): UpstreamTls | undefined {
  const given = decodeUpstreamTls(context, cluster.transportSocket, 'transport_socket');
  // Envoy has a forward proxy look at the name of the host that was asked for, whatever else it is told.
  const tls = kind === 'forward-proxy' && given?.verifyName === false ? named(given) : given;
  for (const [index, { match, transportSocket }] of cluster.transportSocketMatches.entries()) {
    const path = `transport_socket_matches[${index}]`;
    const plain = decodeUpstreamTls(context, transportSocket, `${path}.transport_socket`) === undefined;
    const switchedOff =
      match !== undefined && Object.keys(match).length === 1 && match[TLS_MODE] === TLS_DISABLED;
    if (!plain || !switchedOff || index > 0)
      context.refuse(path, `must be the only one: a raw buffer for ${TLS_MODE}: ${TLS_DISABLED}`);
  }
  return tls;
}
