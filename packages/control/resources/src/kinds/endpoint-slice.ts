import type { JsonSchema } from '@tulle/model';
import type { Metadata } from './metadata.ts';
import { appProtocolSchema, type AppProtocol } from './service.ts';
import {
  dnsLabel,
  dnsSubdomain,
  list,
  notHonoured,
  object,
  oneOf,
  port,
  resourceSchema,
  text,
  truth,
} from './schema-parts.ts';

/** Endpoints of a Service that no Workload describes (discovery.k8s.io/v1). Label `kubernetes.io/service-name` names it. */
export interface EndpointSlice {
  readonly apiVersion: 'discovery.k8s.io/v1';
  readonly kind: 'EndpointSlice';
  readonly metadata: Metadata;
  readonly addressType: 'IPv4' | 'IPv6';
  readonly endpoints: readonly SliceEndpoint[];
  readonly ports?: readonly SlicePort[];
}

export interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly conditions?: {
    readonly ready?: boolean;
    readonly serving?: boolean;
    readonly terminating?: boolean;
  };
  /** With kind Workload: reached as that Workload is, through its sidecar and with its identity. */
  readonly targetRef?: { readonly kind?: string; readonly namespace?: string; readonly name?: string };
  readonly zone?: string;
}

export interface SlicePort {
  readonly name?: string;
  readonly port: number;
  /** Default `TCP`. */
  readonly protocol?: 'TCP' | 'UDP';
  readonly appProtocol?: AppProtocol;
}

/** Label that says whose endpoints they are. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

export const endpointSliceSchema: JsonSchema = resourceSchema(
  'discovery.k8s.io/v1',
  'EndpointSlice',
  'Endpoints of a Service that no Workload describes.',
  dnsSubdomain('Name.'),
  {
    addressType: { enum: ['IPv4', 'IPv6'], description: 'Kind of the addresses.' },
    endpoints: list(
      'The endpoints.',
      object(
        'An endpoint.',
        {
          addresses: list(
            'Its address; the first is used, as Kubernetes says.',
            { ...text('IP address.'), format: 'ip' },
            1,
            100,
          ),
          conditions: object('Whether it can take work.', {
            ready: truth('Can take new work. Default true.'),
            serving: truth('Answers, whether or not it is terminating.'),
            terminating: truth('Is shutting down: no new work.'),
          }),
          targetRef: object('What it is.', {
            kind: text('Workload to be reached as that Workload.'),
            namespace: dnsLabel('Namespace.'),
            name: text('Name.'),
            apiVersion: text('API version.'),
            uid: text('Read over.'),
            resourceVersion: text('Read over.'),
            fieldPath: text('Read over.'),
          }),
          zone: text('Zone; the locality of the endpoint.'),
          nodeName: text('Read over.'),
          hostname: notHonoured('Endpoints have no host names of their own; remove it.'),
          hints: notHonoured('Remove it; the balancer knows the zone.'),
          deprecatedTopology: notHonoured('Use zone.'),
        },
        ['addresses'],
      ),
      0,
      1000,
    ),
    ports: list(
      'Ports of every endpoint, matched with the Service by name.',
      object(
        'A port.',
        {
          name: text('Name of the Service port; empty for the only one.', { maxLength: 63 }),
          port: port('Number.'),
          protocol: oneOf('Default TCP.', ['TCP', 'UDP']),
          appProtocol: appProtocolSchema,
        },
        ['port'],
      ),
      0,
      100,
    ),
  },
  ['addressType', 'endpoints'],
);
