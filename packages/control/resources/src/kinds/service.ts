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
  /** Labels of its Workloads. Absent: endpoints come from EndpointSlices only. */
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports: readonly ServicePort[];
}

export interface ServicePort {
  readonly name?: string;
  readonly port: number;
  /** Port of the Workload, by number or name. Default: `port`, or the Workload's only port. */
  readonly targetPort?: number | string;
  readonly appProtocol?: AppProtocol;
}

/** What a port speaks. `kubernetes.io/ws` is HTTP with WebSocket upgrades, which are let through anyway. */
export type AppProtocol = 'http' | 'tcp' | 'kubernetes.io/ws';

export const APP_PROTOCOLS: readonly AppProtocol[] = ['http', 'tcp', 'kubernetes.io/ws'];

export const appProtocolSchema: JsonSchema = oneOf(
  'What the port speaks. Default: tcp when the port name is tcp or begins with tcp-, else http.',
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
              protocol: { enum: ['TCP'], description: 'TCP.' },
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
        clusterIP: text('Accepted and not used: a sidecar listens on its own address.'),
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

/** Whether requests on the port can be seen. Declared protocol wins, then the port's name (as Istio reads it). */
export function speaksHttp(declared: AppProtocol | undefined, portName: string | undefined): boolean {
  if (declared !== undefined) return declared !== 'tcp';
  return portName === undefined || !(portName === 'tcp' || portName.startsWith('tcp-'));
}

export const portNumber: JsonSchema = integer('Port number.', 1, 65_535);
