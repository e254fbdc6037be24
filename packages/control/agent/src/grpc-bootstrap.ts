import type { Locality } from '@tulle/model';
import type { IdentityPaths } from './identity-directory.ts';

/** Instance of a certificate provider in a bootstrap: what `Node.metadata.certificate.provider` says to the control plane. */
export const CERTIFICATE_PROVIDER = 'tulle';

/** How often a gRPC program looks whether its certificate changed. Often, against the life of any, and files are cheap to look at. */
export const CERTIFICATE_REFRESH_MS = 5_000;

/** By which a server asks for its listener; the control plane knows names of this form (gRFC A36). */
const SERVER_LISTENERS = 'grpc/server?xds.resource.listening_address=%s';

/** Who a gRPC program is, and where it finds what it needs. */
export interface GrpcBootstrapOptions {
  /** Unix socket that leads to the control plane: {@link serveXdsTunnel}. */
  readonly xdsSocket: string;
  readonly spiffeId: string;
  /** Tells this program from others of the same identity. */
  readonly instance: string;
  /** `Node.cluster`: the workload's name. */
  readonly workload: string;
  /** Where it runs. */
  readonly locality?: Locality;
  readonly identity: IdentityPaths;
  /** What the control plane is told of the workload (`SidecarMetadata` of `@tulle/control-plane`). */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/**
 * A bootstrap (gRFC A27, A29, A36) for a program with gRPC's own xDS, as client, server or both: `GRPC_XDS_BOOTSTRAP` names its
 * file. Certificate, key and roots are files, which the agent keeps fresh.
 */
export function grpcBootstrap(options: GrpcBootstrapOptions): object {
  const { xdsSocket, locality, identity } = options;
  return {
    xds_servers: [
      {
        // `unix:` and an absolute path is what every implementation reads.
        server_uri: `unix:${xdsSocket}`,
        channel_creds: [{ type: 'insecure' }],
        server_features: ['xds_v3'],
      },
    ],
    node: {
      id: `${options.spiffeId}~${options.instance}`,
      cluster: options.workload,
      // grpc-js insists on one.
      locality: {
        ...(locality !== undefined && {
          region: locality.region,
          ...(locality.zone !== undefined && { zone: locality.zone }),
          ...(locality.subZone !== undefined && { sub_zone: locality.subZone }),
        }),
      },
      metadata: { ...options.metadata, certificate: { provider: CERTIFICATE_PROVIDER } },
    },
    certificate_providers: {
      [CERTIFICATE_PROVIDER]: {
        plugin_name: 'file_watcher',
        config: {
          certificate_file: identity.certificateFile,
          private_key_file: identity.keyFile,
          ca_certificate_file: identity.rootsFile,
          refresh_interval: `${CERTIFICATE_REFRESH_MS / 1000}s`,
        },
      },
    },
    server_listener_resource_name_template: SERVER_LISTENERS,
  };
}
