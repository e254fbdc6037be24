import type { JsonSchema } from '@tulle/model';
import { defaultScope, type DefaultScope } from './default-scope.ts';
import { certificateRef, gatewayTlsSchema, type CertificateRef, type GatewayTls } from './gateway-tls.ts';
import type { Metadata } from './metadata.ts';
import {
  dnsLabel,
  dnsSubdomain,
  hostnameOrWildcard,
  labels,
  list,
  notHonoured,
  object,
  oneOf,
  port,
  resourceSchema,
  strings,
  text,
} from './schema-parts.ts';

/** Group of the Gateway API. */
export const GATEWAY_GROUP = 'gateway.networking.k8s.io';
/** The one class of Gateways that Tulle serves. No GatewayClass resource is needed for it. */
export const GATEWAY_CLASS = 'tulle';
/** The class of waypoints: Gateways that take tunnels of the mesh for Services which ask for them. */
export const WAYPOINT_CLASS = 'tulle-waypoint';
/** What status says served a resource (Gateway API `GatewayController`). */
export const GATEWAY_CONTROLLER = 'tulle.dev/gateway-controller';
/** The label by which `allowedRoutes.namespaces.selector` knows a namespace, as Kubernetes sets it. */
export const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name';
/** Key of `tls.options`: lowest TLS version of a listener. */
export const MIN_TLS_VERSION_OPTION = 'tulle.dev/min-version';

/** Key of `tls.options`: `mesh` for a listener whose callers are sidecars, over mutual TLS of the mesh: an egress gateway's. */
export const CALLERS_OPTION = 'tulle.dev/callers';

/** Where the world enters the mesh; `tulle gateway --name` serves it (Gateway API v1 Gateway). */
export interface Gateway {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'Gateway';
  readonly metadata: Metadata;
  readonly spec: GatewaySpec;
}

export interface GatewaySpec {
  readonly gatewayClassName: string;
  readonly listeners: readonly GatewayListener[];
  /** Where it listens. Default: where its process says. */
  readonly addresses?: readonly GatewayAddress[];
  readonly tls?: GatewayTls;
  readonly infrastructure?: GatewayInfrastructure;
  /** Whether routes that ask for default Gateways attach (GEP-3793). Default `None`. */
  readonly defaultScope?: DefaultScope;
  /** Which ListenerSets may add listeners. Default: none. */
  readonly allowedListeners?: { readonly namespaces?: AllowedNamespaces };
}

/** An address that is asked for. Served are those of type `IPAddress`, the default; without value it is the process's own. */
export interface GatewayAddress {
  readonly type?: string;
  readonly value?: string;
}

/**
 * What is asked of things that a controller makes for a Gateway. Tulle makes none, since its process is started by its
 * operator: labels and annotations go to nothing, as status says, and a Gateway with a `parametersRef` is not accepted.
 */
export interface GatewayInfrastructure {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly parametersRef?: { readonly group: string; readonly kind: string; readonly name: string };
}

/** What a listener speaks: `HTTPS` and `TLS` by TLS, `HBONE` tunnels over mutual TLS of the mesh, the others in clear. */
export type ListenerProtocol = (typeof LISTENER_PROTOCOLS)[number];

export const LISTENER_PROTOCOLS = ['HTTP', 'HTTPS', 'TLS', 'TCP', 'UDP', 'HBONE'] as const;

export interface GatewayListener {
  /** Unique in the Gateway; `sectionName` of routes and policies. */
  readonly name: string;
  readonly port: number;
  readonly protocol: ListenerProtocol;
  /** Absent: every host. The first label may be `*`. */
  readonly hostname?: string;
  /** With HTTPS and TLS. */
  readonly tls?: GatewayListenerTls;
  readonly allowedRoutes?: AllowedRoutes;
}

export interface GatewayListenerTls {
  /** Default `Terminate`, with HTTPS; with TLS it is always said. */
  readonly mode?: 'Terminate' | 'Passthrough';
  /** One: the certificate `namespace/name` of the gateway's own directory. */
  readonly certificateRefs?: readonly CertificateRef[];
  readonly options?: Readonly<Record<string, string>>;
}

/** Namespaces from which something may attach. */
export interface AllowedNamespaces {
  /** Default: `Same` for routes, `None` for ListenerSets. */
  readonly from?: 'All' | 'Same' | 'Selector' | 'None';
  readonly selector?: NamespaceSelector;
}

/** Whether the callers of a listener are proxies of the mesh. They give no server name: it has whatever those with names leave. */
export function isForMesh({ protocol, tls }: GatewayListener): boolean {
  return protocol === 'HTTPS' && tls?.options?.[CALLERS_OPTION] === 'mesh';
}

export interface AllowedRoutes {
  readonly namespaces?: AllowedNamespaces;
  /** Default: what the protocol carries. */
  readonly kinds?: readonly { readonly group?: string; readonly kind: string }[];
}

/** Namespaces by label. Their name is the only one that Tulle knows; by another none is selected, and status says so. */
export interface NamespaceSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
    readonly values?: readonly string[];
  }[];
}

