import type { JsonSchema } from '@tulle/model';
import {
  backendRefsSchema,
  headerName,
  MAX_MATCHES,
  parentFields,
  routeFilterSchema,
  valueMatch,
  type CommonRouteSpec,
  type HTTPBackendRef,
  type HTTPRouteFilter,
  type HTTPValueMatch,
} from './http-route.ts';
import type { Metadata } from './metadata.ts';
import { sessionPersistenceSchema, type SessionPersistence } from './session-persistence.ts';
import {
  dnsSubdomain,
  hostnameOrWildcard,
  list,
  object,
  oneOf,
  resourceSchema,
  text,
} from './schema-parts.ts';

/** Routes gRPC requests that come in at a Gateway, or those of a Service (Gateway API v1 GRPCRoute, GEP-1016; GEP-1294 for Services). */
export interface GRPCRoute {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'GRPCRoute';
  readonly metadata: Metadata;
  readonly spec: GRPCRouteSpec;
}

export interface GRPCRouteSpec extends CommonRouteSpec {
  readonly hostnames?: readonly string[];
  /** Absent: one rule that matches everything and has no backend. */
  readonly rules?: readonly GRPCRouteRule[];
}

export interface GRPCRouteRule {
  readonly name?: string;
  /** Absent: every gRPC request. */
  readonly matches?: readonly GRPCRouteMatch[];
  /** A step that gRPC lacks keeps the route from being accepted, see `unsupportedFilters`. */
  readonly filters?: readonly HTTPRouteFilter[];
  readonly backendRefs?: readonly HTTPBackendRef[];
  readonly sessionPersistence?: SessionPersistence;
}

export interface GRPCRouteMatch {
  readonly method?: GRPCMethodMatch;
  readonly headers?: readonly HTTPValueMatch[];
}

/** A request's path is `/service/method`. At least one of the two is given. */
export interface GRPCMethodMatch {
  /** How both are compared. Default `Exact`. */
  readonly type?: 'Exact' | 'RegularExpression';
  /** Full name, with its package. */
  readonly service?: string;
  readonly method?: string;
}

const methodMatch: JsonSchema = object('Condition on service and method; at least one of them.', {
  type: oneOf('How they are compared. Default Exact.', ['Exact', 'RegularExpression']),
  service: text('Full name of the service, with its package, e.g. shop.v1.Orders; or an RE2 pattern.', {
    minLength: 1,
    maxLength: 1024,
  }),
  method: text('Name of the method, e.g. PlaceOrder; or an RE2 pattern.', { minLength: 1, maxLength: 1024 }),
});

const routeFilter: JsonSchema = routeFilterSchema(
  'Which step. RequestRedirect, URLRewrite, CORS and ExternalAuth are of HTTPRoutes: a GRPCRoute with one is not accepted, and status says so (UnsupportedValue).',
);

export const grpcRouteSchema: JsonSchema = resourceSchema(
  'gateway.networking.k8s.io/v1',
  'GRPCRoute',
  'Routes gRPC requests that come in at a Gateway, or those of a Service.',
  dnsSubdomain('Name.'),
  {
    spec: object('What is routed where.', {
      ...parentFields,
      hostnames: list('Only requests for these hosts.', hostnameOrWildcard, 0, 16),
      rules: list(
        'Rules. Gateway API precedence decides which one wins, not their order.',
        object('A rule.', {
          name: dnsSubdomain('Name, shown in records and metrics.'),
          matches: list(
            'Any of these; none: every gRPC request.',
            object('All of these.', {
              method: methodMatch,
              headers: list('Conditions on metadata.', valueMatch('header', headerName), 0, 16),
            }),
            0,
            MAX_MATCHES,
          ),
          filters: list('Steps.', routeFilter, 0, 16),
          backendRefs: backendRefsSchema,
          sessionPersistence: sessionPersistenceSchema,
        }),
        0,
        16,
      ),
    }),
  },
  ['spec'],
);
