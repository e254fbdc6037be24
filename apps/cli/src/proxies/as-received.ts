import type { ProxyConfig } from '@tulle/model';
import { createResourceDecoder } from '@tulle/xds-client';
import { encodeResource } from '@tulle/xds-server';

type Kind = 'listener' | 'route' | 'cluster' | 'endpoint';

/**
 * A configuration as a proxy reads it: each resource written as xDS and read again, so that what that fills in (defaults) or
 * orders does not look like a difference. A resource that cannot be sent stays as it is.
 */
export function asReceived(config: ProxyConfig): ProxyConfig {
  const decoder = createResourceDecoder();
  const read = <T extends ProxyConfig[`${Kind}s`][number]>(kind: Kind, resource: T): T => {
    try {
      const decoded = decoder.decode(kind, encodeResource(kind, resource as never));
      return decoded.ok ? (decoded.resource as T) : resource;
    } catch {
      return resource;
    }
  };
  const sent: ProxyConfig = {
    ...config,
    listeners: config.listeners.map((one) => read('listener', one)),
    routes: config.routes.map((one) => read('route', one)),
    clusters: config.clusters.map((one) => read('cluster', one)),
    endpoints: config.endpoints.map((one) => read('endpoint', one)),
  };
  return JSON.parse(JSON.stringify(sent)) as ProxyConfig; // as the dump: without what is undefined
}
