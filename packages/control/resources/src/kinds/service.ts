import type { JsonSchema } from '@tulle/model';
import type { Metadata } from './metadata.ts';
import {
  dnsLabel,
  hostname,
  integer,
  labels,
  list,
  notHonoured,
  object,
  oneOf,
  port,
  resourceSchema,
  text,
} from './schema-parts.ts';

/** A name under which Workloads are called (Kubernetes core/v1). */
export interface Service {
  readonly apiVersion: 'v1';
  readonly kind: 'Service';
  readonly metadata: Metadata;
  readonly spec: ServiceSpec;
}

export interface ServiceSpec {
  /** Default `ClusterIP`: in the mesh. `ExternalName`: a name outside of it. */
  readonly type?: 'ClusterIP' | 'ExternalName';
  /** Host that an `ExternalName` Service stands for; resolved by DNS where it is called from. */
  readonly externalName?: string;
  /** Address at which workloads whose calls are captured, by a sidecar or a node proxy, call it, beside its virtual one. */
  readonly clusterIP?: string;
  /** Labels of its Workloads. Absent: endpoints come from EndpointSlices only. */
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports: readonly ServicePort[];
}

export interface ServicePort {
  readonly name?: string;
  readonly port: number;
  /** Default `TCP`. Of `UDP` it takes datagrams, which Gateways alone lead there (UDPRoute). */
  readonly protocol?: 'TCP' | 'UDP';
  /** Port of the Workload, by number or name. Default: `port`, or the Workload's only port. Of `UDP` a number: Workloads name none. */
  readonly targetPort?: number | string;
  readonly appProtocol?: AppProtocol;
}

/**
 * What a port speaks. `http`: HTTP/1.1, and so `kubernetes.io/ws`, whose upgrades are let through anyway.
 * `kubernetes.io/h2c`, `http2`, `grpc`: HTTP/2 with prior knowledge (RFC 9113 §3.3; Gateway API GEP-1911).
 */
export type AppProtocol = (typeof APP_PROTOCOLS)[number];

export const APP_PROTOCOLS = [
  'http',
  'http2',
  'grpc',
  'tcp',
  'kubernetes.io/h2c',
  'kubernetes.io/ws',
] as const;

export const appProtocolSchema: JsonSchema = oneOf(
  'What the port speaks: http2, grpc and kubernetes.io/h2c are HTTP/2. Default: by the name of the port, tcp, http, http2 or grpc where it is that or begins with that and a dash, else HTTP or whatever else whoever speaks first shows, where no route, filter or rule about requests is for the port.',
  APP_PROTOCOLS,
);

/** Name or number of a Workload's port. */
const targetPortSchema: JsonSchema = {
  description:
    'Port of the Workload, by number or name. Default: the same number, or the only port of the Workload.',
  anyOf: [
    { type: 'integer', minimum: 1, maximum: 65_535 },
    { type: 'string', minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' },
  ],
};

export const serviceSchema: JsonSchema = resourceSchema(
  'v1',
  'Service',
  'A name under which Workloads are called.',
  dnsLabel('Name of the Service; its host is name.namespace.svc.mesh.local.'),
  {
    spec: object(
      'What the Service is.',
      {
        selector: labels('Labels of its Workloads.'),
        ports: list(
          'Its ports.',
          object(
            'A port.',
            {
              name: dnsLabel('Name; required when there are several ports.'),
              port: port('Number that callers use.'),
              targetPort: targetPortSchema,
              protocol: oneOf(
                'Default TCP. UDP: datagrams, in clear, which UDPRoutes of Gateways lead there; sidecars, node proxies and waypoints take no part in them.',
                ['TCP', 'UDP'],
              ),
              appProtocol: appProtocolSchema,
              nodePort: notHonoured('Tulle opens no node ports; remove it.'),
            },
            ['port'],
          ),
          1,
          100,
        ),
        type: oneOf('ClusterIP: in the mesh. ExternalName: a host outside of it.', [
          'ClusterIP',
          'ExternalName',
        ]),
        clusterIP: text(
          'Address at which workloads whose calls are captured call it, beside its virtual one: with a sidecar its routes hold for such calls as for those by name; a node proxy takes them at layer 4. Of several Services with one address the first by name has it. Others do not use it.',
        ),
        clusterIPs: list('Accepted and not used.', text('Address.'), 0, 10),
        ipFamilies: list('Accepted and not used.', text('Family.'), 0, 2),
        ipFamilyPolicy: text('Accepted and not used.'),
        internalTrafficPolicy: { enum: ['Cluster'], description: 'Cluster.' },
        sessionAffinity: { enum: ['None'], description: 'None.' },
        sessionAffinityConfig: notHonoured('Remove it.'),
        publishNotReadyAddresses: { enum: [false], description: 'false.' },
        externalName: hostname,
        externalIPs: notHonoured('Remove it.'),
        externalTrafficPolicy: notHonoured('Remove it.'),
        healthCheckNodePort: notHonoured('Remove it.'),
        loadBalancerIP: notHonoured('Remove it.'),
        loadBalancerClass: notHonoured('Remove it.'),
        loadBalancerSourceRanges: notHonoured('Use an AuthorizationPolicy with from.cidrs.'),
        allocateLoadBalancerNodePorts: notHonoured('Remove it.'),
        trafficDistribution: notHonoured('Use a TrafficPolicy with locality.'),
      },
      ['ports'],
    ),
  },
  ['spec'],
);

/** Whether a port takes datagrams, and so no connections. */
export function isUdpPort({ protocol }: Pick<ServicePort, 'protocol'>): boolean {
  return protocol === 'UDP';
}

/** What is spoken to a port of an application. */
export type PortProtocol = 'tcp' | 'http1' | 'http2';

const OF_APP: Readonly<Record<AppProtocol, PortProtocol>> = {
  tcp: 'tcp',
  http: 'http1',
  'kubernetes.io/ws': 'http1',
  http2: 'http2',
  grpc: 'http2',
  'kubernetes.io/h2c': 'http2',
};

/** Whether a port says what it speaks, by its appProtocol or its name; else what comes first is looked at (decision D21). */
export function isDeclaredPort({
  appProtocol,
  name = '',
}: {
  readonly appProtocol?: AppProtocol;
  readonly name?: string;
}): boolean {
  return appProtocol !== undefined || /^(?:tcp|http|http2|grpc)(?:-|$)/.test(name);
}

/** Declared protocol wins, then the port's name up to its first dash (as Istio reads it), else HTTP/1.1. */
export function portProtocol(port: {
  readonly appProtocol?: AppProtocol;
  readonly name?: string;
}): PortProtocol {
  if (port.appProtocol !== undefined) return OF_APP[port.appProtocol];
  const [said = ''] = (port.name ?? '').split('-');
  return said === 'tcp' ? 'tcp' : said === 'grpc' || said === 'http2' ? 'http2' : 'http1';
}

export const portNumber: JsonSchema = integer('Port number.', 1, 65_535);
