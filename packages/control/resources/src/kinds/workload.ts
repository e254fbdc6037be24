import type { JsonSchema, Locality } from '@tulle/model';
import type { Metadata } from './metadata.ts';
import { appProtocolSchema, type AppProtocol } from './service.ts';
import {
  dnsLabel,
  dnsSubdomain,
  integer,
  list,
  object,
  oneOf,
  port,
  resourceSchema,
  text,
} from './schema-parts.ts';

/** One running instance (decision D13). Made by a joining sidecar, or written by hand for what has none. */
export interface Workload {
  readonly apiVersion: 'tulle.dev/v1alpha1';
  readonly kind: 'Workload';
  readonly metadata: Metadata;
  readonly spec: WorkloadSpec;
}

export interface WorkloadSpec {
  /** Where it is reached: IP address, no name. */
  readonly address: string;
  readonly ports: readonly WorkloadPort[];
  readonly inbound: WorkloadInbound;
  /** Its identity is `spiffe://<trust domain>/ns/<namespace>/sa/<this>`. Default `default`. */
  readonly serviceAccount?: string;
  /** A whole SPIFFE id, for a Workload of another trust domain. */
  readonly identity?: string;
  readonly locality?: Locality;
  /** Share among the endpoints of a Service. Default 1. */
  readonly weight?: number;
  /** Default `healthy`. */
  readonly health?: 'healthy' | 'unhealthy' | 'draining';
}

export interface WorkloadPort {
  readonly name?: string;
  readonly port: number;
  readonly appProtocol?: AppProtocol;
  /** Port of the sidecar for this port; default `inbound.port`. Needed when there are several ports. */
  readonly inboundPort?: number;
}

/**
 * `sidecar`, `captured`: mutual TLS to `port`. `none`: plain text to the Workload's own port. `hbone`: by a tunnel through its node
 * proxy, which takes them at `port` of its address; default 15008.
 */
export interface WorkloadInbound {
  readonly mode: 'sidecar' | 'captured' | 'none' | 'hbone';
  readonly port?: number;
}

export const workloadSchema: JsonSchema = resourceSchema(
  'tulle.dev/v1alpha1',
  'Workload',
  'One running instance.',
  dnsSubdomain('Name of the instance.'),
  {
    spec: object(
      'Where and how it is reached.',
      {
        address: { ...text('IP address.'), format: 'ip' },
        ports: list(
          'Ports of the application.',
          object(
            'A port.',
            {
              name: dnsLabel("Name, for a Service's targetPort."),
              port: port('Number.'),
              appProtocol: appProtocolSchema,
              inboundPort: port('Port of the sidecar for this port; default inbound.port.'),
            },
            ['port'],
          ),
          0,
          100,
        ),
        inbound: object(
          'How it is reached.',
          {
            mode: oneOf(
              'sidecar or captured: mutual TLS to the port below. none: plain text to the application. hbone: by a tunnel to the port below, default 15008.',
              ['sidecar', 'captured', 'none', 'hbone'],
            ),
            port: port('Port of the sidecar.'),
          },
          ['mode'],
        ),
        serviceAccount: dnsSubdomain(
          'Service account; its identity is spiffe://<trust domain>/ns/<namespace>/sa/<service account>. Default: default.',
        ),
        identity: text('A whole SPIFFE id, for a Workload of another trust domain.', {
          pattern: '^spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)+$',
          maxLength: 2048,
        }),
        locality: object(
          'Where it runs.',
          {
            region: text('Region.', { minLength: 1 }),
            zone: text('Zone.'),
            subZone: text('Part of the zone.'),
          },
          ['region'],
        ),
        weight: integer('Share among the endpoints of a Service. Default 1.', 1, 1_000_000),
        health: oneOf('unhealthy: not used. draining: no new work. Default: healthy.', [
          'healthy',
          'unhealthy',
          'draining',
        ]),
      },
      ['address', 'ports', 'inbound'],
    ),
  },
  ['spec'],
);
