import { by, type Feature } from './gateway-api-feature.ts';

const GRPC = 'apps/gateway/tests/grpc-route.spec.ts';
const GRPC_EDITS = 'edits metadata of requests and of answers, of a rule and of one backend';
const CONNECTIONS = 'apps/cli/tests/gateway-connections.spec.ts';
const STATUS_OF_CONNECTIONS = 'packages/control/plane/tests/gateway-connections.spec.ts';
const STATUS = 'packages/control/plane/tests/gateway.spec.ts';

/** What the table of features says of routes other than HTTPRoutes. */
export const ROUTE_FEATURES: readonly Feature[] = [
  {
    area: 'GRPCRoute',
    name: 'GRPCRoute',
    level: 'Core',
    proofs: [
      ...by(
        GRPC,
        'goes by service and method, by pattern, and by metadata; what no rule takes is UNIMPLEMENTED',
        'splits calls by weight, and copies them',
      ),
      ...by('apps/cli/tests/grpc.spec.ts', 'is split by weights, refused in its own words, and explained'),
      ...by(
        STATUS,
        'a GRPCRoute at a Gateway takes gRPC requests of its hosts, and leaves those of an older HTTPRoute to it',
      ),
    ],
  },
  {
    area: 'GRPCRoute',
    name: 'GRPCRouteNamedRouteRule',
    level: 'Extended',
    proofs: by(GRPC, 'names its rules: records say which it was, and policies are for one'),
  },
  {
    area: 'GRPCRoute',
    name: 'filters: RequestHeaderModifier, of rules and of backends',
    level: 'Core',
    proofs: by(GRPC, GRPC_EDITS),
  },
  {
    area: 'GRPCRoute',
    name: 'filters: ResponseHeaderModifier, RequestMirror',
    level: 'Extended',
    proofs: by(GRPC, GRPC_EDITS, 'splits calls by weight, and copies them'),
  },
  {
    area: 'GRPCRoute',
    name: 'filters of HTTPRoutes: CORS, ExternalAuth, RequestRedirect, URLRewrite',
    level: 'Implementation-specific',
    unsupported:
      'A GRPCRoute has none of these in the Gateway API. With one the route is accepted by no parent: `Accepted` is `False` with `UnsupportedValue`. A Gateway leads nothing by it, and a Service whose only route it is answers UNIMPLEMENTED. Attach `tulle.http.cors` and `tulle.http.ext-authz` with a FilterPolicy.',
    proofs: [
      ...by(
        GRPC,
        'with a filter that gRPC lacks leads nothing: neither in from outside, nor within the mesh, nor past it',
      ),
      ...by(
        'packages/control/plane/tests/unsupported-values.spec.ts',
        'is accepted by no parent, attaches nowhere, and says so: %s',
        'takes no port and no host from an HTTPRoute',
      ),
    ],
  },
  {
    area: 'TLSRoute, TCPRoute, UDPRoute',
    name: 'TLSRoute',
    level: 'Core',
    proofs: [
      ...by(
        CONNECTIONS,
        'of TLS go by their server names: through to the backend, opened, or to HTTP, all on one port',
      ),
      ...by(STATUS_OF_CONNECTIONS, 'of TLS: %s', 'leave connections to the oldest, and say so'),
    ],
  },
  {
    area: 'TLSRoute, TCPRoute, UDPRoute',
    name: 'TLSRouteModeTerminate',
    level: 'Extended',
    proofs: by(
      CONNECTIONS,
      'of TLS go by their server names: through to the backend, opened, or to HTTP, all on one port',
    ),
  },
  {
    area: 'TLSRoute, TCPRoute, UDPRoute',
    name: 'TLSRouteModeMixed',
    level: 'Experimental',
    proofs: by(
      CONNECTIONS,
      'of TLS go by their server names: through to the backend, opened, or to HTTP, all on one port',
    ),
  },
  {
    area: 'TLSRoute, TCPRoute, UDPRoute',
    name: 'TCPRoute',
    level: 'Core',
    note: 'Backends are ports that say they carry TCP (`appProtocol: tcp`, or a name that begins with `tcp`): else `ResolvedRefs` is `False` with `UnsupportedProtocol`.',
    proofs: [
      ...by(
        CONNECTIONS,
        'of TCP are split by weight, and the share of a backend that is not there is refused',
      ),
      ...by(
        STATUS_OF_CONNECTIONS,
        'attach to the listeners of their protocol, and are counted there',
        'say what is wrong with their backends: no grant, not there, a port of HTTP',
      ),
    ],
  },
  {
    area: 'TLSRoute, TCPRoute, UDPRoute',
    name: 'UDPRoute',
    level: 'Core',
    note: 'For Gateways. Backends are ports of `protocol: UDP`: else `ResolvedRefs` is `False` with `UnsupportedProtocol`. An Envoy leads a listener to one backend: where a route has more, `Programmed` of the listener is `False`, and says so. Datagrams go in clear, which the condition `tulle.dev/Encrypted` says, and to no workload that takes mutual TLS alone ([why](../decisions/033-datagrams-in-clear.md)).',
    proofs: [
      ...by(
        'apps/cli/tests/gateway-datagrams.spec.ts',
        'are split by weight, session by session, and the share of a backend that is not there is dropped',
        'do not go to a workload that takes mutual TLS alone, until it says that it takes them',
        'go to endpoints outside of the mesh, are told of once a session is over, and are served on while a gateway leaves',
      ),
      ...by(
        'packages/control/plane/tests/udp-routes.spec.ts',
        'attach to listeners of UDP, which share their number with those of TCP, and are counted there',
        'say what is wrong with their backends, whose share is dropped',
        'leave datagrams to the oldest, and say so',
        'by weight are not those of an Envoy, as its listener says, which others are',
      ),
    ],
  },
];
