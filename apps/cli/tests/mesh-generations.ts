import type { Resource } from '@tulle/resources';

/**
 * Generations of a mesh, each differing from the one before in everything that a proxy can hold: weights, matches and
 * header edits of routes, timeouts of clusters, endpoints, filters of a listener, who may call, and now and then the
 * clusters that routes lead to. Each part says of which generation it is, so that a mixture shows.
 */

/** 48 routes of some 6 kB each, so that a push takes more than one window of HTTP/2 flow control. */
const RULES = 16;
const MATCHES = 3;
const BACKENDS = 8;
/** A number that says its generation: far from all others in a configuration. */
const NUMBER_BASE = 21_000;
const PADDING = 'x'.repeat(3000);

const number = (generation: number): number => NUMBER_BASE + generation;
const text = (generation: number): string => `generation-${generation}-`;

const meta = (name: string): { name: string; namespace: string } => ({ name, namespace: 'default' });
const service = (name: string): object => ({ group: '', kind: 'Service', name });

/** Which half of the backends the routes of a generation lead to: every other change adds and removes clusters. */
export const half = (generation: number): number => Math.floor(generation / 2) % 2;

const backends = (generation: number): string[] =>
  Array.from({ length: BACKENDS }, (_, i) => `b${half(generation) * BACKENDS + i}`);

/** Resources that stay as they are. */
export function standing(): unknown[] {
  return ['front', ...Array.from({ length: 2 * BACKENDS }, (_, i) => `b${i}`)].map((name) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: meta(name),
    spec: { ports: [{ port: 80, targetPort: 80 }] },
  }));
}

/** @param generation below 1,000 */
export function generation(generation: number): unknown[] {
  const names = backends(generation);
  return [
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: meta('front'),
      spec: {
        parentRefs: [service('front')],
        rules: Array.from({ length: RULES }, (_, i) => ({
          matches: Array.from({ length: MATCHES }, (_match, j) => ({
            path: { type: 'PathPrefix', value: `/${text(generation)}${i}/${j}` },
          })),
          filters: [
            {
              type: 'RequestHeaderModifier',
              requestHeaderModifier: {
                set: ['x-a', 'x-b'].map((name) => ({ name, value: text(generation) + PADDING })),
              },
            },
          ],
          backendRefs: [
            { name: names[i % BACKENDS], port: 80, weight: number(generation) },
            { name: names[(i + 1) % BACKENDS], port: 80, weight: number(generation) },
          ],
        })),
      },
    },
    ...names.flatMap((name) => [
      {
        apiVersion: 'tulle.dev/v1alpha1',
        kind: 'TrafficPolicy',
        metadata: meta(name),
        spec: { targetRefs: [service(name)], timeouts: { connect: `${number(generation)}ms` } },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { ...meta(name), labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        endpoints: [{ addresses: ['127.0.0.1'] }],
        ports: [{ port: number(generation) }],
      },
    ]),
    {
      apiVersion: 'tulle.dev/v1alpha1',
      kind: 'FilterPolicy',
      metadata: meta('front'),
      spec: {
        targetRefs: [service('front')],
        direction: 'outbound',
        filter: 'tulle.http.headers',
        config: { request: { set: [{ name: 'x-filter', value: text(generation) }] } },
      },
    },
    {
      apiVersion: 'tulle.dev/v1alpha1',
      kind: 'AuthorizationPolicy',
      metadata: meta('servers'),
      spec: {
        selector: { matchLabels: { role: 'server' } },
        action: 'ALLOW',
        rules: [{ to: { paths: [`/${text(generation)}*`] } }],
      },
    },
  ];
}

/** The generation that resources of the control plane are of. @throws Error for a mixture */
export function generationOfResources(items: readonly Resource[]): number {
  const route = items.filter(({ kind }) => kind === 'HTTPRoute');
  const names = backends(read(route).generation); // the others are as the change before left them
  const current = items.filter(
    ({ kind, metadata }) =>
      kind === 'FilterPolicy' || kind === 'AuthorizationPolicy' || names.includes(metadata.name),
  );
  return read([...route, ...current]).generation;
}

/** What a configuration is, with its generation taken out. */
export interface Reading {
  readonly generation: number;
  /** Equal for two configurations that differ in nothing but the generation. */
  readonly rest: string;
}

/** @throws Error for a configuration that is of no generation, or of several */
export function read(config: unknown): Reading {
  const found = new Set<number>();
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string')
      return value.replaceAll(/generation-(\d+)-/g, (_, digits: string) => {
        found.add(Number(digits));
        return 'generation';
      });
    if (typeof value === 'number' && value >= NUMBER_BASE && value < NUMBER_BASE + 1000) {
      found.add(value - NUMBER_BASE);
      return 'generation';
    }
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [walk(key), walk(inner)]));
  };
  const rest = JSON.stringify(walk(config));
  const [only, ...more] = found;
  if (only === undefined || more.length > 0)
    throw new Error(`a mixture of the generations ${[...found].join(', ') || '(none)'}`);
  return { generation: only, rest };
}
