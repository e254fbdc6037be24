import { localIdentity, type Ca, type LocalIdentity } from '@tulle/ca';
import { authz } from '@tulle/filter-authz';
import { fault } from '@tulle/filter-fault';
import { rateLimit } from '@tulle/filter-ratelimit';
import { retry } from '@tulle/filter-retry';
import type { AuthzPolicy, Cluster, Endpoint, ForwardAction, Route, WeightedCluster } from '@tulle/model';
import { createProxy, httpListener, route, type Proxy } from '@tulle/proxy';
import { prometheus, type PrometheusPlugin } from '@tulle/telemetry-prometheus';
import { parseMetrics, type Sample } from './metrics.ts';

/** The demo's trust domain. */
export const trustDomain = 'shop.demo';

/** SPIFFE id of a service of the demo. */
export const spiffeId = (service: string): string => `spiffe://${trustDomain}/ns/default/sa/${service}`;

/** A proxy beside one service. */
export interface Sidecar {
  readonly service: string;
  readonly proxy: Proxy;
  readonly identity: LocalIdentity;
  /** Port of a listener. */
  port(listener: string): number;
  metrics(): Sample[];
  stop(): Promise<void>;
}

/** What a sidecar is made of. */
export interface SidecarOptions {
  readonly ca: Ca;
  readonly service: string;
  /** The service itself, on loopback; absent: this side only calls. */
  readonly appPort?: number;
  readonly policies?: readonly AuthzPolicy[];
  readonly outbound?: readonly Outbound[];
}

/** One service that is called. */
export interface Outbound {
  readonly service: string;
  readonly clusters: readonly Cluster[];
  readonly split: readonly WeightedCluster[];
  readonly forward?: Omit<ForwardAction, 'kind' | 'clusters'>;
  readonly routes?: readonly Route[];
}

/** Starts a proxy with an own identity: mutual TLS in front of the service, mutual TLS towards those it calls. */
export async function startSidecar({
  ca,
  service,
  appPort,
  policies = [],
  outbound = [],
}: SidecarOptions): Promise<Sidecar> {
  const identity = localIdentity(ca, { spiffeId: spiffeId(service) });
  await identity.ready();
  const metrics: PrometheusPlugin = prometheus({ processMetrics: false });
  const inbound =
    appPort === undefined
      ? []
      : [
          httpListener({
            name: 'inbound',
            port: 0,
            direction: 'inbound',
            tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' }, clientCertificate: 'require' },
            filters: [authz({ policies })],
            routes: [route('/', 'app', { name: 'app' })],
          }),
        ];
  const proxy = createProxy({
    identity,
    telemetry: [metrics],
    registry: [fault, rateLimit],
    log: silent,
    listeners: [
      ...inbound,
      ...outbound.map((to) =>
        httpListener({
          name: `to-${to.service}`,
          port: 0,
          direction: 'outbound',
          identityHeaders: 'keep',
          filters: [
            rateLimit({ limits: [] }),
            fault({}),
            retry({ retries: 2, on: ['connect-failure', 'reset', 'gateway-error'] }),
          ],
          routes: [...(to.routes ?? []), route('/', to.split, { name: to.service, ...to.forward })],
        }),
      ),
    ],
    clusters: [
      ...(appPort === undefined
        ? []
        : [
            {
              name: 'app',
              discovery: {
                kind: 'static' as const,
                endpoints: [{ address: { host: '127.0.0.1', port: appPort } }],
              },
            },
          ]),
      ...outbound.flatMap((to) => to.clusters),
    ],
  });
  await proxy.start();
  return {
    service,
    proxy,
    identity,
    port: (listener) => (proxy.addresses()[listener] as { port: number }).port,
    metrics: () =>
      parseMetrics(
        [
          ...(metrics.adminPages
            .find((page) => page.path === '/stats/prometheus')
            ?.render(new URLSearchParams()) ?? []),
        ].join(''),
      ),
    stop: async () => {
      await proxy.stop();
      identity.close();
    },
  };
}

/** Refusals are expected in the scenes, and read from the metrics. */
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** A cluster of the mesh: mutual TLS, each endpoint proving the service's id. */
export function meshCluster(
  name: string,
  service: string,
  ports: readonly number[],
  version: string,
  options: Omit<Cluster, 'name' | 'discovery'> = {},
): Cluster {
  const endpoints: Endpoint[] = ports.map((port) => ({
    address: { host: '127.0.0.1', port },
    identity: spiffeId(service),
    mode: 'sidecar',
    labels: { service, version },
  }));
  return {
    outlier: { consecutiveFailures: 3, intervalMs: 1000, baseEjectionMs: 30_000, maxEjectionPercent: 50 },
    connectTimeoutMs: 1000,
    ...options,
    name,
    discovery: { kind: 'static', endpoints },
    tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' } },
  };
}

/** Gives the listener `to-<service>` other routes or clusters: the whole configuration changes at once, or not at all. */
export async function reroute(
  sidecar: Sidecar,
  service: string,
  change: { readonly routes?: readonly Route[]; readonly clusters?: readonly Cluster[] },
): Promise<void> {
  const { config } = sidecar.proxy;
  const changed = new Map((change.clusters ?? []).map((cluster) => [cluster.name, cluster]));
  await sidecar.proxy.update({
    ...config,
    version: `${Number.parseInt(config.version, 10) + 1 || 1}`,
    clusters: [...config.clusters.filter((cluster) => !changed.has(cluster.name)), ...changed.values()],
    listeners: config.listeners.map((listener) =>
      listener.name !== `to-${service}` || change.routes === undefined
        ? listener
        : {
            ...listener,
            filterChains: listener.filterChains.map((chain) =>
              chain.handler.kind !== 'http'
                ? chain
                : {
                    ...chain,
                    handler: {
                      ...chain.handler,
                      routes: {
                        name: listener.name,
                        virtualHosts: [{ name: 'all', domains: ['*'], routes: change.routes ?? [] }],
                      },
                    },
                  },
            ),
          },
    ),
  });
}
