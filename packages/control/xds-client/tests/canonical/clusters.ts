import type {
  Http2Options,
  PoolOptions,
  Cluster,
  DownstreamTls,
  Endpoint,
  EndpointSet,
  UpstreamTls,
} from '@tulle/model';
import { without } from './values.ts';

function endpoints(list: readonly Endpoint[]): Endpoint[] {
  const canonical = list.map((one) => without(one, { priority: 0, labels: {} }));
  const group = ({ priority, locality, localityWeight }: Endpoint): string =>
    JSON.stringify([priority, localityWeight, locality?.region, locality?.zone, locality?.subZone]);
  const order = [...new Set(canonical.map(group))];
  return canonical.toSorted((a, b) => order.indexOf(group(a)) - order.indexOf(group(b)));
}

export function canonicalEndpointSet(set: EndpointSet): EndpointSet {
  return { ...set, endpoints: endpoints(set.endpoints) };
}

export function tls<T extends UpstreamTls | DownstreamTls>(value: T): T {
  const { clientCertificate, trust } = value as DownstreamTls;
  const isDownstream = !('serverName' in value) && 'certificate' in value;
  const asked = clientCertificate ?? (trust ? 'require' : 'none');
  const changed =
    isDownstream && clientCertificate !== undefined
      ? {
          ...value,
          trust: asked === 'none' ? undefined : trust,
          clientCertificate:
            (trust && asked === 'require') || asked === 'none' || (!trust && asked === 'accept')
              ? undefined
              : asked,
        }
      : value;
  return without<T>(changed, {
    alpn: [],
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    sessionResumption: true,
    requireServerName: false,
    sessionTickets: true,
  });
}

/** Of HTTP/2 nothing is said where it is not spoken. */
function pool({ http2, ...others }: PoolOptions): PoolOptions {
  const speaks = others.protocol !== undefined && others.protocol !== 'http1';
  return without<PoolOptions>(
    { ...others, ...(speaks && http2 && { http2: canonicalHttp2(http2) }) },
    { protocol: 'http1', http2: {} },
  );
}

export function canonicalHttp2(options: Http2Options): Http2Options {
  return without({
    ...options,
    keepalive: options.keepalive && without(options.keepalive, { timeoutMs: 5_000 }),
  } as Http2Options);
}

/** A forward proxy looks at the name in any case. */
function endpointTls(value: UpstreamTls, { kind }: Cluster['discovery']): UpstreamTls {
  if (kind !== 'forward-proxy') return tls(value);
  const { verifyName: _, ...rest } = value; // there the name is looked at whatever is said
  return tls(rest);
}

export function canonicalCluster(cluster: Cluster): Cluster {
  const { discovery } = cluster;
  return without(
    {
      ...cluster,
      discovery:
        'endpoints' in discovery
          ? without({ ...discovery, endpoints: endpoints(discovery.endpoints) }, { respectTtl: false })
          : without(discovery),
      tls: cluster.tls && endpointTls(cluster.tls, discovery),
      tlsMatches: cluster.tlsMatches?.map((match) =>
        without({ ...match, ...(match.tls && { tls: endpointTls(match.tls, discovery) }) }),
      ),
      hashPolicy: cluster.hashPolicy?.map((policy) => without(policy, { terminal: false })),
      // These kinds choose endpoints themselves.
      ...(['aggregate', 'forward-proxy', 'original-dst'].includes(discovery.kind) && {
        balance: undefined,
        hostOverride: undefined,
        zoneRouting: undefined,
        subsets: undefined,
      }),
      pool: cluster.pool && pool(cluster.pool),
    } as Cluster,
    { labels: {}, localityWeighted: false, failOnPanic: false, limits: {}, pool: {} },
  );
}
