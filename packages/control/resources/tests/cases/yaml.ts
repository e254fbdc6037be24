// Resources as text. Most cases are about the Service `a`, which stands first and ends with the mark of the next document; so
// does what stands beside it. Routes of Services and policies, which stand last, end without one.

export function service(name: string, spec = 'ports: [{ port: 80 }]'): string {
  return `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ${spec} }\n---\n`;
}

export const A: string = service('a');

export function workload(name: string, app: string, port = '8080'): string {
  return `apiVersion: tulle.dev/v1alpha1\nkind: Workload\nmetadata: { name: ${name}, labels: { app: ${app} } }\nspec: { address: 127.0.0.1, ports: [{ port: ${port} }], inbound: { mode: none } }\n---\n`;
}

/** An HTTPRoute of Service `a`. */
export function route(spec: string, name = 'r'): string {
  return `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: ${name} }\nspec:\n  parentRefs: [{ group: "", kind: Service, name: a }]\n${spec}\n`;
}

/** Rules of a route: everything to `a`. */
export const TO_A: string = '  rules: [{ backendRefs: [{ name: a, port: 80 }] }]';

/** An HTTPRoute with one rule, which leads to `a`. */
export function rule(spec: string): string {
  return route(`  rules: [{ ${spec}, backendRefs: [{ name: a, port: 80 }] }]`);
}

export function grpcRoute(spec: string, name = 'g'): string {
  return route(spec, name).replace('HTTPRoute', 'GRPCRoute');
}

export function gateway(listeners: string, name = 'edge'): string {
  return `apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: ${name} }\nspec:\n  gatewayClassName: tulle\n  listeners:\n${listeners}\n---\n`;
}

export function listenerSet(
  name: string,
  listeners: string,
  parent = '{ name: edge }',
  namespace = 'default',
): string {
  return `apiVersion: gateway.networking.k8s.io/v1\nkind: ListenerSet\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec:\n  parentRef: ${parent}\n  listeners:\n${listeners}\n---\n`;
}

/** A Gateway that takes ListenerSets, of the namespaces that `from` says. */
export function openGateway(listeners: string, from = 'Same'): string {
  return gateway(listeners).replace(
    '  listeners:',
    `  allowedListeners: { namespaces: { from: ${from} } }\n  listeners:`,
  );
}

export function gatewayClass(name: string, controller = 'tulle.dev/gateway-controller'): string {
  return `apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: { name: ${name} }\nspec: { controllerName: ${controller} }\n---\n`;
}

/** A Gateway that takes routes which ask for default ones. */
export function defaultGateway(listeners: string): string {
  return gateway(listeners).replace('  listeners:', '  defaultScope: All\n  listeners:');
}

/** An HTTPRoute that names no parent, and leads to `a`. */
export function defaultedRoute(scope: string, more = ''): string {
  return `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: d }\nspec: { useDefaultGateways: ${scope}${more}, rules: [{ backendRefs: [{ name: a, port: 80 }] }] }\n`;
}

/** A listener of a Gateway. */
export const HTTP = '    - { name: http, port: 80, protocol: HTTP, hostname: "*.example.com" }';

/** An HTTPRoute of a Gateway, which leads to `a`. @param more lines of its spec before the rules */
export function gatewayRoute(parent: string, more = '', namespace = 'default'): string {
  return `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r, namespace: ${namespace} }\nspec:\n  parentRefs: [${parent}]\n${more}  rules: [{ backendRefs: [{ name: a, namespace: default, port: 80 }] }]\n`;
}

/** @param kind TLSRoute or TCPRoute */
export function connectionRoute(kind: string, spec: string, parent = '{ name: edge }', name = 't'): string {
  return `apiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec:\n  parentRefs: [${parent}]\n${spec}\n---\n`;
}

export function policy(kind: string, spec: string): string {
  return `apiVersion: tulle.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: p }\nspec:\n${spec}\n`;
}

/** A TrafficPolicy for `a`. */
export function traffic(spec: string): string {
  return policy('TrafficPolicy', `  targetRefs: [{ group: "", kind: Service, name: a }]\n  ${spec}`);
}

export function budget(spec: string, name = 'p'): string {
  return policy('XBackendTrafficPolicy', spec)
    .replace('tulle.dev/v1alpha1', 'gateway.networking.x-k8s.io/v1alpha1')
    .replace('name: p', `name: ${name}`);
}

/** What the filter that reads tokens needs to know. */
export const JWT =
  '  config: { providers: [{ name: a, issuer: https://a.example, jwks: { url: https://a.example/keys } }] }';
