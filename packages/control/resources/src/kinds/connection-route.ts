import type { JsonSchema } from '@tulle/model';
import {
  backendFields,
  MAX_WEIGHT,
  parentFields,
  type CommonRouteSpec,
  type HTTPBackendRef,
} from './http-route.ts';
import type { Metadata } from './metadata.ts';
import { dnsSubdomain, hostnameOrWildcard, integer, list, object, resourceSchema } from './schema-parts.ts';

/** Leads the TLS connections of a Gateway on by their server names (Gateway API v1 TLSRoute, GEP-2643). */
export interface TLSRoute {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'TLSRoute';
  readonly metadata: Metadata;
  readonly spec: ConnectionRouteSpec & {
    /** Server names (SNI, RFC 6066 §3). */
    readonly hostnames: readonly string[];
  };
}

/** Leads the connections of a port of a Gateway on (Gateway API v1 TCPRoute). */
export interface TCPRoute {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'TCPRoute';
  readonly metadata: Metadata;
  readonly spec: ConnectionRouteSpec;
}

/** Leads the datagrams of a port of a Gateway on (Gateway API v1 UDPRoute). */
export interface UDPRoute {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'UDPRoute';
  readonly metadata: Metadata;
  readonly spec: ConnectionRouteSpec;
}

export interface ConnectionRouteSpec extends CommonRouteSpec {
  /** One. */
  readonly rules: readonly ConnectionRouteRule[];
}

export interface ConnectionRouteRule {
  readonly name?: string;
  /** At least one. */
  readonly backendRefs: readonly ConnectionBackendRef[];
}

/** A Service, or a subset of one, and its share of the connections; of datagrams, of their sessions. */
export type ConnectionBackendRef = Omit<HTTPBackendRef, 'filters'>;

const rulesOf = (backends: string): JsonSchema =>
  list(
    'One rule.',
    object(
      'A rule.',
      {
        name: dnsSubdomain('Name.'),
        backendRefs: list(
          backends,
          object(
            'A Service, or a subset of one.',
            { ...backendFields, weight: integer('Share. Default 1; 0: none.', 0, MAX_WEIGHT) },
            ['name'],
          ),
          1,
          16,
        ),
      },
      ['backendRefs'],
    ),
    1,
    1,
  );

const rules = rulesOf(
  'Where connections go, by weight; the share of a backend that is not there is refused.',
);

export const tlsRouteSchema: JsonSchema = resourceSchema(
  'gateway.networking.k8s.io/v1',
  'TLSRoute',
  'Leads TLS connections that come in at a Gateway on by their server names, as they are (Passthrough) or opened (Terminate).',
  dnsSubdomain('Name.'),
  {
    spec: object(
      'Which connections, where.',
      {
        ...parentFields,
        hostnames: list('Server names (SNI).', hostnameOrWildcard, 1, 1024),
        rules,
      },
      ['hostnames', 'rules'],
    ),
  },
  ['spec'],
);

export const tcpRouteSchema: JsonSchema = resourceSchema(
  'gateway.networking.k8s.io/v1',
  'TCPRoute',
  'Leads connections that come in at a port of a Gateway on.',
  dnsSubdomain('Name.'),
  {
    spec: object('Which connections, where.', { ...parentFields, rules }, ['rules']),
  },
  ['spec'],
);

export const udpRouteSchema: JsonSchema = resourceSchema(
  'gateway.networking.k8s.io/v1',
  'UDPRoute',
  'Leads datagrams that come in at a port of a Gateway on, in clear: the mesh encrypts connections, and datagrams are none.',
  dnsSubdomain('Name.'),
  {
    spec: object(
      'Which datagrams, where.',
      {
        ...parentFields,
        rules: rulesOf(
          'Where the datagrams of a session go, which are those of one address and port; by weight. The share of a backend that is not there is dropped. Ports of Services are those of protocol UDP.',
        ),
      },
      ['rules'],
    ),
  },
  ['spec'],
);
