// What the benchmark measures: a proxy that is bare, or has what a mesh's hop has on.
import type { ConnFilterUse, HttpFilterUse } from '@tulle/filter';
import type { CircuitLimits, Cluster } from '@tulle/model';
import { authz } from '@tulle/filter-authz';
import { headers } from '@tulle/filter-headers';
import { retry } from '@tulle/filter-retry';
import {
  cluster,
  createProxy,
  httpListener,
  route,
  type HttpListenerOptions,
  type Proxy,
  type ProxyOptions,
} from '@tulle/proxy';
import { accessLog } from '@tulle/telemetry-access-log';
import { otlp } from '@tulle/telemetry-otlp';
import { prometheus } from '@tulle/telemetry-prometheus';
import type { TelemetryPlugin } from '@tulle/telemetry';
import { ALLOWED_PREFIXES } from './subjects/subject.ts';

/** What a measured Tulle is told. */
export interface BenchSetup {
  readonly listenPort: number;
  readonly originPort: number;
  readonly mesh: boolean;
  /** What is observed; not given: with the mesh set metrics and access log, else nothing. */
  readonly observed?: Observed;
  readonly accessLogFile: string;
  /** Towards the origin. */
  readonly tls: TlsFiles | null;
  /** Towards callers, whose certificates are required. Default: none. */
  readonly downstreamTls?: TlsFiles | null;
  /** Whether the origin is asked in HTTP/2. Callers choose for themselves. Default false. */
  readonly http2?: boolean;
  /** 0: none. Default 15,000. */
  readonly requestTimeoutMs?: number;
  /** Bounds of the clusters; default the engine's. */
  readonly limits?: CircuitLimits;
  /** Filters beside those of the mesh set. Not from a command line. */
  readonly filters?: {
    readonly http?: readonly HttpFilterUse[];
    readonly connection?: readonly ConnFilterUse[];
  };
  /** Routes by path or host, each with its cluster. Default: one route to one cluster. */
  readonly many?: readonly { readonly path?: string; readonly host?: string; readonly cluster: string }[];
}

interface TlsFiles {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
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
          {
            to: {
              methods: ['GET', 'POST', 'PUT', 'DELETE'],
              paths: ALLOWED_PREFIXES.map((prefix) => `${prefix}*`),
            },
          },
        ],
      },
    ],
  }),
  headers({ request: { set: [{ name: 'x-mesh-hop', value: 'bench' }] } }),
  retry({}),
];

/** Makes the proxy; `more` is what an experiment adds, such as another transport. */
export function benchProxy(setup: BenchSetup, more: Partial<ProxyOptions> = {}): Proxy {
  const { downstreamTls: downstream, mesh, many = [] } = setup;
  const names = [...new Set(many.map((one) => one.cluster))];
  return createProxy({
    listeners: [
      httpListener({
        port: setup.listenPort,
        routes: routesOf(setup),
        filters: [...(mesh ? meshFilters : []), ...(setup.filters?.http ?? [])],
        connectionFilters: setup.filters?.connection ?? [],
        ...(downstream == null
          ? {}
          : {
              tls: {
                certificate: { kind: 'files', certificateFile: downstream.cert, keyFile: downstream.key },
                trust: { kind: 'files', caFile: downstream.ca },
              },
            }),
      }),
    ],
    clusters: (names.length === 0 ? ['origin'] : names).map((name) =>
      cluster(name, [`127.0.0.1:${setup.originPort}`], clusterOptions(setup)),
    ),
    telemetry: telemetryOf(setup),
    ...more,
  });
}

function routesOf({ mesh, requestTimeoutMs = 15_000, many = [] }: BenchSetup): HttpListenerOptions['routes'] {
  const forward = { requestTimeoutMs, ...(mesh ? { perTryTimeoutMs: 10_000 } : {}) };
  if (many.length === 0) return [route('/', 'origin', forward)];
  const byPath = many.filter(({ path }) => path !== undefined);
  if (byPath.length > 0) return byPath.map((one) => route(one.path as string, one.cluster, forward));
  return {
    virtualHosts: many.map((one) => ({
      name: one.cluster,
      domains: [one.host as string],
      routes: [route('/', one.cluster, { ...forward, name: one.cluster })],
    })),
  };
}

function clusterOptions({ tls, mesh, limits, http2 = false }: BenchSetup): Partial<Cluster> {
  return {
    ...(tls === null
      ? {}
      : {
          tls: {
            certificate: { kind: 'files', certificateFile: tls.cert, keyFile: tls.key },
            trust: { kind: 'files', caFile: tls.ca },
            serverName: 'origin.bench',
          },
        }),
    ...(http2 ? { pool: { protocol: 'http2' as const } } : {}),
    ...(mesh ? { outlier: {} } : {}),
    ...(limits === undefined ? {} : { limits }),
  };
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
