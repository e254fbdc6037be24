import type { Resource } from '@tulle/resources';

/** How large a mesh is. */
export interface MeshSize {
  readonly proxies: number;
  /** At least 3: one that all call, one that a route leads all to, and {@link SELDOM}. */
  readonly services: number;
  /** Services that each proxy calls, at least 2; the first is one that all call. */
  readonly upstreams: number;
  /** Endpoints of each Service beside the proxies that are. */
  readonly endpoints: number;
}

/** Proxies that share a service account, as replicas do. */
const REPLICAS = 20;

/**
 * A Service that the first proxy and a few others call, and that no route leads to. It has as many replicas whatever the
 * number of Services, where there are enough for all accounts.
 */
export const SELDOM = 2;

/** From one Service that a proxy calls to its next. Prime, so that it comes by all Services where their number is no multiple. */
const STRIDE = 13;

/** A proxy as it says of itself what it is. */
export interface ProxyDescription {
  readonly account: string;
  readonly instance: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Route configurations that its listeners point at. */
  readonly routes: readonly string[];
}

const meta = (name: string): { name: string; namespace: string } => ({ name, namespace: 'default' });

/** The proxies of a mesh. Each is an endpoint of one Service and calls the first one and some others. */
export function proxiesOf({ proxies, services, upstreams }: MeshSize): ProxyDescription[] {
  const stride = services % STRIDE === 0 ? 1 : STRIDE;
  return Array.from({ length: proxies }, (_, i) => {
    const called = new Set([0]);
    for (let k = 0; called.size < Math.min(upstreams, services); k++)
      called.add((SELDOM + i * 7 + k * stride) % services);
    const account = accountOf(i, services);
    return {
      account,
      instance: String(i),
      metadata: {
        workload: account,
        namespace: 'default',
        instance: String(i),
        labels: { app: account },
        ports: [{ port: 8080, inboundPort: 15_006 }],
        // Each elsewhere, or they would be one endpoint.
        inbound: { address: address(i), port: 15_006 },
        upstreams: [...called].map((s, k) => ({ service: `s${s}`, servicePort: 80, localPort: 9000 + k })),
      },
      routes: [...called].map((s) => `outbound|80||s${s}.default.svc.mesh.local`),
    };
  });
}

const address = (i: number): string => `10.${128 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;

/** Of the Service that a proxy is an endpoint of, whose name it has. */
function accountOf(proxy: number, services: number): string {
  return `s${Math.floor(proxy / REPLICAS) % services}`;
}

/** Accounts that {@link proxiesOf} names. */
export function accountsOf({ proxies, services }: MeshSize): string[] {
  return [...new Set(Array.from({ length: proxies }, (_, i) => accountOf(i, services)))];
}

/** Services with their endpoints, a route for the one that all call, and a policy for everybody. */
export function resourcesOf({ services, endpoints }: MeshSize): Resource[] {
  return [
    ...Array.from({ length: services }, (_, i) => [
      service(i),
      ...Array.from({ length: endpoints }, (_e, k) => workload(i, k, 1)),
    ]).flat(),
    route(1),
    policy(0),
  ];
}

function service(i: number): Resource {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: meta(`s${i}`),
    spec: { selector: { app: `s${i}` }, ports: [{ port: 80 }] },
  };
}

/** The k-th written endpoint of a Service. */
export function workload(i: number, k: number, weight: number): Resource {
  const at = i * 8 + k;
  return {
    apiVersion: 'tulle.dev/v1alpha1',
    kind: 'Workload',
    metadata: { ...meta(`w${i}-${k}`), labels: { app: `s${i}` } },
    spec: {
      address: `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`,
      ports: [{ port: 80 }],
      inbound: { mode: 'sidecar', port: 15_006 },
      weight,
    },
  };
}

/** Of the Service that all call. */
export function route(weight: number): Resource {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: meta('s0'),
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name: 's0' }],
      rules: [
        {
          backendRefs: [
            { name: 's0', port: 80, weight: 100 },
            { name: 's1', port: 80, weight },
          ],
        },
      ],
    },
  };
}

/** For every workload of the mesh. */
export function policy(path: number): Resource {
  return {
    apiVersion: 'tulle.dev/v1alpha1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'mesh', namespace: 'tulle-system' },
    spec: { action: 'DENY', rules: [{ to: { paths: [`/admin${path}*`] } }] },
  };
}
