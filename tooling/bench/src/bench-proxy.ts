// What the benchmark measures: a proxy that is bare, or has what a mesh's hop has on.
import type { HttpFilterUse } from '@tulle/filter';
import type { Cluster } from '@tulle/model';
import { authz } from '@tulle/filter-authz';
import { headers } from '@tulle/filter-headers';
import { retry } from '@tulle/filter-retry';
import { cluster, createProxy, httpListener, route, type Proxy, type ProxyOptions } from '@tulle/proxy';
import { accessLog } from '@tulle/telemetry-access-log';
import { otlp } from '@tulle/telemetry-otlp';
import { prometheus } from '@tulle/telemetry-prometheus';
import type { TelemetryPlugin } from '@tulle/telemetry';

/** What a measured Tulle is told. */
export interface BenchSetup {
  readonly listenPort: number;
  readonly originPort: number;
  readonly mesh: boolean;
  /** What is observed; not given: with the mesh set metrics and access log, else nothing. */
  readonly observed?: Observed;
  readonly accessLogFile: string;
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: string } | null;
}

/** Telemetry that is on. */
export interface Observed {
  readonly metrics: boolean;
  readonly accessLog: boolean;
  /** Share of the requests that are traced, each deciding for itself; null: no traces. */
  readonly traceRatio: number | null;
  /** Port of the collector of the traces. */
  readonly collectorPort: number;
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
    telemetry: telemetryOf(setup),
    ...more,
  });
}

function telemetryOf(setup: BenchSetup): TelemetryPlugin[] {
  const on: Omit<Observed, 'collectorPort'> = setup.observed ?? {
    metrics: setup.mesh,
    accessLog: setup.mesh,
    traceRatio: null,
  };
  return [
    ...(on.metrics ? [prometheus()] : []),
    ...(on.accessLog ? [accessLog({ to: { file: setup.accessLogFile } })] : []),
    ...(on.traceRatio === null
      ? []
      : [
          otlp({
            endpoint: `http://127.0.0.1:${setup.observed?.collectorPort}`,
            // What the caller decided does not count: the client of the benchmark never samples.
            traces: { sampleRatio: on.traceRatio, respectParent: false },
            env: {},
          }),
        ]),
  ];
}