const listenerTls: JsonSchema = object('How TLS ends here.', {
  mode: oneOf(
    'Terminate: TLS ends here; default with HTTPS. Passthrough, with TLS: it goes on to the backend as it comes. With TLS one of them must be said.',
    ['Terminate', 'Passthrough'],
  ),
  certificateRefs: list('The certificate that is shown: one.', certificateRef, 0, 64),
  options: object('Settings.', {
    [MIN_TLS_VERSION_OPTION]: oneOf(
      'Lowest TLS version. Default TLSv1.2: callers of an edge are not chosen.',
      ['TLSv1.2', 'TLSv1.3'],
    ),
    [CALLERS_OPTION]: oneOf(
      'mesh: callers are proxies of the mesh, which prove it; the gateway shows its own identity and needs no certificateRefs.',
      ['mesh'],
    ),
  }),
  frontendValidation: notHonoured('Use spec.tls.frontend.'),
});

const namespaceSelector: JsonSchema = object(
  `Namespaces by their name, which is the label ${NAMESPACE_NAME_LABEL}. Tulle knows no other label of them: by another none is selected, and status says so (tulle.dev/NamespaceLabelsKnown).`,
  {
    matchLabels: labels('Labels with their values.'),
    matchExpressions: list(
      'Several; all must hold.',
      object(
        'A condition.',
        {
          key: text('The label.', { minLength: 1, maxLength: 317 }),
          operator: oneOf('How it is compared.', ['In', 'NotIn', 'Exists', 'DoesNotExist']),
          values: list('Of In and NotIn.', text('Value.', { maxLength: 63 }), 0, 100),
        },
        ['key', 'operator'],
      ),
      0,
      16,
    ),
  },
);

const allowedRoutes: JsonSchema = object('Which routes may attach.', {
  namespaces: object('By their namespace.', {
    from: oneOf("Which. Default Same: the Gateway's own.", ['All', 'Same', 'Selector', 'None']),
    selector: namespaceSelector,
  }),
  kinds: list(
    'By their kind. Default: what the protocol of the listener carries.',
    object(
      'A kind.',
      {
        group: text(`Default ${GATEWAY_GROUP}.`, { maxLength: 253 }),
        kind: text(
          'HTTPRoute or GRPCRoute for HTTP and HTTPS, TLSRoute for TLS, TCPRoute for TCP, UDPRoute for UDP; others are not served.',
          { minLength: 1, maxLength: 63 },
        ),
      },
      ['kind'],
    ),
    0,
    8,
  ),
});

/** `listeners` of a Gateway, or of a ListenerSet. */
export const listenersSchema = (name: string): JsonSchema =>
  list(
    'Ports with their hosts.',
    object(
      'A listener.',
      {
        name: dnsSubdomain(name),
        port: port('Port that callers use.'),
        protocol: oneOf(
          'What it speaks. HTTPS: TLS ends here, and holds HTTP. TLS: anything over TLS. UDP: datagrams, which may have the number of another port. HBONE: tunnels of the mesh, which waypoints take.',
          LISTENER_PROTOCOLS,
        ),
        hostname: hostnameOrWildcard,
        tls: listenerTls,
        allowedRoutes,
      },
      ['name', 'port', 'protocol'],
    ),
    1,
    64,
  );

const infrastructure: JsonSchema = object(
  'For what is made for a Gateway. Its process is started with tulle gateway, and nothing else is made.',
  {
    labels: strings(
      'Labels. They go to nothing, and status says so (tulle.dev/InfrastructurePropagated).',
      8,
    ),
    annotations: strings(
      'Annotations. They go to nothing, and status says so (tulle.dev/InfrastructurePropagated).',
      16,
    ),
    parametersRef: object(
      'Settings of a controller. Tulle knows none: the Gateway is not accepted, and status says so (InvalidParameters).',
      {
        group: text('Group.', { maxLength: 253 }),
        kind: text('Kind.', { minLength: 1, maxLength: 63 }),
        name: text('Name.', { minLength: 1, maxLength: 253 }),
      },
      ['group', 'kind', 'name'],
    ),
  },
);

export const gatewaySchema: JsonSchema = resourceSchema(
  'gateway.networking.k8s.io/v1',
  'Gateway',
  'Where the world enters the mesh. The process `tulle gateway --name NAME` serves it.',
  dnsLabel('Name; also that of the process that serves it, and of its service account.'),
  {
    spec: object(
      'What it listens on.',
      {
        gatewayClassName: dnsSubdomain(
          `Class; ${GATEWAY_CLASS} and ${WAYPOINT_CLASS} are Tulle's, Gateways of others are left to their controllers.`,
        ),
        listeners: listenersSchema('Name, unique in the Gateway.'),
        addresses: list(
          'Addresses that its process listens on, where --listen says nothing of a port. Default: the one that the process was started with.',
          object('An address.', {
            type: text('IPAddress (default); others are not supported, and status says so.', {
              minLength: 1,
              maxLength: 253,
            }),
            value: text("The address; absent: the process's own.", { maxLength: 253 }),
          }),
          0,
          16,
        ),
        infrastructure,
        allowedListeners: object('Which ListenerSets may add listeners.', {
          namespaces: object('By their namespace.', {
            from: oneOf("Which. Default None. Same: the Gateway's own.", ['All', 'Same', 'Selector', 'None']),
            selector: namespaceSelector,
          }),
        }),
        tls: gatewayTlsSchema,
        defaultScope: defaultScope(
          'All: routes that say useDefaultGateways: All attach as if they named it, where its listeners take them.',
        ),
      },
      ['gatewayClassName', 'listeners'],
    ),
  },
  ['spec'],
);
