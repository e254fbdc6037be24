// Tulle's engine as one process: bare, or with what a mesh's hop has on.
import type { HttpFilterUse } from '@tulle/filter';
import type { Cluster } from '@tulle/model';
import { authz } from '@tulle/filter-authz';
import { headers } from '@tulle/filter-headers';
import { retry } from '@tulle/filter-retry';
import { cluster, createProxy, httpListener, route } from '@tulle/proxy';
import { accessLog } from '@tulle/telemetry-access-log';
import { prometheus } from '@tulle/telemetry-prometheus';

interface Setup {
  readonly listenPort: number;
  readonly originPort: number;
  readonly mesh: boolean;
  readonly accessLogFile: string;
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: string } | null;
}

const setup = JSON.parse(process.argv[2] ?? '{}') as Setup;

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

const proxy = createProxy({
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
});
await proxy.start();
// Ends by itself, so that a CPU profile is written.
process.once('SIGTERM', () => {
  void proxy.stop().then(() => process.exit(0));
});
