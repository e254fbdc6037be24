import type { HttpFilterUse } from '@tulle/filter';
import type { FilterConfigs, Route } from '@tulle/model';
import { testProxy, type TestProxy, type Upstream } from '@tulle/testkit';

/** A route by path prefix to the cluster `service`. */
export function route(prefix: string, filterConfigs?: FilterConfigs): Route {
  return {
    name: prefix,
    match: { path: { kind: 'prefix', value: prefix } },
    action: { kind: 'forward', clusters: [{ name: 'service' }] },
    ...(filterConfigs === undefined ? {} : { filterConfigs }),
  };
}

/** A proxy with one listener, the filters in its chain, and one cluster for each upstream; `service` answers `ok`. */
export async function proxyWith(
  filters: readonly HttpFilterUse[],
  upstreams: Readonly<Record<string, Upstream['answer']>> = {},
  clusters: Readonly<Record<string, string>> = {},
): Promise<TestProxy> {
  return testProxy({
    listeners: [
      {
        name: 'test',
        address: { host: '127.0.0.1', port: 8080 },
        filterChains: [
          {
            name: 'http',
            handler: {
              kind: 'http',
              filters,
              routes: { name: 'all', virtualHosts: [{ name: 'all', domains: ['*'], routes: [route('/')] }] },
            },
          },
        ],
      },
    ],
    clusters: Object.entries({ service: '10.0.0.1:80', ...clusters }).map(([name, address]) => ({
      name,
      discovery: {
        kind: 'static' as const,
        endpoints: [{ address: { host: address.split(':')[0] ?? '', port: Number(address.split(':')[1]) } }],
      },
    })),
    upstreams: { '10.0.0.1:80': () => ({ body: 'ok' }), ...upstreams },
  });
}
