import { standardFilters } from '@tulle/standard';
import { createTestMesh, type MeshResponse, type TestHandler, type TestMesh } from '@tulle/testkit/mesh';

/** What an {@link echo} program saw of a request. */
export interface Seen {
  readonly instance: string;
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Answers with what reached it. */
export const echo: TestHandler = ({ instance, method, target, headers }) => ({
  headers: { 'x-origin': instance, 'x-drop': 'origin' },
  body: JSON.stringify({
    instance,
    method,
    target,
    host: headers.find(([name]) => name.toLowerCase() === 'host')?.[1],
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
  }),
});

export const seen = ({ body }: MeshResponse): Seen => JSON.parse(body) as Seen;

const GATEWAY = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: tulle
  listeners:
    - { name: http, port: 80, protocol: HTTP }
    - { name: alt, port: 8080, protocol: HTTP }
`;

/** An HTTPRoute of the Gateway `edge`. @param spec flow YAML without braces */
export const routeOf = (spec: string, name = 'r'): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec: { ${spec} }
`;

/** The same with `parentRefs: [{ name: edge }]` and one rule. */
export const ruleOf = (rule: string): string => routeOf(`parentRefs: [{ name: edge }], rules: [{ ${rule} }]`);

/** A Gateway `edge` with ports 80 and 8080, programs `one` and `two` behind it, and `web`, which calls them within the mesh. */
export async function featureMesh(
  resources: readonly string[],
  {
    one = echo,
    two = echo,
    gateway = GATEWAY,
  }: { one?: TestHandler; two?: TestHandler; gateway?: string } = {},
): Promise<TestMesh> {
  return createTestMesh({
    filters: standardFilters,
    services: { one, two, web: {} },
    gateways: { edge: { certificates: ['default/one', 'default/two'] } },
    resources: [gateway, ...resources],
  });
}
