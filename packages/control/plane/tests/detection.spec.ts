import { readResources } from '@tulle/resources';
import type { HttpHandler, ProxyConfig, TcpHandler } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { createControlPlane, type ControlPlaneOptions } from '../src/index.ts';
import { nodeOf } from './nodes.ts';

const service = (port: string): string => `
apiVersion: v1
kind: Service
metadata: { name: db }
spec: { selector: { app: db }, ports: [{ port: 3306${port} }] }
`;
const policy = (kind: string, spec: string): string => `---
apiVersion: tulle.dev/v1alpha1
kind: ${kind}
metadata: { name: p }
spec: ${spec}
`;
const ROUTE = `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: r }
spec: { parentRefs: [{ kind: Service, group: '', name: db, port: 3306 }], rules: [{ backendRefs: [{ name: db, port: 3306 }] }] }
`;

interface Seen {
  /** What the caller's proxy, and the called one, do with what is no HTTP; `undefined`: it is refused. */
  readonly outbound: HttpHandler['otherwise'];
  readonly inbound: HttpHandler['otherwise'];
}

async function seen(text: string, options: Partial<ControlPlaneOptions> = {}): Promise<Seen> {
  const read = await readResources([{ text, file: 'case.yaml' }]);
  expect(read.diagnostics).toEqual([]);
  const plane = createControlPlane({ trustDomain: 'mesh.local', ...options });
  plane.apply(
    read.resources.map(({ resource }) => resource),
    [],
  );
  const config = (node: ReturnType<typeof nodeOf>): Omit<ProxyConfig, 'version'> =>
    plane.provider.open(node).current().config;
  const caller = nodeOf({ workload: 'web', upstreams: [{ service: 'db', localPort: 13306 }] });
  const called = nodeOf({
    workload: 'db',
    labels: { app: 'db' },
    ports: [3306],
    inbound: { address: '10.0.0.2', port: 15006 },
  });
  plane.flush();
  const handler = (
    { listeners }: Omit<ProxyConfig, 'version'>,
    direction: string,
  ): HttpHandler | TcpHandler =>
    listeners.find((one) => one.direction === direction)?.filterChains[0]?.handler as HttpHandler;
  const [out, into] = [handler(config(caller), 'outbound'), handler(config(called), 'inbound')];
  await plane.close();
  return {
    outbound: out.kind === 'http' ? out.otherwise : undefined,
    inbound: into.kind === 'http' ? into.otherwise : undefined,
  };
}

const OUT = { clusters: [{ name: 'outbound|3306||db.default.svc.mesh.local' }] };
const IN = { clusters: [{ name: 'inbound|3306||db.default.svc.mesh.local' }] };

describe('a port of a Service that', () => {
  it('declares nothing is detected, on both sides', async () => {
    expect(await seen(service(''))).toEqual({ outbound: OUT, inbound: IN });
    expect(await seen(service(', name: web'))).toEqual({ outbound: OUT, inbound: IN });
  });

  it.each([', appProtocol: http', ', appProtocol: grpc', ', name: http', ', name: http-api', ', name: grpc'])(
    'declares itself with%s is not',
    async (port) => {
      expect(await seen(service(port))).toEqual({ outbound: undefined, inbound: undefined });
    },
  );

  it('has routes is HTTP to callers', async () => {
    expect((await seen(service('') + ROUTE)).outbound).toBeUndefined();
  });

  it('has its health checked by requests is HTTP to callers', async () => {
    const check = (kind: string): string =>
      policy(
        'TrafficPolicy',
        `{ targetRefs: [{ kind: Service, group: '', name: db }], healthCheck: { ${kind} } }`,
      );
    expect((await seen(service('') + check('http: { path: /up }'))).outbound).toBeUndefined();
    expect((await seen(service('') + check('tcp: {}, interval: 5s'))).outbound).toEqual(OUT);
  });

  it.each(['inbound', 'outbound'] as const)(
    'has a filter of the side %s is HTTP there',
    async (direction) => {
      const filter = `{ targetRefs: [{ kind: Service, group: '', name: db }], direction: ${direction}, filter: tulle.http.fault, config: {} }`;
      expect((await seen(service('') + policy('FilterPolicy', filter)))[direction]).toBeUndefined();
    },
  );
});

describe('a workload whose port declares nothing', () => {
  const allow = (rule: string): string =>
    policy(
      'AuthorizationPolicy',
      `{ selector: { matchLabels: { app: db } }, action: ALLOW, rules: [${rule}] }`,
    );

  it('is asked by layer 4 before anything is connected', async () => {
    const { inbound } = await seen(service('') + allow('{ from: { serviceAccounts: [web] } }'));
    expect(inbound).toMatchObject({ ...IN, filters: [{ filter: 'tulle.conn.authz' }] });
  });

  it.each([
    "{ to: { methods: ['GET'] } }",
    "{ to: { paths: ['/a'] } }",
    "{ from: { serviceAccounts: [web] }, to: { ports: [3306], methods: ['GET'] } }",
  ])('is HTTP where a rule asks for something of requests: %s', async (rule) => {
    expect((await seen(service('') + allow(rule))).inbound).toBeUndefined();
  });

  it('denies by default at layer 4 where the mesh does', async () => {
    const { inbound } = await seen(service(''), { defaultAction: 'deny' });
    expect(inbound?.filters).toMatchObject([{ config: { defaultAction: 'deny' } }]);
  });
});
