import type { Cluster as ModelCluster, ClusterDiscovery, TlsMatch, UpstreamTls } from '@tulle/model';
import type { Cluster } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import type { TransportSocket } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { TLS_DISABLED, TLS_MODE } from '../wire.ts';
import { decodeBalancing } from './balance.ts';
import { decodeLimits } from './circuit-breakers.ts';
import { checkClusterFilters } from './cluster-filters.ts';
import type { DecodeContext } from './context.ts';
import { decodeDiscovery } from './discovery.ts';
import { readExtras, readTexts } from './extras.ts';
import { decodeHealthChecks } from './health-check.ts';
import { decodeOutlier } from './outlier.ts';
import { decodeLabels } from './labels.ts';
import { decodePool } from './pool.ts';
import { decodeUpstreamTransport, type UpstreamTransport } from './tls.ts';
import { filled, METADATA_PATH, milliseconds, present } from './values.ts';

export function decodeCluster(context: DecodeContext, cluster: Cluster): ModelCluster {
  const extras = readExtras(context, cluster.metadata, '');
  const { pool, serverNames, policies } = decodePool(context, cluster, extras);
  const discovery = decodeDiscovery(context, cluster, extras);
  checkClusterFilters(context, cluster);
  if (cluster.lrsServer && cluster.lrsServer.configSourceSpecifier.case !== 'self')
    context.refuse('lrs_server', 'must be self');
  const decoded: ModelCluster = present({
    name: cluster.name,
    statName: cluster.altStatName || undefined,
    discovery,
    ...policies,
    // What a policy says of hashes wins over what is said for HTTP.
    ...decodeBalancing(context, cluster),
    ...(extras.flag('failOnPanic') === true && { failOnPanic: true }),
    connectTimeoutMs: milliseconds(cluster.connectTimeout),
    ...decodeLimits(context, cluster, extras),
    ...decodeHealthChecks(context, cluster.healthChecks),
    outlier: decodeOutlier(context, cluster.outlierDetection, extras),
    ...decodeTls(context, cluster, discovery, serverNames),
    pool,
    serverNameFrom: serverNames,
    labels: readTexts(context, extras.object('labels'), `${METADATA_PATH}.labels`),
  });
  extras.end();
  return decoded;
}

function named(given: UpstreamTls): UpstreamTls {
  const { verifyName: _, ...tls } = given;
  const others = tls.allowedIds ?? tls.subjectAltNames ?? tls.certificateHashes ?? tls.publicKeyHashes;
  // Beside other expectations it has to be said; alone it is what happens.
  return others === undefined || tls.trust.kind === 'none' || tls.trust.kind === 'mesh'
    ? tls
    : { ...tls, verifyName: true };
}

/** Of every kind of endpoint. One match is Tulle's own, which switches TLS off for single endpoints (`Endpoint.mode`). */
function decodeTls(
  context: DecodeContext,
  cluster: Cluster,
  { kind }: ClusterDiscovery,
  names: ModelCluster['serverNameFrom'],
): {
  readonly [K in 'tls' | 'tlsMatches' | 'proxyProtocol' | 'proxyHeader' | 'passthrough']?:
    | ModelCluster[K]
    | undefined;
} {
  const decode = (socket: TransportSocket | undefined, path: string): UpstreamTransport => {
    const asked = names !== undefined || kind === 'forward-proxy';
    const { tls, proxyProtocol, proxyHeader, passthrough } = decodeUpstreamTransport(
      context,
      socket,
      path,
      asked,
      cluster.metadata,
    );
    // Envoy has a forward proxy look at the name of the host that was asked for, whatever else it is told.
    const given = kind === 'forward-proxy' && tls !== undefined ? named(tls) : tls;
    const trust = given?.trust.kind;
    if (names?.verified === true && (trust === 'mesh' || trust === 'none'))
      context.refuse(
        path,
        "must name roots that are not the mesh's beside auto_san_validation, which looks at a name",
      );
    return { tls: given, passthrough, ...present({ proxyProtocol, proxyHeader }) };
  };
  // A health check may say by labels that it wants that match, which no endpoint needs.
  const said = cluster.healthChecks.some(
    ({ transportSocketMatchCriteria: labels }) => labels?.[TLS_MODE] === TLS_DISABLED,
  );
  const matches: TlsMatch[] = [];
  for (const [index, { name, match = {}, transportSocket }] of cluster.transportSocketMatches.entries()) {
    const path = `transport_socket_matches[${index}]`;
    const transport = decode(transportSocket, `${path}.transport_socket`);
    const isPlain = Object.values(transport).every((part) => part === undefined);
    const switchedOff = Object.keys(match).length === 1 && match[TLS_MODE] === TLS_DISABLED;
    if (index === 0 && isPlain && switchedOff && !said) continue;
    matches.push(
      present({ name, labels: decodeLabels(context, match, `${path}.match`) ?? {}, ...transport }),
    );
  }
  return { ...decode(cluster.transportSocket, 'transport_socket'), tlsMatches: filled(matches) };
}
