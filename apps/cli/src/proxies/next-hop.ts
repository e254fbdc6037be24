import type { RunningProxy } from '@tulle/sidecar';
import { formatAddress, type Endpoint, type ProxyConfig } from '@tulle/model';
import type { ApiClient } from '../api/api-client.ts';
import type { ProxyExplanation } from './explanations.ts';

/** Where an imagined request goes on from a proxy. */
export interface Hop {
  /** A proxy of this machine that takes it. */
  readonly proxy: RunningProxy;
  /** Port that it comes to. */
  readonly port: number | undefined;
  /** `HOST:PORT` that the tunnel names which leads there; `undefined`: it comes over a connection of its own. */
  readonly tunnel: string | undefined;
}

/** What the endpoints say that a walk ended at: the first that may be asked and whose proxy runs here. */
export async function nextHop(
  client: ApiClient,
  { explanation }: ProxyExplanation,
  others: readonly RunningProxy[],
): Promise<Hop | undefined> {
  const reached = explanation.reasons.find(
    ({ site, outcome }) => site === 'cluster' && outcome === 'would forward',
  );
  if (reached === undefined) return undefined;
  const usable = new Set(
    (reached.children ?? [])
      .filter(({ site, outcome }) => site === 'endpoint' && outcome !== 'ejected')
      .map(({ subject }) => subject),
  );
  const config = await client.must<ProxyConfig>('GET', '/config_dump');
  for (const endpoint of endpointsOf(config, reached.subject)) {
    const { address, health = 'healthy' } = endpoint;
    if (!usable.has(formatAddress(address)) || health === 'unhealthy') continue;
    const proxy = others.find((one) => isOf(endpoint, one));
    if (proxy === undefined) continue;
    const port = 'port' in address ? address.port : undefined;
    return {
      proxy,
      port,
      tunnel: endpoint.mode === 'hbone' ? (endpoint.tunnel?.authority ?? formatAddress(address)) : undefined,
    };
  }
  return undefined;
}

function endpointsOf({ clusters, endpoints }: ProxyConfig, name: string): readonly Endpoint[] {
  const discovery = clusters.find((one) => one.name === name)?.discovery;
  if (discovery?.kind === 'static') return discovery.endpoints;
  const set = discovery?.kind === 'eds' ? (discovery.serviceName ?? name) : name;
  return endpoints.find((one) => one.name === set)?.endpoints ?? [];
}

/** Whether a proxy takes what is sent to an endpoint: it listens there, or made the Workload that the endpoint is. */
function isOf(
  { address, identity, labels }: Endpoint,
  { inbound, instance, spiffeId }: RunningProxy,
): boolean {
  if (formatAddress(address) === formatAddress(inbound)) return true;
  // The name of a Workload ends with the instance, as far as a name of a resource can.
  const suffix = instance
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
  const workload = labels?.['workload'] ?? '';
  return identity === spiffeId && [`.${suffix}`, `-${suffix}`].some((end) => workload.endsWith(end));
}
