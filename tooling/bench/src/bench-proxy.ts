// What the benchmark measures: a proxy that is bare, or has what a mesh's hop has on.
import type { HttpFilterUse } from '@tulle/filter';
import type { Cluster } from '@tulle/model';
import { authz } from '@tulle/filter-authz';
import { headers } from '@tulle/filter-headers';
import { retry } from '@tulle/filter-retry';
import { cluster, createProxy, httpListener, route, type Proxy, type ProxyOptions } from '@tulle/proxy';
import { accessLog } from '@tulle/telemetry-access-log';
import { prometheus } from '@tulle/telemetry-prometheus';

/** What a measured Tulle is told. */
export interface BenchSetup {
  readonly listenPort: number;
  readonly originPort: number;
  readonly mesh: boolean;
  readonly accessLogFile: string;
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: string } | null;
}

/** The same checks that the other subjects' mesh variants make. */
const meshFilters: readonly HttpFilterUse[] = [
  authz({
    policies: [
      {
        name: 'bench/no-forbidden',
        action: 'DENY',
        rules: [{ to: { headers: [{ name: 'x-forbidden', match: { kind: 'present' } }] } }],
      },
      {
        name: 'bench/shop',
        action: 'ALLOW',
        rules: [
          { to: { methods: ['GET', 'POST', 'PUT', 'DELETE'], paths: ['/items*', '/orders*', '/reviews*'] } },
        ],
      },
    ],
  }),
  headers({ request: { set: [{ name: 'x-mesh-hop', value: 'bench' }] } }),
  retry({}),
];

/** Makes the proxy; `more` is what an experiment adds, such as another transport. */
export function benchProxy(setup: BenchSetup, more: Partial<ProxyOptions> = {}): Proxy {
  const options: Partial<Cluster> = {
    ...(setup.tls === null
      ? {}
      : {
          tls: {
            certificate: { kind: 'files', certificateFile: setup.tls.cert, keyFile: setup.tls.key },
            trust: { kind: 'files', caFile: setup.tls.ca },
            serverName: 'origin.bench',
          },
        }),
    ...(setup.mesh ? { outlier: {} } : {}),
  };

  return createProxy({
    listeners: [
      httpListener({
        port: setup.listenPort,
        routes: [
          route('/', 'origin', {
            requestTimeoutMs: 15_000,
            ...(setup.mesh ? { perTryTimeoutMs: 10_000 } : {}),
          }),
        ],
        filters: setup.mesh ? meshFilters : [],
      }),
    ],
    clusters: [cluster('origin', [`127.0.0.1:${setup.originPort}`], options)],
    telemetry: setup.mesh ? [prometheus(), accessLog({ to: { file: setup.accessLogFile } })] : [],
    ...more,
  });
}
