import type { TcpAddress } from '@tulle/model';
import type { SidecarOptions } from '@tulle/sidecar';

/** Options of {@link startGateway}: those of every proxy process, and where an edge listens. */
export interface GatewayOptions extends Omit<
  SidecarOptions,
  'name' | 'serviceAccount' | 'ports' | 'upstreams' | 'inbound' | 'advertise' | 'readiness' | 'role'
> {
  /** Name of the Gateway that it serves, in its namespace; also its workload and service account. */
  readonly name: string;
  /** Where the Gateway's ports are listened on. Default `127.0.0.1`: the world is let in by saying so. */
  readonly address?: string;
  /** Ports of the Gateway that are listened on elsewhere; a port of 0: the system's choice, kept for the next start. */
  readonly listen?: ReadonlyMap<number, TcpAddress>;
  /** Absolute path; a certificate is `<directory>/<namespace>/<name>/tls.crt`, its key `tls.key`. Default: `certificates` in the state directory. */
  readonly certificates?: string;
  /** How often the certificates are looked at. Default 2,000. */
  readonly certificateScanMs?: number;
}
